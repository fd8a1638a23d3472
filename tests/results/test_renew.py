"""Numbers of older definitions: said on the board, computed again from predictions, never mixed with new ones."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boards
import numpy as np
import pytest

from vsebench.cli.results import recompute as recompute_command
from vsebench.components.metric.base import Predictions
from vsebench.core.metric_specs import compute, parse_metrics, tuned, versions
from vsebench.core.registry import METRICS
from vsebench.core.types import Result
from vsebench.engine.evaluate import save_predictions
from vsebench.leaderboard.render import stale
from vsebench.results.recompute import recompute
from vsebench.results.renew import renew
from vsebench.results.verify import verify
from vsebench.runs.snapshot import Snapshot, load, results_file, save
from vsebench.runs.store import Store

CURRENT = int(METRICS.get("nll").facts["version"])


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A board whose nll is by an earlier definition, which gave twice the number."""
    results = [boards.run(tmp_path / "runs", row, 0, skill=skill) for row, skill in boards.ROWS.items()]
    store = Store(tmp_path / "runs", boards.NAME)
    earlier = [_earlier(result) for result in results]
    for result in earlier:
        store.write(result)
    boards.put(tmp_path / "board", boards.snapshot(earlier))
    return tmp_path


def _earlier(result: Result) -> Result:
    metrics = {k: 2 * v if k.endswith("/nll") else v for k, v in result.metrics.items()}
    return replace(result, metrics=metrics, metric_versions={**result.metric_versions, "nll": CURRENT - 1})


def board_of(folder: Path) -> Snapshot:
    return load(results_file(folder / "board", boards.NAME))


def page_of(folder: Path) -> str:
    return (folder / "board" / f"{boards.NAME}.md").read_text()


def test_a_page_says_what_is_by_an_older_definition(old: Path) -> None:
    assert f"**Earlier metric versions:** `nll` has version {CURRENT - 1} (now {CURRENT})." in page_of(old)
    assert "accuracy` is of version" not in page_of(old)


def test_numbers_are_computed_again(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = board_of(old)
    recompute_command((), old / "runs", old / "board")
    assert f"demo: nll computed again by version {CURRENT} (was {CURRENT - 1})" in capsys.readouterr().out
    after = board_of(old)
    for run, result in after.results.items():
        assert result.metrics["test/nll"] == pytest.approx(before.results[run].metrics["test/nll"] / 2, rel=1e-5)
        assert result.metrics["val/accuracy"] == before.results[run].metrics["val/accuracy"]
        assert result.metric_versions["nll"] == CURRENT
        assert f"nll (version {CURRENT} for {CURRENT - 1})" in result.notes[-1]
    assert "Not by today's definitions" not in page_of(old)
    assert stale(old / "board") == []
    file = results_file(old / "board", boards.NAME)
    report = verify(after, file, old / "runs")
    assert (report.differences, report.missing) == ([], [])
    recompute_command((), old / "runs", old / "board")
    assert "demo: every number is by today's definitions" in capsys.readouterr().out


def test_one_run_without_predictions_keeps_all_as_they_are(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = results_file(old / "board", boards.NAME).read_text()
    folder = old / "runs" / boards.NAME / "good000000000000"
    current = (folder / "result.json").read_text()
    (folder / "predictions-val.npz").unlink()
    recompute_command((boards.NAME,), old / "runs", old / "board")
    message = capsys.readouterr().out
    assert "nll stays as it is; 1 runs stand in the way:" in message
    assert "good000000000000 (good): its folder has no predictions-val.npz" in message
    assert results_file(old / "board", boards.NAME).read_text() == before
    assert (folder / "result.json").read_text() == current


def test_predictions_that_are_not_the_result_s_change_nothing(old: Path) -> None:
    store = Store(old / "runs", boards.NAME)
    result = next(iter(store.results()))
    store.write(replace(result, metrics={**result.metrics, "test/accuracy": 0.987}))
    results = renew(board_of(old), store)
    assert results.results == {}
    assert "its result says 0.987" in results.missing["nll"][0]


def test_pruned_runs_keep_the_number_that_pruned_them(old: Path) -> None:
    snapshot = board_of(old)
    pruned = replace(next(iter(snapshot.results.values())), run_id="pruned", status="pruned", metric_versions={})
    snapshot = replace(
        snapshot, select={"metric": "val/nll", "mode": "min"}, results={**snapshot.results, "pruned": pruned}
    )
    assert "pruned runs" in renew(snapshot, Store(old / "runs", boards.NAME)).missing["nll"][0]


def test_a_results_file_that_mixes_versions_is_refused(old: Path) -> None:
    snapshot = board_of(old)
    first = next(iter(snapshot.results.values()))
    mixed = replace(first, metric_versions={**first.metric_versions, "nll": CURRENT})
    file = results_file(old / "board", boards.NAME)
    save(replace(snapshot, results={**snapshot.results, first.run_id: mixed}), file)
    with pytest.raises(Exception, match="different metric versions cannot share a table"):
        load(file)


def test_test_is_judged_by_validation_s_thresholds_and_so_again(tmp_path: Path) -> None:
    result = _several_labels(tmp_path)
    folder = Store(tmp_path, boards.NAME).run_folder(result.run_id)
    results = recompute(folder, result)
    assert results.numbers == pytest.approx(result.metrics, rel=1e-9)
    assert result.metrics["test/f1/threshold"] == result.metrics["val/f1/threshold"] != 0.0
    (folder / "predictions-val.npz").unlink()
    again = recompute(folder, result)  # test's own file says what they were
    assert again.numbers["test/f1"] == pytest.approx(result.metrics["test/f1"])
    shutil.rmtree(folder)


def _several_labels(root: Path) -> Result:
    parsed = parse_metrics(["f1", "average_precision"])
    made: dict[str, Predictions] = {}
    metrics: dict[str, float] = {}
    folder = Store(root, boards.NAME).run_folder("several")
    folder.mkdir(parents=True)
    for number, split in enumerate(("val", "test")):
        rng = np.random.default_rng(number)
        labels = (rng.random((30, 4)) < 0.3).astype(np.int64)
        logits = (rng.normal(size=(30, 4)) + 2 * labels - 3).astype(np.float32)
        made[split] = Predictions(logits, labels, multi_label=True)
        made[split] = replace(made[split], thresholds=tuned(made["val"], parsed))
        loader: Any = SimpleNamespace(positions=np.arange(30))
        save_predictions(folder / f"predictions-{split}.npz", made[split], loader)
        metrics |= {f"{split}/{name}": value for name, value in compute(made[split], parsed).items()}
    return Result(
        "several", boards.NAME, "row", 0, "finished", {}, {}, metrics=metrics, metric_versions=versions(parsed)
    )
