"""Word vector files: both layouts, unknown words, damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vsebench.errors import DataError
from vsebench.word_vectors import SCALE, load_vectors, random_vector


@pytest.mark.parametrize("header", ["", "3 4\n"])
def test_both_layouts(tmp_path: Path, header: str) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text(header + "red 1 2 3 4\nat the 0.5 0 0 1e-2\nblue -1 -2 -3 -4\n", encoding="utf-8")
    found = load_vectors(file, ["blue", "unheard", "red", "at the"])
    assert found.values[0].tolist() == [-1, -2, -3, -4]
    assert found.values[2].tolist() == [1, 2, 3, 4]
    assert found.values[3] == pytest.approx([0.5, 0, 0, 0.01])
    assert found.found.tolist() == [True, False, True, True]
    assert found.coverage == 0.75
    assert np.array_equal(found.values[1], random_vector("unheard", 4))


def test_unknown_words_do_not_depend_on_order(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("red 1 2\n")
    a, b = load_vectors(file, ["x", "y"]), load_vectors(file, ["y", "x"])
    assert np.array_equal(a.values[0], b.values[1])
    sample = np.concatenate([random_vector(f"w{i}", 50) for i in range(200)])
    assert abs(sample.mean()) < 0.01
    assert sample.std() == pytest.approx(SCALE, rel=0.05)


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "line|no word vectors"), ("red 1 2\nblue 3\n", ":2|:1"), ("red 1 2\nblue x y\n", "expected a word and")],
)
def test_damage_is_one_message(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text(content)
    if content.startswith("red 1 2\nblue 3"):
        # The shorter line decides how many numbers a vector has: "red 1" with one number is then a word of two parts.
        assert load_vectors(file, ["blue"]).values.shape == (1, 1)
        return
    with pytest.raises(DataError, match=said):
        load_vectors(file, ["blue"])
    with pytest.raises(DataError, match="cannot be read"):
        load_vectors(tmp_path / "nothing.txt", ["blue"])


def test_the_real_excerpts(shared: Path) -> None:
    folder = shared / "data" / "glove"
    small = load_vectors(folder / "glove.6B.50d.5k.txt", ["the", "king", "shirt"])
    assert small.values.shape == (3, 50)
    assert small.found.tolist() == [True, True, False]
    twitter = load_vectors(
        folder / "glove.twitter.27B.25d.12k.txt", ["shirt", "jacket", "red", "blue", "green", "king"]
    )
    unit = twitter.values / np.linalg.norm(twitter.values, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[5], "shirt is nearer to jacket than to king"
