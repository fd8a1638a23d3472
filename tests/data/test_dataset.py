"""Reading a dataset file: round trip, damage, readers in processes."""

from __future__ import annotations

import multiprocessing as mp
import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from vsebench.core.errors import DataError
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item


def _digest(dataset: Dataset, i: int) -> bytes:
    return bytes(dataset.image_bytes(i) or b"")


def test_round_trip(tmp_path: Path, items: Callable[..., list[Item]], write: Callable[..., Dataset]) -> None:
    dataset = write(tmp_path / "a.h5", items())
    assert check(dataset) == []
    assert len(dataset) == 12
    assert dataset.label_names == ["cat", "dog"]
    assert dataset.splits["val"].tolist() == [4, 5]
    for i, item in enumerate(items()):
        assert dataset.ids[i] == item.id
        assert dataset.image_bytes(i) == item.image
        assert dataset.texts(i) == list(item.texts)
        assert dataset.label_names[dataset.labels[i]] == item.label
        assert dataset.attributes(i) == item.attributes
        assert np.array_equal(dataset.landmarks(i), item.landmarks)
        boxes = dataset.boxes(i)
        assert (boxes is None) == (i % 2 == 0)
    assert dataset.all_texts("val") == [list(i.texts) for i in items()[4:6]]
    assert dataset.groups[0] == dataset.groups[1] != dataset.groups[2]
    assert sum(dataset.describe()["captions"].values()) == sum(len(i.texts) for i in items())


def test_damaged_files_give_one_message(
    tmp_path: Path, items: Callable[..., list[Item]], write: Callable[..., Dataset]
) -> None:
    file = tmp_path / "a.h5"
    write(file, items()).close()
    whole = file.read_bytes()
    for content, message in (
        (b"", "not a vsebench dataset file"),
        (b"garbage" * 100, "not a vsebench dataset file"),
        (whole[: len(whole) // 2], "has no seal"),
    ):
        file.write_bytes(content)
        with pytest.raises(DataError, match=f"a.h5: {message}"):
            Dataset.open(file)
        with pytest.raises(DataError, match="a.h5: not a whole vsebench dataset file"):
            Dataset.open(file, sealed=False)
    with pytest.raises(DataError, match="no such dataset file"):
        Dataset.open(tmp_path / "b.h5")
    with h5py.File(file, "w") as other:
        other["x"] = 1
    with pytest.raises(DataError, match="not a whole"):
        Dataset.open(file, sealed=False)


def test_check_finds_a_changed_byte(
    tmp_path: Path, items: Callable[..., list[Item]], write: Callable[..., Dataset]
) -> None:
    file = tmp_path / "a.h5"
    write(file, items()).close()
    with h5py.File(file, "r+") as content:
        data = content["bytes"][:]
        data[200] ^= 255
        content["bytes"][:] = data
    assert any("fingerprint" in p for p in check(Dataset.open(file, sealed=False)))


def test_many_processes_read_one_object(
    tmp_path: Path, items: Callable[..., list[Item]], write: Callable[..., Dataset]
) -> None:
    dataset = write(tmp_path / "a.h5", items())
    dataset.image_bytes(0)  # the parent's handle is open when the children begin
    assert pickle.loads(pickle.dumps(dataset)).image_bytes(3) == items()[3].image
    with mp.get_context("fork").Pool(3) as pool:
        result = pool.starmap(_digest, [(dataset, i % 12) for i in range(60)])
    assert result == [items()[i % 12].image for i in range(60)]


def test_another_process_opens_what_was_pickled(
    tmp_path: Path, items: Callable[..., list[Item]], write: Callable[..., Dataset]
) -> None:
    dataset = write(tmp_path / "a.h5", items())
    dataset.texts(0)
    with mp.get_context("spawn").Pool(1) as pool:
        assert pool.apply(dataset.texts, (5,)) == list(items()[5].texts)


def test_check_names_what_splits_must_not_do(tmp_path: Path, write: Callable[..., Dataset]) -> None:
    content = [
        Item("a", None, ("t",), "cat", split="train", group="g"),
        Item("b", None, (" ",), "dog", split="train"),
        Item("c", b"no image", ("t",), "cat", split="val", group="g"),
    ]
    problems = check(write(tmp_path / "a.h5", content))
    for message in (
        "there is no test split",
        "the val split has a single class",
        "1 groups are in train and in val",
        "id 'b': empty text",
    ):
        assert message in problems
    assert any(p.startswith("id 'c': not an image that is read") for p in problems)
    assert len(problems) == 5
