"""Sounds, precomputed features, named sets, unlabelled items and the split of the rest in a dataset file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from builder_layouts import sound

from vsebench.core.errors import DataError
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.show import contact_sheet, summary
from vsebench.data.writer import DatasetWriter

Items, Write = Callable[..., list[Item]], Callable[..., Dataset]


def regions(n: int) -> np.ndarray:
    return np.random.default_rng(n).normal(size=(n % 4, 6)).astype(np.float32)


def rich(items: list[Item]) -> list[Item]:
    """Every third item without a sound, every fourth without regions."""
    return [
        replace(
            item,
            audio=sound(n) if n % 3 else None,
            features={"image": regions(n), "text": np.full((1, 2), n, np.float16)},
            sets=("query",) if n % 2 else ("database", "big"),
        )
        for n, item in enumerate(items)
    ]


def test_round_trip(tmp_path: Path, items: Items, write: Write) -> None:
    dataset = write(tmp_path / "a.h5", rich(items()))
    assert check(dataset) == []
    assert dataset.feature_dims == {"image": 6, "text": 2}
    assert dataset.sets["query"].tolist() == [1, 3, 5, 7, 9, 11]
    assert dataset.sets["big"].tolist() == dataset.sets["database"].tolist() == [0, 2, 4, 6, 8, 10]
    for n in range(12):
        np.testing.assert_array_equal(dataset.item_features("image", n), regions(n))
        assert dataset.item_features("text", n).dtype == np.float16
        assert dataset.audio_bytes(n) == (sound(n) if n % 3 else None)
    with pytest.raises(DataError, match="item 'id-0' has no audio"):
        dataset.audio(0, 8000)
    assert dataset.feature_counts("image").tolist() == [n % 4 for n in range(12)]
    assert dataset.feature_counts("audio").tolist() == [0] * 12
    assert dataset.features_size("image", np.array([3, 2])) == (3 + 2) * 6 * 4
    facts = summary(dataset)["facts"]
    assert facts["sets"] == "big 6, database 6, query 6"
    assert facts["image features"] == "0 to 3, median 1.5, 90 % from 0 to 3 of 6 numbers"
    assert facts["sounds"] == "8"


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 2], [5, 5, 4], [7], [0], [11, 0]])
def test_features_in_any_order(tmp_path: Path, items: Items, write: Write, order: list[int]) -> None:
    dataset = write(tmp_path / "a.h5", rich(items()))
    values, offsets = dataset.features("image", np.array(order))
    assert offsets[-1] == len(values)
    for i, n in enumerate(order):
        np.testing.assert_array_equal(values[offsets[i] : offsets[i + 1]], regions(n))


def test_the_fingerprint_knows_them(tmp_path: Path, items: Items, write: Write) -> None:
    plain = write(tmp_path / "a.h5", rich(items())).fingerprint
    for n, change in enumerate(
        (
            {"audio": sound(99)},
            {"audio": None},
            {"features": {"image": regions(5) + 1, "text": np.full((1, 2), 1, np.float16)}},
            {"features": {"text": np.full((1, 2), 1, np.float16)}},
            {"sets": ("query", "big")},
        )
    ):
        content = rich(items())
        content[1] = replace(content[1], **change)
        dataset = write(tmp_path / f"{n}.h5", content)
        assert dataset.fingerprint != plain, change
        assert check(dataset) == []


def test_a_modality_that_comes_late(tmp_path: Path, items: Items, write: Write) -> None:
    content = items()
    content[7] = replace(content[7], features={"image": regions(3)})
    dataset = write(tmp_path / "a.h5", content)
    assert check(dataset) == []
    assert dataset.feature_counts("image").tolist() == [0] * 7 + [3] + [0] * 4


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.zeros((2, 7), np.float32), r"id 'id-1': features of shape \(2, 7\); those before have \(any, 6\)"),
        (np.zeros(6, np.float32), r"id 'id-1': features of shape \(6,\)"),
        (np.full((1, 6), np.inf, np.float32), "id 'id-1': features hold NaN or infinite values"),
    ],
)
def test_features_that_are_refused(tmp_path: Path, items: Items, write: Write, values: np.ndarray, text: str) -> None:
    content = rich(items())
    content[0] = replace(content[0], features={"image": regions(2)})
    content[1] = replace(content[1], features={"image": values})
    with pytest.raises(DataError, match=text):
        write(tmp_path / "a.h5", content)
    assert list(tmp_path.iterdir()) == []


def test_large_values_do_not_become_infinite(tmp_path: Path, items: Items, write: Write) -> None:
    content = [replace(i, features={"image": np.full((1, 2), 1e6)}) for i in items()]
    assert write(tmp_path / "a.h5", content).item_features("image", 0).tolist() == [[1e6, 1e6]]


def test_unlabelled_items(tmp_path: Path, items: Items, write: Write) -> None:
    dataset = write(tmp_path / "a.h5", [replace(i, label=None) for i in items()])
    assert dataset.num_classes == 0
    assert check(dataset) == []
    assert dataset.describe()["majority"] == {}
    contact_sheet(dataset, tmp_path / "sheet.png")
    content = items()
    content[2] = replace(content[2], label=None)
    with pytest.raises(DataError, match=r"1 of 12 items have no label\.\n  id 'id-2'"):
        write(tmp_path / "b.h5", content)


def test_the_rest_is_a_split_of_its_own(tmp_path: Path, items: Items, write: Write) -> None:
    content = [replace(i, split="rest" if n > 7 else i.split, sets=("database",)) for n, i in enumerate(items())]
    dataset = write(tmp_path / "a.h5", content)
    assert dataset.splits["rest"].tolist() == [8, 9, 10, 11]
    assert check(dataset) == []


def test_damage_is_found(tmp_path: Path, items: Items, write: Write) -> None:
    write(tmp_path / "a.h5", rich(items())).close()
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["features/image/values"][2, 3] += 1
    assert any("fingerprint" in problem for problem in check(Dataset.open(tmp_path / "a.h5", sealed=False)))
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["audio"][:4] = 0
    assert any(
        "id 'id-1': sound cannot be decoded" in problem
        for problem in check(Dataset.open(tmp_path / "a.h5", sealed=False))
    )


def test_a_killed_build_leaves_nothing_for_long(tmp_path: Path, items: Items, write: Write) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from vsebench.data.item import Item\n"
        "from vsebench.data.writer import DatasetWriter\n"
        "with DatasetWriter(Path(sys.argv[1]), name='a', title='A') as writer:\n"
        "    writer.add(Item('a', b'x' * (1 << 24), ('t',), 'l'))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    out = tmp_path / "a.h5"
    done = subprocess.run([sys.executable, "-c", script, str(out)], env={**os.environ}, timeout=60)
    assert done.returncode == -9
    assert not out.exists()
    assert len(list(tmp_path.glob(".a.h5.partial-*"))) == 1
    write(out, items())
    assert list(tmp_path.glob(".a.h5.partial-*")) == []


def test_memory_stays_flat(tmp_path: Path) -> None:
    import tracemalloc

    def peak(count: int) -> int:
        tracemalloc.start()
        with DatasetWriter(tmp_path / f"{count}.h5", name="a", title="A") as writer:
            for n in range(count):
                picture = np.random.default_rng(n).bytes(20_000)
                features = {"image": np.zeros((10, 100), np.float32)}
                writer.add(Item(f"id {n}", picture, (f"text {n}",), f"c{n % 3}", features=features))
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    small, large = peak(1500), peak(6000)
    assert (large - small) / 4500 < 1500, "bytes kept of an item of 24,000"
