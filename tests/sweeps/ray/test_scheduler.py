"""The driver's side of runs that are done elsewhere: given out once at a time, recorded once, whatever is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vsebench.config.experiment import load_experiment
from vsebench.config.schema import Prune
from vsebench.data.dataset import Dataset
from vsebench.runs.provenance import result_of
from vsebench.runs.store import Store
from vsebench.sweeps.plan import Run, make_plan
from vsebench.sweeps.ray import scheduler as desk_module
from vsebench.sweeps.ray.artifacts import Parcel
from vsebench.sweeps.ray.bus import Said
from vsebench.sweeps.ray.scheduler import MAX_LOSSES, Desk
from vsebench.sweeps.worker import Event, Settings


@pytest.fixture
def runs(write_experiment: Callable[[Any], Path], tiny_experiment: Any, tiny_file: Path, tmp_path: Path) -> list[Run]:
    experiment = load_experiment(write_experiment(tiny_experiment))
    dataset = Dataset.open(tiny_file).describe()
    return list(make_plan(experiment, dataset, Store(tmp_path / "runs", experiment.name)).runs)


@pytest.fixture
def settings(tiny_file: Path, tmp_path: Path) -> Settings:
    return Settings(store_root=tmp_path / "runs", dataset_path=tiny_file, device="cpu")


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def desk(runs: list[Run], settings: Settings, events: list[Event]) -> Desk:
    return Desk(runs, settings, events.append)


def never(*_: Any) -> None:
    raise AssertionError("nobody asked")


def parcel_of(desk: Desk, run: Run, **parts: Any) -> Parcel:
    return Parcel(result_of(run, desk.dataset, "finished", **parts), {"history.jsonl": [b"{}\n"]})


def take(desk: Desk, run: Any, parcel: Parcel) -> None:
    desk.take(run, parcel, lambda piece: piece)


def test_runs_go_out_in_order_and_come_back(desk: Desk, runs: list[Run], events: list[Event], tiny_file: Path) -> None:
    tasks = [desk.claim(0), desk.claim(1)]
    assert [task and task.run for task in tasks] == runs
    assert desk.claim(2) is None
    assert desk.open == 2
    for task, run in zip(reversed(tasks), reversed(runs), strict=True):
        take(desk, task, parcel_of(desk, run, metrics={"val/accuracy": 0.5}))
    assert desk.open == 0
    said = [(e.kind, e.worker, e.run_id, e.text) for e in events]
    first, second = (run.run_id for run in runs)
    assert said == [
        ("start", 0, first, ""),
        ("start", 1, second, ""),
        ("end", 1, second, "val/accuracy 0.500"),
        ("end", 0, first, "val/accuracy 0.500"),
    ]
    assert {r.run_id for r in desk.store.results()} == {first, second}
    assert f"path: {tiny_file}" in (desk.store.run_folder(first) / "run.yaml").read_text()


def test_locked_by_another_sweep(
    desk: Desk, runs: list[Run], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "LOCKED_S", 0.0)
    other = Desk(runs, settings, never_event)
    task = desk.claim(0)
    assert task is not None
    assert task.run == runs[0]
    there = other.claim(0)
    assert there is not None
    assert there.run == runs[1]
    assert other.claim(1) is None
    take(desk, task, parcel_of(desk, runs[0]))
    assert other.claim(1) is None
    assert other.open == 1  # the other sweep did it: it is not waited for any more
    assert desk.claim(0) is None
    other.close()
    again = desk.claim(0)
    assert again is not None
    assert again.run == runs[1]
    desk.close()


def never_event(_: Event) -> None:
    return None


def test_lost_runs_are_given_out_again_and_fail_in_the_end(
    desk: Desk, runs: list[Run], settings: Settings, events: list[Event]
) -> None:
    tickets = set()
    for loss in range(MAX_LOSSES):
        task = desk.claim(loss)
        assert task is not None
        assert task.run == runs[0]  # before those that wait
        tickets.add(task.ticket)
        other = Desk(runs[:1], settings, never_event)
        assert other.claim(0) is None  # it stays ours in between
        desk.lose(task, "node-7")
    assert len(tickets) == MAX_LOSSES
    result = desk.store.read(runs[0].run_id)
    assert result is not None
    assert result.status == "failed"
    assert "its worker died 3 times, the last one on node-7" in str(result.error)
    assert [e.kind for e in events] == ["start", "crash", "start", "crash", "start", "end"]
    assert "its worker on node-7 died; it is done again (1 of 2)" in events[1].text
    assert desk.open == 1


def test_losses_are_counted_over_sweeps_and_say_why(desk: Desk, runs: list[Run], settings: Settings) -> None:
    for _ in range(MAX_LOSSES - 1):
        task = desk.claim(0)
        assert task is not None
        desk.lose(task, "node-7", "it took longer than train.time_limit (2.0 h) and was ended")
    desk.close()
    other = Desk(runs, settings, never_event)
    tasks = [other.claim(0) for _ in runs]
    assert tasks[-1] is not None
    assert tasks[-1].run == runs[0], "what was lost is tried after the others"
    other.lose(tasks[-1], "node-8", "it took longer than train.time_limit (2.0 h) and was ended")
    result = other.store.read(runs[0].run_id)
    assert result is not None
    assert "on node-8: it took longer than train.time_limit (2.0 h) and was ended." in str(result.error)
    other.close()


def test_words_about_an_assignment_that_was_given_up_are_dropped(desk: Desk, events: list[Event]) -> None:
    task = desk.claim(0)
    assert task is not None
    before = task.ticket
    desk.lose(task, "node-7")
    desk.note(Said(before, "progress", "late"), never)
    assert desk.claim(0) is task
    desk.note(Said(before, "progress", "later"), never)
    desk.note(Said(task.ticket, "progress", "epoch 1/2"), never)
    assert [e.text for e in events if e.kind == "progress"] == ["epoch 1/2"]


def test_a_result_that_is_there_already_stays(desk: Desk, runs: list[Run]) -> None:
    task = desk.claim(0)
    assert task is not None
    desk.store.write(result_of(runs[0], desk.dataset, "finished", metrics={"val/accuracy": 1.0}))
    take(desk, task, parcel_of(desk, runs[0], metrics={"val/accuracy": 0.5}))
    found = desk.store.read(runs[0].run_id)
    assert found is not None
    assert found.metrics == {"val/accuracy": 1.0}


def test_rungs_are_decided_in_the_store_of_the_driver(runs: list[Run], settings: Settings) -> None:
    desk = Desk([replace(run, prune=Prune(min_epochs=1, reduction=2)) for run in runs], settings, never_event)
    tasks = [desk.claim(0), desk.claim(1)]
    answers: list[tuple[int, int, bool]] = []
    for task, value in zip(tasks, (0.8, 0.3), strict=True):
        assert task is not None
        for _ in range(2):  # asked again, as after a loss: the same answer
            desk.note(Said(task.ticket, "rung", epoch=1, value=value), lambda *said: answers.append(said))
    assert answers == [(1, 1, True), (1, 1, True), (2, 1, False), (2, 1, False)]
    (file,) = (desk.store.folder / ".rungs").glob("*.jsonl")
    assert len(file.read_text().splitlines()) == 2


def test_curves_go_to_a_tracker_of_the_driver(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []

    class Recorder:
        def log(self, numbers: Mapping[str, float]) -> None:
            said.append(dict(numbers))

        def finish(self, summary: Mapping[str, Any], *, failed: bool = False) -> None:
            said.append((dict(summary), failed))

    monkeypatch.setattr(desk_module, "make_tracker", lambda *_: Recorder())
    task = desk.claim(0)
    assert task is not None
    desk.note(Said(task.ticket, "log", numbers={"epoch": 0}), never)  # it was not begun
    desk.note(Said(task.ticket, "track"), never)
    desk.note(Said(task.ticket, "log", numbers={"epoch": 1}), never)
    desk.lose(task, "node-7")
    assert desk.claim(0) is task
    desk.note(Said(task.ticket, "track"), never)
    desk.note(Said(task.ticket, "finish", numbers={"best": 1}), never)
    desk.close()
    assert said == [{"epoch": 1}, ({}, True), ({"best": 1}, False)]


def test_nothing_is_held_after_the_end(desk: Desk, runs: list[Run], settings: Settings) -> None:
    assert desk.claim(0) is not None
    desk.close()
    other = Desk(runs, settings, never_event)
    assert other.claim(0) is not None
    assert other.claim(0) is not None
    other.close()
