"""Finished runs combined: from the folders to the row on the board."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from combine_runs import CNN, do, experiment_of, write_dataset
from commands import vsebench

from vsebench.cli.combine import combine as combine_command
from vsebench.cli.combine import groups_of
from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ConfigError, DataError
from vsebench.core.types import Result
from vsebench.engine.evaluate import predict, predictions_of
from vsebench.engine.loader import Loader
from vsebench.leaderboard.render import stale
from vsebench.results.ensembles.make import Recipe, combination_id, combine, parse_weights
from vsebench.runs.find import find_run
from vsebench.runs.load import LoadedRun, load_run
from vsebench.runs.predictions import load_predictions
from vsebench.runs.snapshot import load, results_file
from vsebench.runs.store import Store

SELECT = ("val/rsum", "max")


def run_of(swept: Path, row: str, seed: int = 0) -> LoadedRun:
    store = Store(swept / "runs", "pairs")
    (results,) = [r.run_id for r in store.results() if (r.system, r.seed) == (row, seed)]
    return load_run(store.run_folder(results))


def recipe(weights: tuple[float, ...] | None = (0.5, 0.5), rule: Any = "zscore", name: str = "both") -> Recipe:
    return Recipe(name, rule, weights, SELECT)


def pairs_of(run: LoadedRun, split: str = "test") -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Caption by caption of each item: whose it is, its number, and what each direction scores."""
    loader = Loader(run.open_dataset(), split, run.system, run.model.encoders)
    outputs = predict(run.model, loader, device=run.device)
    result = predictions_of(outputs, loader, run.model, device=run.device)
    captions = sorted(range(len(outputs.owner)), key=lambda c: int(outputs.owner[c]))
    scores = {d: result.score_rows(d)(slice(None)) for d in ("i2t", "t2i")}
    return outputs.owner[captions], outputs.owner, {"i2t": scores["i2t"][:, captions], "t2i": scores["t2i"][captions]}


@pytest.mark.parametrize("rows", [("words", "gru"), ("scan", "again"), ("gru", "scan")])
def test_the_numbers_are_those_of_the_sum(swept: Path, tmp_path: Path, rows: tuple[str, str]) -> None:
    """Test recall of the z-scored sum, query by query from each run's own scores."""
    runs = [run_of(swept, row) for row in rows]
    result = combine(runs, recipe((0.75, 0.25)), Store(tmp_path, "pairs"))
    parts = [pairs_of(run) for run in runs]
    owner = parts[0][0]
    assert np.array_equal(owner, parts[1][0])
    for direction in ("i2t", "t2i"):
        hits = []
        for q in range(len(parts[0][2][direction])):
            rows_of = [p[2][direction][q].astype(np.float64) for p in parts]
            total = sum(w * (s - s.mean()) / s.std() for w, s in zip((0.75, 0.25), rows_of, strict=True))
            right = owner == q if direction == "i2t" else np.arange(len(total)) == owner[q]
            above = int((total > total[right].max()).sum())
            hits.append(above < 5)
        assert result.metrics[f"test/{direction}/recall@5"] == pytest.approx(np.mean(hits))


def test_runs_rank_captions_in_orders_of_their_own(swept: Path) -> None:
    """Without this, the test above would not see that captions are put in one order."""
    orders = [pairs_of(run_of(swept, row))[1] for row in ("words", "gru")]
    assert sorted(orders[0]) == sorted(orders[1])
    assert not np.array_equal(*orders)


@pytest.mark.parametrize("rule", ["none", "zscore"])
def test_a_run_alone_gives_its_own_numbers(swept: Path, tmp_path: Path, rule: str) -> None:
    for row in ("gru", "scan", "again"):
        current, other = run_of(swept, row), run_of(swept, "words")
        result = combine([current, other], recipe((1.0, 0.0), rule), Store(tmp_path / row, "pairs"))
        wanted = {k: v for k, v in current.result.metrics.items() if not k.startswith("val/loss")}
        assert dict(result.metrics) == pytest.approx(wanted)
        assert any("/slice/half=first/" in key for key in wanted)


