"""Best, worst and random by what is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vsebench.core.errors import DataError
from vsebench.inspect.choose import choose, read_stored


def test_best_and_worst_are_sorted_and_equals_are_drawn_by_the_seed() -> None:
    worth = -np.array([1.0] * 50 + [7, 2, 9])
    for seed in range(5):
        chosen = choose(worth, 4, seed)
        assert (worth[chosen["best"]] == -1).all()
        assert chosen["worst"][:3].tolist() == [52, 50, 51]
        assert len(set(chosen["random"].tolist())) == 4
        again = choose(worth, 4, seed)
        assert all(np.array_equal(chosen[kind], again[kind]) for kind in chosen)
    assert len({tuple(choose(worth, 4, seed)["best"].tolist()) for seed in range(5)}) > 1


def test_no_more_than_there_are() -> None:
    assert all(sorted(rows.tolist()) == [0, 1] for rows in choose(np.array([0.5, 0.1]), 12, 0).values())


def _write(folder: Path, **more: np.ndarray) -> None:
    groups, owner = np.array([0, 1, 1, 2]), np.array([0, 1, 2, 3, 3, 1, 3])
    parts = {"positions": np.arange(4), "labels": np.zeros(4, int), "groups": groups, "owner": owner}
    for direction, count in (("i2t", 4), ("t2i", 7)):
        parts |= {f"{direction}/{part}": np.ones(count, int) for part in ("above", "tied", "tied_relevant", "relevant")}
    np.savez(folder / "predictions-test.npz", **(parts | more))


def test_captions_are_numbered_in_the_order_of_rounds(tmp_path: Path) -> None:
    _write(tmp_path)
    stored = read_stored(tmp_path, "test")
    assert stored.caption_numbers().tolist() == [0, 0, 0, 0, 1, 1, 2]
    assert stored.ranks["i2t"].first().tolist() == [2.0] * 4
    assert stored.ranks["t2i"].gallery == 4
    assert stored.logits is None


def test_queries_without_anything_to_find_have_no_rank(tmp_path: Path) -> None:
    owner = np.array([0, 2, 3])  # item 1 has no caption, though item 2 is of its group; item 0 keeps its own
    three = np.ones(3, int)
    names = ("above", "tied", "tied_relevant", "relevant")
    parts = {f"{direction}/{name}": three for direction in ("i2t", "t2i") for name in names}
    _write(tmp_path, groups=np.array([0, 1, 2, 2]), owner=owner, **parts)
    assert read_stored(tmp_path, "test").queries["i2t"].tolist() == [0, 2, 3]
    _write(tmp_path, groups=np.array([0, 1, 2, 2]), owner=owner)
    with pytest.raises(DataError, match="4 ranks of 3 queries"):
        read_stored(tmp_path, "test")


def test_a_split_that_was_not_evaluated_and_a_damaged_file(tmp_path: Path) -> None:
    _write(tmp_path)
    with pytest.raises(DataError, match="no predictions of a split 'tset'. Did you mean 'test'.*Splits with .*: test"):
        read_stored(tmp_path, "tset")
    file = tmp_path / "predictions-test.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match="not a whole file of predictions"):
        read_stored(tmp_path, "test")
