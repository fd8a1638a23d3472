"""Rows of equal configuration share a run, and each of them can be named."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vsebench.sweeps.run
from vsebench.config.experiment import load_experiment
from vsebench.core.errors import DataError
from vsebench.core.files import write_atomically
from vsebench.data.open import open_dataset
from vsebench.pipeline import sweep_to_board
from vsebench.runs.find import find_run, row_runs
from vsebench.runs.provenance import result_of, write_run_file
from vsebench.runs.store import HISTORY, ROWS, RUN, Store
from vsebench.sweeps.plan import Run
from vsebench.sweeps.worker import Settings

Write = Callable[[Any], Path]


@pytest.fixture
def swept(write_experiment: Write, tiny_experiment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A sweep of three rows of which two are equal, without any training. The seeds differ in validation NLL."""
    both = tiny_experiment["systems"]["both"]
    tiny_experiment["systems"] |= {"again": copy.deepcopy(both)}
    tiny_experiment |= {"seeds": [0, 1], "select": {"metric": "val/nll"}}
    experiment = load_experiment(write_experiment(tiny_experiment))
    dataset = open_dataset(experiment.spec.dataset)
    store = Store(tmp_path / "runs", "tiny")

    def pretend(runs: list[Run], settings: Settings, **_: Any) -> None:
        for run in {run.run_id: run for run in reversed(runs)}.values():  # each once, under the first row's name
            folder = store.run_folder(run.run_id)
            folder.mkdir(parents=True, exist_ok=True)
            write_run_file(folder / RUN, run, dataset)
            # What chose the epoch is no metric of the board: the history has it.
            write_atomically(folder / HISTORY, json.dumps({"epoch": 1, "val/nll": 1.0 - run.seed / 2}) + "\n")
            parts = {"metrics": {"val/accuracy": 0.5}, "epochs": 1, "best_epoch": 1}
            store.write(result_of(run, dataset, "finished", parameters={"total": 1, "trained": 1}, **parts))

    monkeypatch.setattr(vsebench.sweeps.run, "run_all", pretend)
    settings = Settings(store_root=tmp_path / "runs", dataset_path=dataset.path, device="cpu")
    sweep_to_board(experiment, dataset, settings=settings, workers=1, board_folder=tmp_path / "board", command="sweep")
    return store


def test_every_row_that_shares_a_run_can_be_named(swept: Store) -> None:
    root = swept.folder.parent
    assert {r.system for r in swept.results()} == {"image only", "both"}
    assert swept.rows() == ["again", "both", "image only"]
    assert row_runs("tiny/again", root) == row_runs("tiny/both", root)
    assert set(row_runs("tiny/again", root)) == {0, 1}
    folder = find_run("tiny/again", root)
    assert folder == find_run("tiny/both", root) == row_runs("tiny/both", root)[1], "val/nll is best when lowest"
    with pytest.raises(DataError, match="Did you mean 'again'\\? Rows: again, both, image only"):
        find_run("tiny/agian", root)


def test_names_of_rows_that_are_damaged_only_add_nothing(swept: Store) -> None:
    for text in ("{", "[]", '{"again": 3}', '{"again": {"0": "../../elsewhere"}}', '{"again": {"0": ["x"]}}'):
        (swept.folder / ROWS).write_text(text)
        assert swept.rows() == ["both", "image only"]
        assert find_run("tiny/both", swept.folder.parent).is_dir()


def test_the_latest_plan_says_which_runs_are_a_rows(swept: Store) -> None:
    (alone,) = [r.run_id for r in swept.results() if r.system == "image only" and r.seed == 0]
    swept.note_rows({"both": {"0": alone}})
    assert [r.run_id for r in swept.finished_of("both")] == [alone]
    swept.note_rows({"both": {"0": "0" * 16}})  # planned, and not finished: those of the name before
    assert {r.system for r in swept.finished_of("both")} == {"both"}
