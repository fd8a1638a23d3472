"""Results of several people as one board: united, counted once, refused where they do not belong together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import boards
import pytest
from typer.testing import CliRunner

from vsebench.cli.app import app
from vsebench.cli.results import merge as merge_command
from vsebench.core.errors import ConfigError, DataError
from vsebench.core.types import Result
from vsebench.leaderboard.collect import update
from vsebench.leaderboard.render import stale
from vsebench.results.merge import Origin, merge
from vsebench.runs.item_scores import items_file, load_for
from vsebench.runs.snapshot import BoardRow, Snapshot, load, results_file, save


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Result]:
    folder = tmp_path_factory.mktemp("runs")
    return {(row, seed): boards.run(folder, row, seed, skill=1.0) for row in ("a", "b") for seed in (0, 1)}


Runs = dict[tuple[str, int], Result]


def origin(name: str, *results: Result, **changes: Any) -> Origin:
    return Origin(name, boards.snapshot(results, **changes))


def moved(result: Result, key: str, factor: float) -> Result:
    return replace(result, metrics={**result.metrics, key: result.metrics[key] * factor})


def test_rows_and_seeds_are_united(runs: Runs) -> None:
    one = origin("one.json", runs["a", 0], runs["b", 0])
    two = origin("two.json", runs["b", 1], runs["b", 0], runs["a", 1], title="Another")
    merged = merge([one, two])
    assert merged.snapshot.seeds == [0, 1]
    assert [(row.name, list(row.runs)) for row in merged.snapshot.rows] == [("a", ["0", "1"]), ("b", ["0", "1"])]
    assert set(merged.snapshot.results) == {r.run_id for r in runs.values()}
    assert (merged.duplicates, merged.came, merged.settled) == (1, {"one.json": 2, "two.json": 2}, [])
    assert merged.snapshot.title == one.snapshot.title
    assert merged.notes == ["title differs in two.json; that of one.json stands"]


def test_other_machines_times_are_no_conflict(runs: Runs) -> None:
    again = replace(runs["a", 0], train_s=99.0, hardware={"device": "other"}, commit="x", finished_at="later")
    merged = merge([origin("one", runs["a", 0]), origin("two", again)])
    assert merged.duplicates == 1
    assert merged.snapshot.results[again.run_id].train_s == runs["a", 0].train_s


def test_measures_are_united(runs: Runs) -> None:
    run = runs["a", 0].run_id
    one = origin("one", runs["a", 0], measures={run: {"cost": {"ms": 1.0}}})
    two = origin("two", runs["a", 0], measures={run: {"cost": {"ms": 2.0}, "parts": {"image": 0.1}}, "gone": {}})
    assert merge([one, two]).snapshot.measures == {run: {"cost": {"ms": 1.0}, "parts": {"image": 0.1}}}


def test_other_numbers_are_a_conflict(runs: Runs) -> None:
    key = "test/nll"
    mine, yours = runs["a", 0], moved(runs["a", 0], key, 1.001)
    origins = [origin("mine.json", mine), origin("yours.json", yours)]
    with pytest.raises(DataError) as error:
        merge(origins)
    message = f"{mine.metrics[key]} in mine.json; {yours.metrics[key]} in yours.json"
    assert f"run {mine.run_id} (a, seed 0), {key}: {message}" in str(error.value)
    assert "nothing was written" in str(error.value)
    for prefer, selected in {"first": mine, "last": yours, "mine.json": mine, "yours.json": yours}.items():
        merged = merge(origins, prefer=prefer)
        assert merged.snapshot.results[mine.run_id].metrics == selected.metrics
        assert len(merged.settled) == 1
    assert merge(origins, tolerance=0.01).settled == []
    near = origin("near.json", moved(runs["a", 0], key, 1 + 2e-6))
    assert merge([origins[0], near]).duplicates == 1
    with pytest.raises(ConfigError, match="--prefer 'mine.jsn' is none of the files .* Did you mean 'mine.json'"):
        merge(origins, prefer="mine.jsn")


def test_a_number_that_one_lacks_is_a_conflict(runs: Runs) -> None:
    less = {k: v for k, v in runs["a", 0].metrics.items() if k != "test/nll"}
    with pytest.raises(DataError, match=r"test/nll: .* in one; \(absent\) in two"):
        merge([origin("one", runs["a", 0]), origin("two", replace(runs["a", 0], metrics=less))])


def test_slices_that_one_s_dataset_does_not_name_are_no_conflict(runs: Runs) -> None:
    key = "test/slice/kind=easy/accuracy"
    mine, yours = (replace(runs["a", 0], metrics={**runs["a", 0].metrics, key: value}) for value in (0.5, 0.75))
    assert merge([origin("one", mine), origin("two", runs["a", 0])]).snapshot.results[mine.run_id] == mine
    with pytest.raises(DataError, match=f"{key}: 0.5 in one; 0.75 in two"):
        merge([origin("one", mine), origin("two", yours)])


def test_a_row_that_is_another_run_is_a_conflict(runs: Runs) -> None:
    other = replace(runs["a", 0], run_id="f" * 16)
    origins = [origin("one", runs["a", 0]), origin("two", other)]
    with pytest.raises(DataError, match=f"row 'a', seed 0: run {runs['a', 0].run_id} in one; run f+ in two"):
        merge(origins)
    merged = merge(origins, prefer="two")
    assert merged.snapshot.rows == [BoardRow("a", "systems", {}, {"0": other.run_id})]
    assert set(merged.snapshot.results) == {other.run_id}, "a run that no row has is no part of the board"


def test_another_place_in_the_grid_is_a_conflict(runs: Runs) -> None:
    rows = [[BoardRow("a", "sweep", {"fusion": name}, {"0": runs["a", 0].run_id})] for name in ("gated", "sum")]
    with pytest.raises(DataError, match="row 'a', its place in the grid"):
        merge([origin(str(i), runs["a", 0], rows=one) for i, one in enumerate(rows)])


def test_what_got_further_stands(runs: Runs) -> None:
    failed = replace(runs["a", 0], status="failed", metrics={}, error="out of memory")
    for order in ([failed, runs["a", 0]], [runs["a", 0], failed]):
        merged = merge([origin(str(i), one) for i, one in enumerate(order)])
        assert merged.snapshot.results[failed.run_id].status == "finished"
        assert merged.settled == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": {**boards.DATA, "fingerprint": "0" * 16}}, r"dataset \(fingerprint\) is f1.* in one and 0000"),
        ({"experiment": "other"}, "experiment is demo in one and other in two"),
        ({"select": {"metric": "val/nll", "mode": "min"}}, "choice of the epoch is val/accuracy, max in one"),
        ({"gallery": "train"}, "gallery is split in one and train in two"),
        ({"form": "indexes"}, "kind of board is systems in one"),
    ],
)
def test_what_cannot_share_a_board_is_refused(runs: Runs, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        merge([origin("one", runs["a", 0]), origin("two", runs["b", 0], **change)], prefer="first")


def test_other_metric_versions_are_refused(runs: Runs) -> None:
    versions = {**runs["b", 0].metric_versions, "map": 2}
    with pytest.raises(DataError, match=r"map 1 and 2 \(run a.* in one, run b.* in two\)"):
        merge([origin("one", runs["a", 0]), origin("two", replace(runs["b", 0], metric_versions=versions))])


def written(folder: Path, name: str, content: Snapshot) -> Path:
    file = folder / name
    save(content, file)
    return file


def test_as_it_is_printed(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``vsebench results merge A B``: into the leaderboards of the folder where it is given, as other commands."""
    written(tmp_path, "A.json", boards.snapshot([runs["a", 0]]))
    written(tmp_path, "B.json", boards.snapshot([runs["b", 1]]))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["results", "merge", "A.json", "B.json"])
    assert done.exit_code == 0, done.output
    assert set(load(tmp_path / "leaderboard" / "results" / "demo.json").results) == {
        runs[key].run_id for key in (("a", 0), ("b", 1))
    }


