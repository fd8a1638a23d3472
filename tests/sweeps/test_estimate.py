"""Estimates of time and disk: the nearest records count, by epochs and items."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from planned import DATA, plan, record, run

from vsebench.config.schema import Train
from vsebench.runs.store import Store
from vsebench.sweeps.estimate import estimate


def test_nothing_is_known_without_records(tmp_path: Path) -> None:
    result = estimate(plan(run("a")), tmp_path / "none", device="cpu")
    assert result.seconds == {"a0": None}
    assert result.total(2) is None
    assert (result.size, result.records) == (0, 0)


def test_the_same_row_with_another_seed(tmp_path: Path) -> None:
    record(tmp_path, run("a", seed=0))
    record(tmp_path, run("b", fusion="sum"), train_s=1000.0)
    open_run = run("a", seed=1)
    result = estimate(plan(open_run), tmp_path, device="cpu")
    assert result.seconds == {"a1": pytest.approx(23.0)}
    assert result.based_on == {"the same rows": 1}
    assert result.size > 1_000


def test_another_row_by_its_epochs(tmp_path: Path) -> None:
    record(tmp_path, run("a"))
    result = estimate(plan(run("b", fusion="sum", epochs=30)), tmp_path, device="cpu")
    assert result.seconds == {"b0": pytest.approx(3 + 30 * 2.0)}
    assert result.based_on == {"the same encoders": 1}


def test_a_run_that_nothing_trains_takes_what_lies_beside_the_epochs(tmp_path: Path) -> None:
    record(tmp_path, run("a"))
    still = run("b")
    untrained = still.system.model_copy(update={"train": still.system.train.model_copy(update={"epochs": 0})})
    result = estimate(plan(replace(still, system=untrained)), tmp_path, device="cpu")
    assert result.seconds == {"b0": pytest.approx(3.0)}


def test_a_fitted_run_takes_what_another_fit_took(tmp_path: Path) -> None:
    fitted = replace(run("a"), system=run("a").system.model_copy(update={"train": Train(epochs=0)}))
    record(tmp_path, fitted, train_s=20.0, other_s=3.0, epochs=25)
    result = estimate(plan(replace(fitted, run_id="new", seed=1)), tmp_path, device="cpu")
    assert result.seconds == {"new": 23.0}


def test_other_data_by_its_items(tmp_path: Path) -> None:
    more = {**DATA, "fingerprint": "f2", "splits": {"train": 400}}
    record(tmp_path, run("a"))
    result = estimate(plan(run("b"), data=more), tmp_path, device="cpu")
    assert result.seconds == {"b0": pytest.approx(4 * 23.0)}
    assert result.based_on == {"other data": 1}


def test_runs_that_stopped_early_shorten_the_estimate(tmp_path: Path) -> None:
    record(tmp_path, run("a", seed=0), epochs=5, train_s=10.0)
    assert estimate(plan(run("a", seed=1)), tmp_path, device="cpu").seconds == {"a1": pytest.approx(13.0)}


def test_what_a_run_has_done_is_not_done_again(tmp_path: Path) -> None:
    record(tmp_path, run("a", seed=0))
    begun = run("a", seed=1, status="started")
    folder = Store(tmp_path, "e").run_folder("a1")
    folder.mkdir()
    (folder / "history.jsonl").write_text('{"epoch": 1}\n' * 4)
    assert estimate(plan(begun), tmp_path, device="cpu").seconds == {"a1": pytest.approx(3 + 6 * 2.0)}


def test_other_hardware_and_failures_are_no_records(tmp_path: Path) -> None:
    record(tmp_path, run("a", seed=0), hardware={"device": "a GPU"})
    record(tmp_path, run("a", seed=1), status="failed")
    assert estimate(plan(run("a", seed=2)), tmp_path, device="cpu").records == 0


def test_workers_share_but_no_run_is_shared(tmp_path: Path) -> None:
    record(tmp_path, run("a", seed=0))
    runs = [run("a", seed=s) for s in (1, 2, 3)]
    result = estimate(plan(*runs), tmp_path, device="cpu")
    assert result.total(1) == pytest.approx(69.0)
    assert result.total(2) == pytest.approx(34.5)
    assert result.total(8) == pytest.approx(23.0)