def test_a_result_says_what_it_is_made_of(swept: Path, tmp_path: Path) -> None:
    runs, store = [run_of(swept, "gru"), run_of(swept, "scan")], Store(tmp_path, "pairs")
    result = combine(runs, recipe(None), store)
    assert store.read(result.run_id) == result
    assert result.run_id == combination_id(runs, recipe(None)) != combination_id(runs, recipe())
    assert result.ranking["by"] == "gru + scan (zscore, weights chosen on validation)"
    assert [part["run_id"] for part in result.ranking["combined"]] == [run.run_id for run in runs]
    assert sum(result.ranking["weights"]) == pytest.approx(1)
    assert result.ranking["ms_per_query"] > 0
    for count in ("total", "trained"):
        assert result.parameters[count] == sum(run.result.parameters[count] for run in runs)
    assert result.test_evaluations == 1
    assert "chosen on validation, where val/rsum is" in result.notes[0]
    assert f"{result.metrics['val/rsum']:.4g}" in result.notes[0]
    best = max(run.result.metrics["val/rsum"] for run in runs)
    assert result.metrics["val/rsum"] >= best - 1e-9  # the grid has each run alone
    stored = load_predictions(store.run_folder(result.run_id), "test")
    assert float(stored.stored_ranks["i2t"].hit(5).mean()) == pytest.approx(result.metrics["test/i2t/recall@5"])
    with pytest.raises(DataError, match="a combination of runs, which has no model of its own"):
        load_run(find_run("pairs/both", tmp_path))


def copy_of(swept: Path, tmp_path: Path) -> Path:
    shutil.copytree(swept / "runs", tmp_path / "runs")
    shutil.copytree(swept / "board", tmp_path / "board")
    return tmp_path


def command(folder: Path, *text: str, **changes: Any) -> None:
    folders = {"runs": folder / "runs", "board": folder / "board"}
    combine_command(list(text), **{**folders, "device": "cpu", **changes})


def test_rows_are_combined_seed_by_seed_and_stay_on_the_board(
    swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of(swept, tmp_path)
    command(folder, "pairs/gru", "pairs/scan", name="GRU | SCAN")
    page = (folder / "board" / "pairs.md").read_text()
    assert "| GRU \\| SCAN" in page
    assert "gru + scan (zscore, equal weights)" in page
    results = load(results_file(folder / "board", "pairs"))
    (row,) = [r for r in results.rows if r.name == "GRU | SCAN"]
    assert sorted(row.runs) == ["0", "1"]
    assert stale(folder / "board") == []
    # The same again is there already; a sweep keeps the row; other settings replace it.
    command(folder, "pairs/gru", "pairs/scan", name="GRU | SCAN")
    assert capsys.readouterr().out.count("(done before)") == 2
    assert (folder / "board" / "pairs.md").read_text() == page
    do(swept / "pairs.yaml", folder)
    assert (folder / "board" / "pairs.md").read_text() == page
    command(folder, "pairs/gru", "pairs/scan", name="GRU | SCAN", normalize="rank", weights="3,1")
    page = (folder / "board" / "pairs.md").read_text()
    assert "gru + scan (rank, weights 0.75, 0.25)" in page
    assert "equal weights" not in page
    do(swept / "pairs.yaml", folder)
    assert (folder / "board" / "pairs.md").read_text() == page


@pytest.mark.slow
def test_as_a_user_types_it(swept: Path, tmp_path: Path) -> None:
    folder = copy_of(swept, tmp_path)
    lines = ["pairs/gru", "pairs/words", "--weights", "auto", "--select", "val/rsum", "--name", "both"]
    places = ["--runs", str(folder / "runs"), "--board", str(folder / "board")]
    done = vsebench("combine", *lines, *places)
    assert done.returncode == 0, done.stderr
    assert "note: weights" in done.stdout
    assert "| both" in (folder / "board" / "pairs.md").read_text()
    done = vsebench("combine", "pairs/gru", "pairs/wrds", *places)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Did you mean 'words'?" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_sweep_that_no_longer_has_the_runs_drops_their_combination(swept: Path, tmp_path: Path) -> None:
    folder = copy_of(swept, tmp_path)
    command(folder, "pairs/gru", "pairs/scan")
    assert "gru + scan" in (folder / "board" / "pairs.md").read_text()
    systems = {n: s for n, s in load_experiment(swept / "pairs.yaml").document.data["systems"].items() if n != "scan"}
    do(experiment_of(tmp_path, swept / "pairs.h5", systems=systems), folder)
    assert "gru + scan" not in (folder / "board" / "pairs.md").read_text()


def test_runs_by_id_on_a_board_of_their_own(swept: Path, tmp_path: Path) -> None:
    folder = copy_of(swept, tmp_path)
    runs = [run_of(swept, "gru", seed) for seed in (0, 1)]
    command(folder, *(r.run_id for r in runs), experiment="ensembles", normalize="none", name="two seeds")
    (result,) = load(results_file(folder / "board", "ensembles")).results.values()
    assert isinstance(result, Result)
    assert result.ranking["by"] == "gru, seed 0 + gru, seed 1 (equal weights)"
    assert "two seeds" in (folder / "board" / "ensembles.md").read_text()
    command(folder, "pairs/gru", "pairs/words", experiment="ensembles")
    assert len(load(results_file(folder / "board", "ensembles")).rows) == 2


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        (["pairs/gru"], {}, "at least two runs"),
        (["pairs/gru", "pairs/scna"], {}, "Did you mean 'scan'"),
        (["pairs/gru", "pairs/scan"], {"normalize": "zscoer"}, "unknown ensemble 'zscoer'. Did you mean 'zscore'?"),
        (["pairs/gru", "pairs/scan"], {"weights": "1,2,3"}, "3 numbers for 2 runs"),
        (["pairs/gru", "pairs/scan"], {"name": "words"}, "has a row 'words'; give the combination another --name"),
        (["pairs/gru", "pairs/gru"], {}, "a run is given twice"),
        (["pairs/gru", "pairs/scan"], {"select": "val/rsum"}, "--select names"),
        (["pairs/gru", "pairs/scan"], {"weights": "auto", "select": "val/accuracy"}, "not a number of rankings"),
    ],
)
def test_mistakes_are_said(swept: Path, tmp_path: Path, text: list[str], changes: dict[str, Any], message: str) -> None:
    folder = copy_of(swept, tmp_path)
    before = (folder / "board" / "pairs.md").read_text()
    with pytest.raises((ConfigError, DataError)) as caught:
        command(folder, *text, **changes)
    assert message in str(caught.value)
    assert (folder / "board" / "pairs.md").read_text() == before


