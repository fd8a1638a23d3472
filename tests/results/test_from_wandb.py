"""A board from W&B's runs: whole ones alone, of one dataset, each once; records are as W&B's public API has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import boards
import pytest
from typer.testing import CliRunner

from vsebench.cli.app import app
from vsebench.cli.from_wandb import fetch_boards
from vsebench.core.errors import ConfigError, DataError, VsebenchError
from vsebench.core.types import Result
from vsebench.leaderboard.render import stale
from vsebench.results.from_wandb import EARLIER_KEY, board_of, fetch
from vsebench.results.verify import verify
from vsebench.runs.snapshot import BoardRow, head_of, load
from vsebench.runs.store import as_text
from vsebench.runs.tracking import BOARD_KEY, RESULT_FILE, ROW_KEY, wandb_id

PROJECT = "team/project"


class File:
    """As ``wandb.apis.public.File``."""

    def __init__(self, text: str) -> None:
        self.text = text

    def download(self, root: str, replace: bool) -> TextIO:
        file = Path(root) / RESULT_FILE
        file.write_text(self.text, encoding="utf-8")
        return file.open(encoding="utf-8")


class Run:
    """As ``wandb.apis.public.Run``."""

    def __init__(self, result: Result | None, **changes: Any) -> None:
        self.state = "finished"
        self.job_type: str | None = "run"
        self.group: str | None = boards.NAME
        self.config: dict[str, Any] = {}
        self.stored: dict[str, str] = {}
        self.summary: dict[str, Any] = {}
        self.id = self.name = "run"
        if result is not None:
            self.id, self.name = wandb_id(result.experiment, result.run_id), f"{result.system} · seed {result.seed}"
            where = {"section": "systems", "axes": {}, "select": {"metric": "val/accuracy", "mode": "max"}}
            self.config = {"run_id": result.run_id, "row": result.system, ROW_KEY: {**where, "gallery": "split"}}
            self.stored = {RESULT_FILE: as_text(result)}
        for name, value in changes.items():
            setattr(self, name, value)

    def files(self, names: list[str]) -> Iterator[File]:
        yield from (File(text) for name, text in self.stored.items() if name in names)


class Api:
    """As ``wandb.Api``: it filters by group, and iterates lazily."""

    def __init__(self, *runs: Run) -> None:
        self.stored_ranks = runs

    def runs(self, path: str, filters: dict[str, Any], order: str, lazy: bool) -> Iterator[Run]:
        assert (path, order, lazy) == (PROJECT, "+created_at", False)
        yield from (run for run in self.stored_ranks if filters.get("group") in (None, run.group))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder = tmp_path_factory.mktemp("wandb")
    return [
        boards.run(folder / "runs", row, seed, skill=skill) for row, skill in boards.ROWS.items() for seed in (0, 1)
    ]


def test_the_board_is_the_one_that_the_store_gives(results: list[Result], tmp_path: Path) -> None:
    present = boards.put(tmp_path / "there", boards.snapshot(results))
    head = Run(None, job_type="leaderboard", config={BOARD_KEY: head_of(boards.snapshot(results))})
    fetch_boards(PROJECT, tmp_path / "here", api=Api(*(Run(r) for r in reversed(results)), head))
    here = tmp_path / "here" / "results" / "demo.json"
    plain = [json.loads(file.read_text()) for file in (present, here)]
    assert plain[1].pop("command") == "vsebench leaderboard --from-wandb team/project --group demo"
    assert plain[0].pop("command")
    assert plain[0] == plain[1]
    assert stale(tmp_path / "here") == []


def test_it_is_verified_by_the_runs(results: list[Result], tmp_path: Path) -> None:
    boards.make(tmp_path)
    fetch_boards(PROJECT, tmp_path / "here", api=Api(*(Run(r) for r in results)))
    file = tmp_path / "here" / "results" / "demo.json"
    assert verify(load(file), file, tmp_path / "runs").differences == []


def test_a_run_of_an_earlier_version_has_its_result_in_the_summary(results: list[Result]) -> None:
    (fetched,) = fetch([Run(results[0], stored={}, summary={EARLIER_KEY: as_text(results[0])})])
    assert [as_text(run.result) for run in fetched.runs] == [as_text(results[0])]


def test_without_the_board_s_own_run(results: list[Result]) -> None:
    grid = {"section": "sweep", "axes": {"fusion": "gated"}, "select": {"metric": "val/nll", "mode": "min"}}
    (fetched,) = fetch([Run(r, config={"run_id": r.run_id, ROW_KEY: {**grid, "gallery": "train"}}) for r in results])
    result = board_of(fetched, source=PROJECT)
    assert result.title == "demo: Demo data"
    assert (result.select, result.gallery, result.seeds) == ({"metric": "val/nll", "mode": "min"}, "train", [0, 1])
    assert result.rows[0] == BoardRow(
        "good", "sweep", {"fusion": "gated"}, {"0": results[0].run_id, "1": results[1].run_id}
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stored": {}, "state": "running"}, "it is running; its result comes when it ends"),
        ({"stored": {}, "state": "crashed"}, "it is crashed; its result comes"),
        ({"stored": {"config.yaml": "a: 1"}}, "it has no whole result; it was logged by another version"),
        ({"stored": {RESULT_FILE: "{"}}, "its result is damaged: no JSON"),
        ({"stored": {RESULT_FILE: '{"run_id": 3}'}}, "not a result as it was written: it lacks 'experiment', 'system'"),
        ({"stored": {RESULT_FILE: '["x"]'}}, "its result is damaged: "),
        ({"group": "other"}, "its result is of experiment 'demo'"),
        ({"config": {"run_id": "f" * 16}}, "its configuration of run ffff"),
    ],
)
def test_incomplete_runs_are_named(results: list[Result], change: dict[str, Any], reason: str) -> None:
    result = fetch([Run(results[0]), Run(results[1], **change)])
    skipped = [one for fetched in result for one in fetched.skipped]
    assert len(skipped) == 1
    assert reason in skipped[0].reason
    assert skipped[0].name == "good · seed 1"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"metrics": {"test/accuracy": "0.9"}}, "'metrics.test/accuracy' must be a valid number, is '0.9'"),
        (
            {"dataset": {"fingerprint": None, "name": "x", "title": "x", "splits": {}}},
            "'dataset.fingerprint' must be a valid string, is None",
        ),
        ({"parameters": {}}, "it does not count parameters, 'total' and 'trained'"),
        ({"seed": None}, "'seed' must be a valid integer, is None"),
        ({"config": "x"}, "'config' must be a valid dictionary or instance of Config, is 'x'"),
    ],
)
def test_a_result_of_the_wrong_kind_is_damaged(results: list[Result], change: dict[str, Any], fault: str) -> None:
    (fetched,) = fetch([Run(replace(results[0], **change))])
    (skipped,) = fetched.skipped
    assert skipped.reason.startswith("its result is damaged: ")
    assert fault in skipped.reason


def test_failed_and_pruned_runs(results: list[Result]) -> None:
    failed = replace(results[0], status="failed", error="x")
    pruned = replace(results[1], status="pruned", parameters={}, metrics={"val/accuracy": 0.5}, metric_versions={})
    (fetched,) = fetch([Run(failed), Run(pruned), Run(results[2])])
    assert [one.reason for one in fetched.skipped] == ["its result is failed"]
    assert set(board_of(fetched).results) == {pruned.run_id, results[2].run_id}


def test_other_datasets_are_refused_until_one_is_chosen(results: list[Result]) -> None:
    other = replace(results[1], dataset={**boards.DATA, "fingerprint": "0" * 16})
    runs = [Run(results[0]), Run(results[2]), Run(other)]
    (fetched,) = fetch(runs)
    with pytest.raises(DataError, match=rf"fingerprints {'f1' * 8} \(2 runs\), {'0' * 16} \(1 runs\). Choose one with"):
        board_of(fetched)
    (fetched,) = fetch(runs)
    assert set(board_of(fetched, fingerprint="f1" * 8).results) == {results[0].run_id, results[2].run_id}
    assert [one.reason for one in fetched.skipped] == [f"it is of dataset {'0' * 16}"]
    (fetched,) = fetch(runs)
    with pytest.raises(DataError, match="has no run of 'demo' with a whole result"):
        board_of(fetched, fingerprint="1" * 16)


def test_other_metric_versions_are_refused(results: list[Result]) -> None:
    (fetched,) = fetch([Run(results[0]), Run(replace(results[1], metric_versions={"accuracy": 2}))])
    with pytest.raises(DataError, match="different metric versions cannot share a table"):
        board_of(fetched)


def test_one_run_twice(results: list[Result]) -> None:
    (fetched,) = fetch([Run(results[0]), Run(results[0], id="again"), Run(results[1])])
    assert len(board_of(fetched).results) == 2
    assert fetched.duplicates == 1
    moved = replace(results[0], metrics={**results[0].metrics, "test/nll": 9.0})
    (fetched,) = fetch([Run(results[0]), Run(moved, id="again")])
    with pytest.raises(DataError, match=r"is there twice with other numbers: test/nll is .* and 9.0 in again"):
        board_of(fetched)


def test_the_latest_run_of_a_row_and_seed_stands(results: list[Result]) -> None:
    later = replace(results[0], run_id="e" * 16, finished_at="2026-05-01T00:00:00+00:00")
    (fetched,) = fetch([Run(results[0]), Run(later)])
    assert set(board_of(fetched).results) == {later.run_id}
    assert [one.reason for one in fetched.skipped] == [f"row 'good', seed 0 has a later run (demo-{'e' * 16})"]


def test_nothing_is_lost(results: list[Result], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = boards.put(tmp_path, boards.snapshot(results))
    before = file.read_bytes()
    api = Api(*(Run(r) for r in results[:2]), Run(None, state="running", name="a\nb"), Run(None, group=None))
    with pytest.raises(DataError, match="this board has 2 runs that team/project has not"):
        fetch_boards(PROJECT, tmp_path, api=api)
    assert file.read_bytes() == before
    fetch_boards(PROJECT, tmp_path, replace=True, api=api)
    assert len(load(file).results) == 2
    message = capsys.readouterr().out
    assert "demo: 1 rows, 2 runs" in message
    assert "skipped a b (run): it is running" in message


def test_several_experiments_and_one(results: list[Result], tmp_path: Path) -> None:
    other = replace(results[0], experiment="other")
    api = Api(Run(results[0]), Run(other, group="other"))
    fetch_boards(PROJECT, tmp_path / "all", api=api)
    assert sorted(f.stem for f in (tmp_path / "all" / "results").iterdir()) == ["demo", "other"]
    fetch_boards(PROJECT, tmp_path / "one", group="other", api=api)
    assert sorted(f.stem for f in (tmp_path / "one" / "results").iterdir()) == ["other"]


def test_what_cannot_be_asked(results: list[Result], tmp_path: Path) -> None:
    class Broken(Api):
        def runs(self, path: str, filters: dict[str, Any], order: str, lazy: bool) -> Iterator[Run]:
            raise ValueError("Could not find project\nmore")
            yield

    with pytest.raises(DataError, match=r"W&B cannot be asked for the runs of team/project: Could not find project$"):
        fetch_boards(PROJECT, tmp_path, api=Broken())
    with pytest.raises(DataError, match="has no runs of group 'x'"):
        fetch_boards(PROJECT, tmp_path, group="x", api=Api(Run(results[0])))
    with pytest.raises(ConfigError, match="written ENTITY/PROJECT. Got 'project'"):
        fetch_boards("project", tmp_path, api=Api())
    hostile = replace(results[0], experiment="../x")
    with pytest.raises(DataError, match=r"team/project: .*'experiment' must be a plain name, but has '/' in it"):
        fetch_boards(PROJECT, tmp_path / "board", api=Api(Run(hostile, group="../x")))
    elsewhere = replace(results[0], run_id="/x")
    with pytest.raises(
        DataError, match=r"(?s)team/project .*'run_id' must be a plain name, but has '/' in it, is '/x'"
    ):
        fetch_boards(PROJECT, tmp_path / "board", api=Api(Run(elsewhere)))
    assert not (tmp_path / "x.json").exists()
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--group", "x"], "--group goes with --from-wandb"),
        (["--from-wandb", "a/b", "--check"], "neither with --check nor with names"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], text: str) -> None:
    done = CliRunner().invoke(app, ["leaderboard", *arguments])
    assert isinstance(done.exception, VsebenchError)
    assert text in str(done.exception)