def test_the_command_writes_the_board(runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = written(tmp_path, "mine.json", boards.snapshot([runs["a", 0], runs["b", 0]]))
    yours = written(tmp_path, "yours.json", boards.snapshot([runs["a", 1], runs["b", 0]]))
    board = tmp_path / "board"
    boards.put(board, boards.snapshot([runs["b", 1]]))
    merge_command((mine, yours), board, None, 1e-5)
    file = board / "results" / "demo.json"
    assert set(load(file).results) == {r.run_id for r in runs.values()}, "what the board had stays"
    assert stale(board) == []
    message = capsys.readouterr().out
    assert "demo: 2 rows, 4 runs, seeds 0, 1" in message
    assert f"1 runs from {file}" in message
    before = file.read_bytes()
    merge_command((mine, yours, file), board, None, 1e-5)
    assert file.read_bytes() == before, "merging again changes nothing"
    other = written(tmp_path, "other.json", boards.snapshot([moved(runs["a", 0], "test/nll", 2)]))
    with pytest.raises(DataError, match="1 conflicts; nothing was written"):
        merge_command((other,), board, None, 1e-5)
    assert file.read_bytes() == before
    merge_command((other,), board, "first", 1e-5)
    assert "settled: run" in capsys.readouterr().out
    assert load(file).results[runs["a", 0].run_id].metrics["test/nll"] == load(other).results[
        runs["a", 0].run_id
    ].metrics["test/nll"]  # fmt: skip


def test_outcomes_are_united(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = {(row, seed): boards.run(tmp_path / "runs", row, seed) for row in ("a", "b") for seed in (0, 1)}
    files = []
    for name, some in (("mine", [("a", 0), ("b", 0)]), ("yours", [("a", 1), ("b", 1), ("b", 0)])):
        part = boards.snapshot([made[key] for key in some])
        boards.put(tmp_path / name, part)
        update(part, tmp_path / "runs", tmp_path / name)
        files.append(results_file(tmp_path / name, boards.NAME))
    merge_command(tuple(files), tmp_path / "board", None, 1e-5)
    whole = load(results_file(tmp_path / "board", boards.NAME))
    result = load_for(whole, tmp_path / "board")
    assert result is not None
    assert result.runs == {r.run_id for r in made.values()}
    update(whole, tmp_path / "runs", tmp_path / "at_once")
    joined, at_once = (items_file(tmp_path / name, boards.NAME).read_bytes() for name in ("board", "at_once"))
    assert joined == at_once
    assert "per-item" not in capsys.readouterr().out
    items_file(tmp_path / "yours", boards.NAME).unlink()
    merge_command(tuple(files), tmp_path / "other", None, 1e-5)
    assert "note: 2 runs have no per-item outcomes" in capsys.readouterr().out


def test_a_name_that_leaves_the_folder_is_refused(runs: Runs, tmp_path: Path) -> None:
    file = written(tmp_path, "x.json", boards.snapshot([runs["a", 0]], experiment="../../x"))
    with pytest.raises(DataError, match=r"'experiment' must be a plain name, but has '/' in it"):
        merge_command((file,), tmp_path / "board", None, 1e-5)
