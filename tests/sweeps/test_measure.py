"""Measuring finished runs: once, again when something else is asked, and without harm where it fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from swept import sweep_in

from vsebench.core.errors import DataError
from vsebench.core.registry import MEASUREMENTS
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter
from vsebench.measurements.base import Measurement
from vsebench.runs.snapshot import Snapshot, load, results_file, save
from vsebench.runs.store import Store
from vsebench.sweeps.measure import measure, measured, missing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measures")
    with DatasetWriter(
        folder / "said.h5", name="said", title="Said", fractions={"train": 0.5, "val": 0.25, "test": 0.25}
    ) as out:
        for i in range(24):
            out.add(Item(f"i{i}", None, (f"word{i % 2} more",), "a" if i % 2 else "b"))
    sweep_in(
        folder,
        {
            "experiment": "said",
            "dataset": str(folder / "said.h5"),
            "seeds": [0, 1],
            "train": {"epochs": 1, "batch_size": 8},
            "systems": {"words": {"text_encoder": "bow", "dim": 8}},
        },
    )
    return folder


@pytest.fixture
def counted() -> Iterator[list[str]]:
    """A measurement of every seed and one of the first alone; the ids of the runs that they were asked of."""
    calls: list[str] = []

    class Counting(Measurement):
        """Count items."""

        times = 1

        def measure(self, run: Any, dataset: Any) -> dict[str, Any]:
            calls.append(run.run_id)
            if self.times == 13:
                raise DataError("unlucky.")
            return {"items": self.times * len(dataset.splits["test"])}

    kinds = {"every": {}, "first": {"every_seed": False}, "quiet": {"every_seed": False, "alone": True}}
    for name, facts in kinds.items():
        MEASUREMENTS.register(name, source="a test", **facts)(type(name, (Counting,), {"__init__": _times}))
    yield calls
    for name in kinds:
        MEASUREMENTS.forget(name)


def _times(self: Any, *, times: int = 1) -> None:
    self.times = times


def board(folder: Path) -> Snapshot:
    return load(results_file(folder / "board", "said"))


def test_is_done_once(folder: Path, counted: list[str]) -> None:
    snapshot, store = board(folder), Store(folder / "runs", "said")
    requested = {"every": {"times": 2}}
    jobs = missing(snapshot, store, requested)
    assert len(jobs) == 2
    assert measure(jobs) == []
    assert sorted(counted) == sorted(snapshot.rows[0].runs.values())
    assert missing(snapshot, store, requested) == []
    size = snapshot.dataset["splits"]["test"]
    assert measured(snapshot, store, requested) == {run: {"every": {"items": 2 * size}} for run in counted}
    assert len(missing(snapshot, store, {"every": {"times": 3}})) == 2, "something else is asked"


def test_first_seed_alone(folder: Path, counted: list[str]) -> None:
    snapshot, store = board(folder), Store(folder / "runs", "said")
    measure(missing(snapshot, store, {"first": {"times": 1}}))
    assert counted == [snapshot.rows[0].runs["0"]]


def test_a_fault_costs_one_number(folder: Path, counted: list[str]) -> None:
    snapshot, store = board(folder), Store(folder / "runs", "said")
    requested = {"every": {"times": 13}, "first": {"times": 5}}
    faults = measure(missing(snapshot, store, requested))
    assert {(f.measure, f.message) for f in faults} == {("every", "unlucky.")}
    assert [list(parts) for parts in measured(snapshot, store, requested).values()] == [["first"]]


def test_board_keeps_measures(folder: Path, tmp_path: Path) -> None:
    snapshot = board(folder)
    known = {run: {"every": {"items": 6, "share": 0.125}} for run in snapshot.rows[0].runs.values()}
    save(replace(snapshot, measures=known), tmp_path / "said.json")
    assert load(tmp_path / "said.json").measures == known
    elsewhere = Store(tmp_path / "nowhere", "said")
    assert measured(load(tmp_path / "said.json"), elsewhere, {}) == known, "of runs that are not here"
    save(snapshot, tmp_path / "said.json")
    assert (tmp_path / "said.json").read_text() == results_file(folder / "board", "said").read_text()


def test_what_is_measured_alone_is_a_job_of_its_own(folder: Path, counted: list[str]) -> None:
    requested = {"quiet": {"times": 101}, "every": {"times": 102}}
    jobs = missing(board(folder), Store(folder / "runs", "said"), requested)
    assert [(sorted(job.requested), job.alone) for job in jobs] == [
        (["every"], False),
        (["every"], False),
        (["quiet"], True),
    ]
