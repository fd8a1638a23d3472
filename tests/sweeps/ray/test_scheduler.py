"""The driver's side of runs that are done elsewhere: given out once at a time, recorded once, whatever is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vsebench.config.experiment import load_experiment
from vsebench.config.schema import Prune
from vsebench.core.types import Result
from vsebench.data.dataset import Dataset
from vsebench.runs.provenance import result_of
from vsebench.runs.store import Store
from vsebench.sweeps.plan import Run, make_plan
from vsebench.sweeps.ray import scheduler as desk_module
from vsebench.sweeps.ray.artifacts import ArtifactBundle
from vsebench.sweeps.ray.bus import Message
from vsebench.sweeps.ray.scheduler import MAX_LOSSES, Scheduler
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
def scheduler(runs: list[Run], settings: Settings, events: list[Event]) -> Scheduler:
    return Scheduler(runs, settings, events.append)


def never(*_: Any) -> None:
    raise AssertionError("nobody asked")


def bundle_of(scheduler: Scheduler, run: Run, **parts: Any) -> ArtifactBundle:
    return ArtifactBundle(result_of(run, scheduler.dataset, "finished", **parts), {"history.jsonl": [b"{}\n"]})


def take(scheduler: Scheduler, run: Any, bundle: ArtifactBundle) -> None:
    scheduler.take(run, bundle, lambda piece: piece)


def test_runs_go_out_in_order_and_come_back(
    scheduler: Scheduler, runs: list[Run], events: list[Event], tiny_file: Path
) -> None:
    tasks = [scheduler.claim(0), scheduler.claim(1)]
    assert [task and task.run for task in tasks] == runs
    assert scheduler.claim(2) is None
    assert scheduler.open == 2
    for task, run in zip(reversed(tasks), reversed(runs), strict=True):
        take(scheduler, task, bundle_of(scheduler, run, metrics={"val/accuracy": 0.5}))
    assert scheduler.open == 0
    lines = [(e.kind, e.worker, e.run_id, e.text) for e in events]
    first, second = (run.run_id for run in runs)
    assert lines == [
        ("start", 0, first, ""),
        ("start", 1, second, ""),
        ("end", 1, second, "val/accuracy 0.500"),
        ("end", 0, first, "val/accuracy 0.500"),
    ]
    assert {r.run_id for r in scheduler.store.results()} == {first, second}
    assert f"path: {tiny_file}" in (scheduler.store.run_folder(first) / "run.yaml").read_text()


def test_locked_by_another_sweep(
    scheduler: Scheduler, runs: list[Run], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "LOCKED_S", 0.0)
    other = Scheduler(runs, settings, never_event)
    task = scheduler.claim(0)
    assert task is not None
    assert task.run == runs[0]
    present = other.claim(0)
    assert present is not None
    assert present.run == runs[1]
    assert other.claim(1) is None
    take(scheduler, task, bundle_of(scheduler, runs[0]))
    assert other.claim(1) is None
    assert other.open == 1  # the other sweep did it: it is not waited for any more
    assert scheduler.claim(0) is None
    other.close()
    again = scheduler.claim(0)
    assert again is not None
    assert again.run == runs[1]
    scheduler.close()


def never_event(_: Event) -> None:
    return None


def test_lost_runs_are_given_out_again_and_fail_in_the_end(
    scheduler: Scheduler, runs: list[Run], settings: Settings, events: list[Event]
) -> None:
    assignments = set()
    for loss in range(MAX_LOSSES):
        task = scheduler.claim(loss)
        assert task is not None
        assert task.run == runs[0]  # before those that wait
        assignments.add(task.assignment)
        other = Scheduler(runs[:1], settings, never_event)
        assert other.claim(0) is None  # it stays ours in between
        scheduler.lose(task, "node-7")
    assert len(assignments) == MAX_LOSSES
    result = scheduler.store.read(runs[0].run_id)
    assert result is not None
    assert result.status == "failed"
    assert "its worker died 3 times, the last one on node-7" in str(result.error)
    assert [e.kind for e in events] == ["start", "crash", "start", "crash", "start", "end"]
    assert "its worker on node-7 died; it is done again (1 of 2)" in events[1].text
    assert scheduler.open == 1


def test_losses_are_counted_over_sweeps_and_say_why(scheduler: Scheduler, runs: list[Run], settings: Settings) -> None:
    for _ in range(MAX_LOSSES - 1):
        task = scheduler.claim(0)
        assert task is not None
        scheduler.lose(task, "node-7", "it took longer than train.time_limit (2.0 h) and was ended")
    scheduler.close()
    other = Scheduler(runs, settings, never_event)
    tasks = [other.claim(0) for _ in runs]
    assert tasks[-1] is not None
    assert tasks[-1].run == runs[0], "what was lost is tried after the others"
    other.lose(tasks[-1], "node-8", "it took longer than train.time_limit (2.0 h) and was ended")
    result = other.store.read(runs[0].run_id)
    assert result is not None
    assert "on node-8: it took longer than train.time_limit (2.0 h) and was ended." in str(result.error)
    other.close()


def test_words_about_an_assignment_that_was_given_up_are_dropped(scheduler: Scheduler, events: list[Event]) -> None:
    task = scheduler.claim(0)
    assert task is not None
    before = task.assignment
    scheduler.lose(task, "node-7")
    scheduler.note(Message(before, "progress", "late"), never)
    assert scheduler.claim(0) is task
    scheduler.note(Message(before, "progress", "later"), never)
    scheduler.note(Message(task.assignment, "progress", "epoch 1/2"), never)
    assert [e.text for e in events if e.kind == "progress"] == ["epoch 1/2"]


def test_a_result_that_is_there_already_stays(scheduler: Scheduler, runs: list[Run]) -> None:
    task = scheduler.claim(0)
    assert task is not None
    scheduler.store.write(result_of(runs[0], scheduler.dataset, "finished", metrics={"val/accuracy": 1.0}))
    take(scheduler, task, bundle_of(scheduler, runs[0], metrics={"val/accuracy": 0.5}))
    result = scheduler.store.read(runs[0].run_id)
    assert result is not None
    assert result.metrics == {"val/accuracy": 1.0}


def test_rungs_are_decided_in_the_store_of_the_driver(runs: list[Run], settings: Settings) -> None:
    scheduler = Scheduler([replace(run, prune=Prune(min_epochs=1, reduction=2)) for run in runs], settings, never_event)
    tasks = [scheduler.claim(0), scheduler.claim(1)]
    answers: list[tuple[int, int, bool]] = []
    for task, value in zip(tasks, (0.8, 0.3), strict=True):
        assert task is not None
        for _ in range(2):  # asked again, as after a loss: the same answer
            scheduler.note(
                Message(task.assignment, "rung", epoch=1, value=value), lambda *message: answers.append(message)
            )
    assert answers == [(1, 1, True), (1, 1, True), (2, 1, False), (2, 1, False)]
    (file,) = (scheduler.store.folder / ".rungs").glob("*.jsonl")
    assert len(file.read_text().splitlines()) == 2


def test_curves_go_to_a_tracker_of_the_driver(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[Any] = []

    class Recorder:
        def log(self, numbers: Mapping[str, float]) -> None:
            lines.append(dict(numbers))

        def finish(self, result: Result | None) -> None:
            lines.append(result and result.error)

    monkeypatch.setattr(desk_module, "make_tracker", lambda *_: Recorder())
    task = scheduler.claim(0)
    assert task is not None
    scheduler.note(Message(task.assignment, "log", numbers={"epoch": 0}), never)  # it was not begun
    scheduler.note(Message(task.assignment, "track"), never)
    scheduler.note(Message(task.assignment, "log", numbers={"epoch": 1}), never)
    scheduler.lose(task, "node-7")
    assert scheduler.claim(0) is task
    scheduler.note(Message(task.assignment, "track"), never)
    scheduler.fail(task, "no luck")  # its result, with all files, is what the tracker is closed with
    scheduler.close()
    assert lines == [{"epoch": 1}, None, "no luck"]


def test_nothing_is_held_after_the_end(scheduler: Scheduler, runs: list[Run], settings: Settings) -> None:
    assert scheduler.claim(0) is not None
    scheduler.close()
    other = Scheduler(runs, settings, never_event)
    assert other.claim(0) is not None
    assert other.claim(0) is not None
    other.close()