def test_rows_and_runs_do_not_mix(swept: Path) -> None:
    run = run_of(swept, "gru")
    with pytest.raises(ConfigError, match="rows or runs, not both"):
        groups_of(["pairs/scan", run.run_id], swept / "runs")
    with pytest.raises(DataError, match="no run 'zzz'"):
        groups_of(["pairs/scan", "zzz"], swept / "runs")


def test_other_data_and_metrics_are_refused(swept: Path, tmp_path: Path) -> None:
    systems = {"gru": load_experiment(swept / "pairs.yaml").document.data["systems"]["gru"]}
    write_dataset(tmp_path / "other.h5", seed=1)
    do(experiment_of(tmp_path, tmp_path / "other.h5", "other", systems=systems, seeds=[0]), tmp_path)
    do(experiment_of(tmp_path, swept / "pairs.h5", "few", systems=systems, seeds=[0],
                     metrics=["recall@{1,5}"]), tmp_path)  # fmt: skip
    alone = {"gru": {"dim": 8, "image_encoder": CNN}}
    messages: dict[str, Any] = {"select": {"metric": "val/accuracy"}, "metrics": ["accuracy"], "seeds": [0]}
    do(experiment_of(tmp_path, swept / "pairs.h5", "alone", systems=alone, **messages), tmp_path)
    first = run_of(swept, "scan")
    refused = {
        "other": "runs on different data",
        "few": "different lists of metrics",
        "alone": r"\(gru\) has no ranking of images and texts",
    }
    for experiment, message in refused.items():
        run = load_run(find_run(f"{experiment}/gru", tmp_path / "runs"))
        with pytest.raises(DataError, match=message):
            combine([first, run], recipe(), Store(tmp_path / "made", "pairs"))


@pytest.mark.parametrize(
    ("text", "message"),
    [("1;2", "numbers with commas"), ("0,0", "not all 0"), ("1,-1", "0 or more"), ("1,nan", "0 or more"),
     ("1,inf", "0 or more")],
)  # fmt: skip
def test_weights_that_are_none(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_weights(text, 2)
    assert parse_weights("auto", 2) is None
    assert parse_weights(None, 4) == (0.25,) * 4
