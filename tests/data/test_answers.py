"""Answers of several annotators: stored, read, part of the fingerprint, checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from vsebench.core.errors import DataError
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item

Items, Write = Callable[..., list[Item]], Callable[..., Dataset]
SAID = ({"red": 7, "pink é": 3}, None, {"2": 10})


def answered(items: list[Item]) -> list[Item]:
    return [replace(item, answers=SAID[n % 3]) for n, item in enumerate(items)]


def test_round_trip(tmp_path: Path, items: Items, write: Write) -> None:
    dataset = write(tmp_path / "a.h5", answered(items()))
    assert check(dataset) == []
    assert dataset.has_answers
    for order in ([0, 1, 2, 5], [7, 2, 0, 1, 7], [4], list(range(12)), []):
        assert dataset.answers(np.array(order, np.int64)) == [SAID[n % 3] or {} for n in order]


def test_data_without_has_no_table_and_the_fingerprint_of_before(tmp_path: Path, items: Items, write: Write) -> None:
    plain = write(tmp_path / "a.h5", items())
    assert not plain.has_answers
    assert plain.answers(np.arange(2)) == [{}, {}]
    with h5py.File(plain.path) as file:
        assert not {"answers", "answer_offsets"} & set(file)
    assert write(tmp_path / "b.h5", items({"answers": {}})).fingerprint == plain.fingerprint


def test_the_fingerprint_knows_texts_and_counts(tmp_path: Path, items: Items, write: Write) -> None:
    results = {
        write(tmp_path / f"{k}.h5", items({"answers": message})).fingerprint
        for k, message in enumerate(({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2, "b": 1}, {"a": 1, "c": 2}))
    }
    assert len(results) == 3, "the order of the answers does not matter, all else does"


def test_damage_is_found(tmp_path: Path, items: Items, write: Write) -> None:
    path = write(tmp_path / "a.h5", answered(items())).path
    with h5py.File(path, "r+") as file:
        data = bytes(file["answers"][:])
        file["answers"][:] = np.frombuffer(data.replace(b"10", b"11"), np.uint8)
    assert any("does not match the fingerprint" in fault for fault in check(Dataset.open(path, sealed=False)))


def test_an_answer_of_nobody_is_refused(tmp_path: Path, items: Items, write: Write) -> None:
    with pytest.raises(DataError, match="id 'id-0': an answer needs at least one annotator. Got 'no': 0."):
        write(tmp_path / "a.h5", items({"answers": {"yes": 3, "no": 0}}))
    assert not list(tmp_path.iterdir())
