"""Slices on a board: the numbers and intervals of a board of the slice's items alone, and a run from end to end."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from board_texts import section_text
from outcome_boards import ITEMS, made_up
from PIL import Image
from wandb_files import read_back

from vsebench.config.experiment import load_experiment
from vsebench.data.item import Item
from vsebench.data.open import open_dataset
from vsebench.data.writer import DatasetWriter
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.renderers.html import page as html_page
from vsebench.leaderboard.sections import slices
from vsebench.ops.slices import Slices
from vsebench.pipeline import sweep_to_board
from vsebench.results.verify import verify
from vsebench.runs import item_scores as stored
from vsebench.runs.predictions import load_predictions
from vsebench.runs.snapshot import load, results_file
from vsebench.runs.store import Store
from vsebench.runs.wandb_options import Wandb
from vsebench.stats.bootstrap import percentile_interval
from vsebench.stats.compared_metrics import measures
from vsebench.stats.rank_groups import compare
from vsebench.stats.slices import slice_values
from vsebench.sweeps.worker import Settings

ROWS = {"best": 0.85, "third": 0.55}
FIELD = [{"kind": ("easy", "hard", "rare")[0 if i < 70 else 1 if i < ITEMS - 1 else 2]} for i in range(ITEMS)]
SLICES = Slices.of([*FIELD, {"kind": "unseen"}]).take(np.arange(ITEMS))


@pytest.mark.parametrize("at", [0, 1])
def test_values_and_intervals_are_those_of_a_board_of_the_slice_alone(at: int) -> None:
    board, item_scores = made_up(ROWS)
    measure = measures(board, "systems")[at]
    results = slice_values(board, replace(item_scores, slices=SLICES), "systems", measure)
    assert list(results) == ["kind=easy", "kind=hard", "kind=rare"]
    for name, rows in list(SLICES.rows())[:3]:
        alone = compare(board, stored.of_items(item_scores, rows), "systems", measure)
        assert alone is not None
        for row in ROWS:
            assert results[name][row].value == alone.ranked_rows[row].value
            assert results[name][row].interval == alone.ranked_rows[row].interval
    if not measure.depths:  # once more without any of the project's functions but the percentile
        runs = next(row.runs.values() for row in board.rows if row.name == "third")
        mean = np.mean([item_scores.right["accuracy"][run][:70] for run in runs], axis=0)
        assert results["kind=easy"]["third"].value == pytest.approx(mean.mean())
        drawn = np.random.default_rng(0).integers(35, size=(10_000, 35))  # clusters of two items
        low, high = percentile_interval(mean.reshape(35, 2).mean(1)[drawn].mean(1)[:, None])
        interval = results["kind=easy"]["third"].interval
        assert (interval.low, interval.high) == pytest.approx((low[0], high[0]))


def test_the_page_has_one_table_with_rows_by_slices(tmp_path: Path) -> None:
    board, item_scores = made_up(ROWS)
    assert section_text(slices, board, item_scores) == ""
    with_slices = replace(item_scores, slices=SLICES)
    text = section_text(slices, board, with_slices)
    lines = text.splitlines()
    assert "<b>Slices</b>" in lines[1]
    assert "by `kind`" in lines[3]
    assert [cell.strip() for cell in lines[5].strip("|").split("|")] == [
        "System", "easy (70)", "hard (49)", "rare (1)", "unseen",
    ]  # fmt: skip
    value = slice_values(board, with_slices, "systems", measures(board, "systems")[0])["kind=easy"]["best"]
    cell = f"{100 * value.value:.1f} [{100 * value.interval.low:.1f}, {100 * value.interval.high:.1f}]"
    best = [cell.strip() for cell in lines[7].strip("|").split("|")]
    assert best[:2] == ["best", cell]
    assert best[-1] == "–"
    file = tmp_path / "items.npz"
    stored.save(with_slices, file)
    again = stored.load(file)
    assert again.slices.values == SLICES.values
    assert section_text(slices, board, again) == text
    assert f"{cell}</td>" in html_page(BoardData(board, again))
    stored.save(item_scores, file)
    assert "slice/codes" not in np.load(file).files


def dataset_of(file: Path, *, named: bool) -> None:
    rng = np.random.default_rng(0)
    with DatasetWriter(file, name="sliced", title="Sliced") as out:
        for i in range(60):
            pixels = rng.integers(0, 80, (32, 32, 3), dtype=np.uint8)
            pixels[:, :, i % 3] += 90
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            text = f"{('red', 'green', 'blue')[i % 3]} thing number {i}"
            slices = {"lang": ("en", "de")[i // 3 % 2]} if named else None
            out.add(Item(f"item-{i}", buffer.getvalue(), (text,), i % 3, slices=slices))


def sweep(folder: Path, *, named: bool) -> tuple[Path, Store]:
    folder.mkdir()
    dataset_of(folder / "data.h5", named=named)
    words = {"name": "mean_words", "dim_word": 8, "max_length": 4}
    cnn = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 64}
    plain: dict[str, Any] = {
        "experiment": "sliced",
        "dataset": str(folder / "data.h5"),
        "metrics": ["accuracy", "average_precision", "recall@{1,5}"],
        "train": {"epochs": 1, "batch_size": 16},
        "systems": {"both": {"dim": 8, "image_encoder": cnn, "text_encoder": words, "fusion": "concat"}},
    }
    (folder / "sliced.yaml").write_text(yaml.safe_dump(plain))
    experiment = load_experiment(folder / "sliced.yaml")
    dataset = open_dataset(experiment.spec.dataset)
    settings = Settings(
        folder / "runs", dataset.path, device="cpu", wandb=Wandb("offline" if named else "disabled", system=False)
    )
    outcome = sweep_to_board(
        experiment, dataset, settings=settings, workers=0, board_folder=folder / "board", command="sweep"
    )
    assert not outcome.failed, [r.error for r in outcome.failed]
    return results_file(folder / "board", "sliced"), Store(folder / "runs", "sliced")


@pytest.mark.slow
def test_a_run_is_measured_by_slice_and_is_still_the_same_run(tmp_path: Path) -> None:
    _, plain = sweep(tmp_path / "plain", named=False)
    file, store = sweep(tmp_path / "named", named=True)
    (before,), (result,) = plain.results(), store.results()
    assert result.run_id == before.run_id
    by_slice = {key: value for key, value in result.metrics.items() if "/slice/" in key}
    assert {key: value for key, value in result.metrics.items() if key not in by_slice} == before.metrics
    assert {key.split("/")[2] for key in by_slice} == {"lang=en", "lang=de"}
    assert "test/slice/lang=en/average_precision" in by_slice
    assert "test/slice/lang=de/t2i/recall@5" in by_slice
    (log,) = (tmp_path / "named" / "runs" / "sliced").rglob("run-*.wandb")
    summary = read_back(log).summary
    assert {key: summary[key] for key in by_slice} == pytest.approx(by_slice)
    predictions = load_predictions(store.run_folder(result.run_id), "test")
    assert predictions.logits is not None
    rows = (predictions.positions // 3 % 2) == 0
    logits, labels = predictions.logits[rows], predictions.labels[rows]
    assert by_slice["test/slice/lang=en/accuracy"] == pytest.approx(np.mean(logits.argmax(1) == labels))
    assert "<b>Slices</b>" in (tmp_path / "named" / "board" / "sliced.md").read_text()
    report = verify(load(file), file, tmp_path / "named" / "runs")
    assert (report.differences, report.missing) == ([], [])
    assert report.recomputed == len(result.metrics)
    assert verify(load(file), file, tmp_path / "plain" / "runs").differences  # the other runs lack the slices' numbers
    altered = replace(result, metrics={**result.metrics, "test/slice/lang=en/accuracy": 0.123})
    store.write(altered)
    differences = verify(load(file), file, tmp_path / "named" / "runs").differences
    assert {d.what for d in differences} >= {"metrics.test/slice/lang=en/accuracy"}
    assert json.loads(file.read_text())["dataset"]["slices"] == {"lang": ["de", "en"]}
