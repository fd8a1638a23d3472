"""A board of items with several labels: intervals, paired tests and groups of numbers that are no mean over items."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from outcome_boards import DATA, ITEMS, result

from vsebench.components.metric.base import Predictions
from vsebench.core.metric_specs import compute, parse_metrics, resampled
from vsebench.leaderboard import resampled_runs
from vsebench.leaderboard.collect import update
from vsebench.runs.item_scores import items_file, load
from vsebench.runs.snapshot import BoardRow, Snapshot
from vsebench.stats import bootstrap
from vsebench.stats.bootstrap import KEPT_RESAMPLES, draws
from vsebench.stats.rank_groups import Comparisons

ENTRIES = ["average_precision", "nll"]
KEYS = [
    "average_precision",
    "average_precision/micro",
    "average_precision/weighted",
    "average_precision/samples",
    "nll",
]
GROUPS = np.arange(ITEMS) // 2


def made_up(runs: Path, seeds: int = 3) -> Snapshot:
    """Two rows that are equally good and one that is not, with predictions in their folders."""
    generator = np.random.default_rng(0)
    labels = (generator.random((ITEMS, 6)) < 0.3).astype(np.int64)
    common = generator.standard_normal(labels.shape)
    rows, results = [], {}
    for number, (name, skill) in enumerate({"best": 2.0, "second": 2.0, "last": 0.2}.items()):
        of_seeds = {str(seed): f"{number:08d}{seed:08d}" for seed in range(seeds)}
        rows.append(BoardRow(name, "systems", {}, of_seeds))
        for seed, run in of_seeds.items():
            taste = 0.3 * generator.standard_normal(labels.shape)
            logits = (skill * (2 * labels - 1) + common + taste).astype(np.float32)
            numbers = compute(Predictions(logits, labels, multi_label=True), parse_metrics(ENTRIES))
            metrics = {f"test/{key}": value for key, value in numbers.items()}
            metrics |= {f"val/{key}": (-1 if key == "nll" else 1) * (skill - 0.01 * number) for key in numbers}
            results[run] = replace(result(run, name, int(seed), metrics, "image"), metrics=metrics)
            folder = runs / "demo" / run
            folder.mkdir(parents=True)
            np.savez_compressed(
                folder / "predictions-test.npz",
                positions=np.arange(ITEMS),
                labels=labels,
                groups=GROUPS,
                owner=np.zeros(0, np.int64),
                logits=logits,
            )
    return Snapshot(
        experiment="demo",
        title="Demo board",
        dataset=DATA,
        rows=rows,
        seeds=list(range(seeds)),
        select={"metric": "val/average_precision", "mode": "max"},
        board={},
        command="vsebench sweep x.yaml",
        results=results,
    )


def test_a_board_of_several_labels_has_intervals_tests_and_groups(tmp_path: Path) -> None:
    board = made_up(tmp_path / "runs")
    assert update(board, tmp_path / "runs", tmp_path) == []
    item_scores = load(items_file(tmp_path, "demo"))
    assert sorted(item_scores.resampled) == sorted(KEYS)
    compared = Comparisons(board, item_scores)
    for key in KEYS:
        comparison = compared["systems", key]
        assert comparison.leader == "best"
        assert [row.status for row in comparison.ranked_rows.values()] == ["leading", "leading", "worse"], key
        assert comparison.clusters == ITEMS // 2
        for name, row in comparison.ranked_rows.items():
            runs = next(r.runs for r in board.rows if r.name == name).values()
            assert row.value == pytest.approx(np.mean([board.results[run].metrics[f"test/{key}"] for run in runs]))
            assert row.interval.low < row.value < row.interval.high
    assert compared["systems", "nll"].ranked_rows["last"].difference > 0, "less is better"
    bytes_before = items_file(tmp_path, "demo").read_bytes()
    assert update(board, tmp_path / "nowhere", tmp_path) == [], "runs without a folder keep what is known"
    assert items_file(tmp_path, "demo").read_bytes() == bytes_before


def test_what_is_kept_are_the_metric_s_values_on_resampled_clusters(tmp_path: Path) -> None:
    board = made_up(tmp_path / "runs", seeds=1)
    update(board, tmp_path / "runs", tmp_path)
    item_scores = load(items_file(tmp_path, "demo"))
    run = next(iter(board.results))
    with np.load(tmp_path / "runs" / "demo" / run / "predictions-test.npz") as stored:
        predictions = Predictions(stored["logits"], stored["labels"], multi_label=True)
    counts = np.concatenate(list(draws(GROUPS)), axis=1)
    assert counts.shape == (ITEMS, KEPT_RESAMPLES)
    assert (counts[::2] == counts[1::2]).all(), "items of a cluster are drawn together"
    assert (counts.sum(0) == ITEMS).all()
    for key, values in resampled(predictions, parse_metrics(ENTRIES), counts).items():
        assert item_scores.resampled[key][run] == pytest.approx(values, rel=1e-6), key


def test_counts_that_are_not_held_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = made_up(tmp_path / "runs", seeds=1)
    update(board, tmp_path / "runs", tmp_path / "held")
    monkeypatch.setattr(resampled_runs, "SHARED_ITEMS", 0)
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 8 * ITEMS * 900)  # three blocks
    update(board, tmp_path / "runs", tmp_path / "drawn")
    held, drawn = (items_file(tmp_path / name, "demo").read_bytes() for name in ("held", "drawn"))
    assert held == drawn


def test_other_clusters_are_other_resamples(tmp_path: Path) -> None:
    board = made_up(tmp_path / "runs", seeds=1)
    update(board, tmp_path / "runs", tmp_path)
    first = load(items_file(tmp_path, "demo"))
    update(board, tmp_path / "runs", tmp_path, groups=np.arange(ITEMS))
    second = load(items_file(tmp_path, "demo"))
    run = next(iter(board.results))
    assert len(np.unique(second.clusters)) == ITEMS
    assert not np.array_equal(first.resampled["nll"][run], second.resampled["nll"][run])


def test_numbers_that_predictions_do_not_give_are_left_out(tmp_path: Path) -> None:
    board = made_up(tmp_path / "runs", seeds=1)
    run = next(iter(board.results))
    metrics = {**board.results[run].metrics, "test/nll": 0.123}
    board = replace(board, results={**board.results, run: replace(board.results[run], metrics=metrics)})
    update(board, tmp_path / "runs", tmp_path)
    resamples = load(items_file(tmp_path, "demo")).resampled
    assert run not in resamples["nll"]
    assert run in resamples["average_precision"]
