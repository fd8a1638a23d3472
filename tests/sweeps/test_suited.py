"""What does not apply to a dataset is said with the plan, with its line and once, before anything is loaded."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import TINY_CNN, TINY_LSTM
from vsebench.cli.app import main
from vsebench.components.metric.base import Predictions
from vsebench.components.metric.precision import precision
from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ConfigError, MetricError
from vsebench.core.registry import METRICS
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter
from vsebench.runs.store import Store
from vsebench.sweeps.suited import suited, unused
from vsebench.sweeps.tuning import Search

Write = Callable[[Any], Path]
RANKS = {
    "dim": 16,
    "image_encoder": TINY_CNN,
    "text_encoder": TINY_LSTM,
    "head": "none",
    "objective": "info_nce",
}
CLASSIFIES = {"dim": 16, "image_encoder": TINY_CNN, "text_encoder": TINY_LSTM}
SPLITS = ("train", "train", "val", "test")


def build(
    folder: Path,
    label: Callable[[int], Any],
    *,
    splits: tuple[str, ...] = SPLITS,
    text: Callable[[int], tuple[str, ...]] = lambda i: (f"thing {i}",),
    **settings: Any,
) -> Dataset:
    """A dataset of 16 items without pixels that anything decodes."""
    with DatasetWriter(folder / "data.h5", name="data", title="Data", **settings) as writer:
        for i in range(16):
            item = Item(f"item-{i}", b"\x89PNG", text(i), label(i), split=splits[i % len(splits)])
            writer.add(item)
    return Dataset.open(folder / "data.h5")


def one(i: int) -> str:
    return "ab"[i // 4 % 2]


def several(i: int) -> tuple[str, ...]:
    return ("a", "b") if i // 4 % 2 else ("b",)


def experiment_on(dataset: Dataset, write: Write, rows: dict[str, Any], **parts: Any) -> Any:
    plain = {"experiment": "e", "dataset": str(dataset.path), **parts, "systems": rows}
    return load_experiment(write(plain))


def faults(dataset: Dataset, write: Write, rows: dict[str, Any], **parts: Any) -> list[str]:
    """The faults that reading the experiment, or else its dataset, tells, without the file."""
    file = write({"experiment": "e", "dataset": str(dataset.path), **parts, "systems": rows})
    with pytest.raises(ConfigError) as caught:
        suited(load_experiment(file), dataset)
    results = [str(fault) for fault in caught.value.faults]
    assert all(line.startswith(f"{file}:") for line in results), results
    return [line.removeprefix(f"{file}:") for line in results]


@pytest.mark.parametrize(
    ("label", "settings", "row", "select", "metrics"),
    [
        (one, {}, CLASSIFIES, "val/accuracy", ("accuracy",)),
        (several, {"multi_label": True}, CLASSIFIES, "val/average_precision", ("average_precision",)),
        (one, {}, RANKS, "val/rsum", ("recall@{1,5,10}", "rsum")),
        (lambda i: None, {}, RANKS, "val/rsum", ("recall@{1,5,10}", "rsum")),
        (several, {"multi_label": True, "relevance": "label"}, RANKS, "val/i2t/map", ("map",)),
    ],
)
def test_defaults_suit_the_data(
    tmp_path: Path, write_experiment: Write, label: Any, settings: Any, row: Any, select: str, metrics: Any
) -> None:
    dataset = build(tmp_path, label, **settings)
    result = suited(experiment_on(dataset, write_experiment, {"row": row}), dataset)
    assert (result.select.metric, result.select.mode, result.metrics) == (select, "max", metrics)
    assert unused(result, dataset) == []


def test_metrics_of_single_labels_on_several(tmp_path: Path, write_experiment: Write) -> None:
    dataset = build(tmp_path, several, multi_label=True)
    rows = {f"row {i}": {**CLASSIFIES, "dim": 16 + i} for i in range(8)}
    result = faults(dataset, write_experiment, rows, metrics=["accuracy", "average_precision", "ece"])
    message = "is for single-label data; use average_precision for multi-label data."
    assert result == [
        f"4: metric 'accuracy' on dataset 'data': 'accuracy' {message}",
        f"6: metric 'ece' on dataset 'data': 'ece' {message}",
    ]
    result = faults(dataset, write_experiment, rows, metrics=["f1"], select={"metric": "val/accuracy"})
    assert result == [f"6: val/accuracy on dataset 'data': 'accuracy' {message}"]


def test_what_a_metric_needs_of_the_data(tmp_path: Path, write_experiment: Write) -> None:
    dataset = build(tmp_path, one)
    rows = {"a": CLASSIFIES, "b": {**CLASSIFIES, "dim": 17}}
    metrics = ["vqa_accuracy", "top5_accuracy", "recall_1k@1", "accuracy"]
    result = faults(dataset, write_experiment, rows, metrics=metrics)
    assert len(result) == 3
    for line, message in zip(
        result, ("needs annotators' answers", "of 2 classes is always 1", "folds of 1,000"), strict=True
    ):
        assert message in line


def test_a_row_without_the_number_that_chooses(tmp_path: Path, write_experiment: Write) -> None:
    dataset = build(tmp_path, one)
    rows = {"ranks": RANKS, "both": CLASSIFIES}
    (result,) = faults(dataset, write_experiment, rows, select={"metric": "val/accuracy"}, metrics=["accuracy", "rsum"])
    assert (
        "row 'ranks' gives no val/accuracy, which is to choose its epoch: it has no head and does not classify"
        in result
    )
    assert "Known: val/rsum." in result
    alone = {**CLASSIFIES, "text_encoder": "none"}
    rows = {"both": CLASSIFIES, "alone": alone, "other": {**alone, "dim": 17}}
    result = faults(dataset, write_experiment, rows, select={"metric": "val/rsum"}, metrics=["accuracy"])
    assert len(result) == 2
    assert "row 'alone' gives no val/rsum" in result[0]
    assert "no embedding of every item's text. Known: val/accuracy." in result[0]


def test_a_number_that_no_row_gives(tmp_path: Path, write_experiment: Write) -> None:
    dataset = build(tmp_path, one)
    (result,) = faults(dataset, write_experiment, {"a": CLASSIFIES, "b": RANKS}, select={"metric": "val/recall@1"})
    assert result.startswith("4: no row gives val/recall@1")
    assert "Did you mean 'val/i2t/recall@1'?" in result or "Did you mean 'val/t2i/recall@1'?" in result
    (result,) = faults(dataset, write_experiment, {"a": CLASSIFIES}, select={"metric": "val/average_precision/samples"})
    assert "Known: val/average_precision, val/average_precision/micro" in result


def test_a_search_is_checked_too(tmp_path: Path, write_experiment: Write) -> None:
    pytest.importorskip("optuna")
    dataset = build(tmp_path, one)
    sweep = {"method": "random", "budget": 2, "base": RANKS, "space": {"dim": {"low": 8, "high": 16}}}
    plain = {"experiment": "e", "dataset": str(dataset.path), "select": {"metric": "val/accuracy"}, "sweep": sweep}
    with pytest.raises(ConfigError, match="no row gives val/accuracy"):
        suited(load_experiment(write_experiment(plain)), dataset)
    del plain["select"]
    assert suited(load_experiment(write_experiment(plain)), dataset).select.metric == "val/rsum"


@pytest.mark.parametrize(
    ("splits", "text"),
    [
        (("train", "test"), "has no val split. Its splits are train: 8, test: 8."),
        (("train", "val"), "has no test split"),
        (("val", "test"), "has no train split"),
        (("train",), "has no val and no test split"),
    ],
)
def test_splits_that_are_missing(tmp_path: Path, write_experiment: Write, splits: Any, text: str) -> None:
    dataset = build(tmp_path, one, splits=splits)
    (result,) = faults(dataset, write_experiment, {"a": CLASSIFIES, "b": RANKS}, metrics=["accuracy"])
    assert result.startswith("2: dataset 'data' ")
    assert text in result


def test_what_rows_need_of_the_data(tmp_path: Path, write_experiment: Write) -> None:
    dataset = build(tmp_path, lambda i: None, text=lambda i: () if i == 2 else ("a",))
    rows = {
        "labels": CLASSIFIES,
        "texts": RANKS,
        "sounds": {**RANKS, "audio_encoder": "audio_rnn"},
        "features": {**RANKS, "image_encoder": "features"},
        "pretrained": {**RANKS, "image_encoder": {**TINY_CNN, "weights": "pretrain"}},
        "supervised": {**RANKS, "text_encoder": "features", "objective": "supcon"},
    }
    result = faults(dataset, write_experiment, rows)
    for message in (
        "dataset 'data' has no labels to classify by: write head: none.",
        "1 items of the val split have no text (the first is 'item-2'), and its objective 'info_nce' learns from",
        "dataset 'data' has no sounds. Write audio_encoder: none; audio_encoder is 'audio_rnn'.",
        "dataset 'data' has no precomputed features of images. Choose an encoder of images; image_encoder is",
        "dataset 'data' has no labels, but objective 'supcon' needs them.",
        "dataset 'data' has no labels, and weights: pretrain trains image_encoder as a classifier.",
    ):
        assert any(message in line for line in result), (message, result)


def test_neighbours_of_data_without_labels(tmp_path: Path, write_experiment: Write) -> None:
    dataset = build(tmp_path, lambda i: None)
    (result,) = faults(dataset, write_experiment, {"a": RANKS}, metrics=["precision@5", "rsum"])
    assert "'precision' compares the labels of images, and this dataset has none." in result
    values = np.eye(3, dtype=np.float32)
    with pytest.raises(MetricError, match="this dataset has none"):
        precision(Predictions(None, np.full(3, -1), embeddings={"image": values}), k=1)


def test_metrics_that_no_row_gives_are_noted(tmp_path: Path, write_experiment: Write) -> None:
    dataset = build(tmp_path, one)
    alone = {**CLASSIFIES, "text_encoder": "none"}
    measure = {"robustness": {"image": {"noise": [0.1]}, "text": {"swap": [0.1]}}}
    parts = {"metrics": ["accuracy", "recall@{1,5}", "precision@3"], "measure": measure}
    experiment = experiment_on(dataset, write_experiment, {"a": alone}, **parts)
    assert unused(suited(experiment, dataset), dataset) == [
        "no row gives 'recall@{1,5}'; it is left out.",
        "no row reads texts; measure.robustness.text is left out.",
    ]


def test_a_metric_that_fails_at_made_up_predictions_is_left_to_the_run(tmp_path: Path, write_experiment: Write) -> None:
    @METRICS.register("odd", source="none", higher_is_better=True)
    def odd(predictions: Predictions) -> dict[str, float]:
        """Fail."""
        raise ValueError("only real predictions")

    try:
        dataset = build(tmp_path, one)
        parts = {"metrics": ["odd"], "select": {"metric": "val/odd"}}
        experiment = experiment_on(dataset, write_experiment, {"a": CLASSIFIES}, **parts)
        assert unused(suited(experiment, dataset), dataset) == []
    finally:
        METRICS.forget("odd")


def test_a_search_draws_nothing_that_the_data_do_not_suit(tmp_path: Path, write_experiment: Write) -> None:
    pytest.importorskip("optuna")
    dataset = build(tmp_path, one)
    fusion = {"two": {"name": "bottleneck", "heads": 2}, "four": {"name": "bottleneck", "heads": 4}}
    space = {"dim": {"low": 4, "high": 8, "step": 2}}
    sweep = {"method": "random", "budget": 5, "base": CLASSIFIES, "grid": {"fusion": fusion}, "space": space}
    plain = {"experiment": "e", "dataset": str(dataset.path), "sweep": sweep}
    experiment = suited(load_experiment(write_experiment(plain)), dataset)
    rows = Search(experiment, dataset.describe(), Store(tmp_path / "runs", "e")).replay().experiment.rows
    drawn = {row.name for row in rows}
    assert drawn == {"four · dim=4", "four · dim=8", "two · dim=4", "two · dim=6", "two · dim=8"}


def test_the_command_says_it_before_anything_runs(
    tmp_path: Path, write_experiment: Write, tiny_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    dataset = str(shutil.copy(tiny_file, tmp_path / "tiny.h5"))
    plain = {"experiment": "e", "dataset": dataset, "select": {"metric": "val/acuracy"}, "systems": {"a": CLASSIFIES}}
    file = write_experiment(plain)
    monkeypatch.chdir(tmp_path)
    for arguments in (["--dry-run"], []):
        monkeypatch.setattr("sys.argv", ["vsebench", "sweep", str(file), *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 2
        assert f"{file}:4: unknown metric 'val/acuracy'. Did you mean 'val/accuracy'?" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"attention": {"name": "intra", "heads": 3}}, "heads", "attention 'intra': heads (3) must divide dim (16)."),
        (
            {"fusion": {"name": "bottleneck", "heads": 5}},
            "heads",
            "fusion 'bottleneck': heads (5) must divide dim (16).",
        ),
        ({"fusion": {"name": "film", "by": "audio"}}, "by", "fusion 'film': the system has no audio to modulate by."),
    ],
)
def test_options_that_only_constructors_refuse(
    tmp_path: Path, write_experiment: Write, changes: Any, path: str, message: str
) -> None:
    dataset = build(tmp_path, one)
    rows = {
        "good": CLASSIFIES,
        "bad": {**CLASSIFIES, **changes},
        "also": {**CLASSIFIES, "dropout": 0.5, **copy.deepcopy(changes)},
    }
    result = faults(dataset, write_experiment, rows)
    assert len(result) == 2
    assert all(message in line for line in result)
    text = (tmp_path / "experiment.yaml").read_text().splitlines()
    assert all(f"{path}: " in text[int(line.split(":")[0]) - 1] for line in result)


def test_widths_that_encoders_give_are_not_guessed(tmp_path: Path, write_experiment: Write) -> None:
    """240 and 720 divide by 7 neither; the encoder's own width may."""
    dataset = build(tmp_path, one)
    rows = {"a": {**CLASSIFIES, "pooling": {"image": "mean", "text": {"name": "visual_semantic", "heads": 7}}}}
    suited(experiment_on(dataset, write_experiment, rows), dataset)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (8, "'items' (8) must be fewer than the 8 items of the training split, and no fewer than its smallest group"),
        (900, "'items' (900) must be fewer than the 8 items"),
    ],
)
def test_a_part_of_the_training_split_that_is_none(
    tmp_path: Path, write_experiment: Write, items: int, message: str
) -> None:
    dataset = build(tmp_path, one)
    (result,) = faults(dataset, write_experiment, {"row": CLASSIFIES}, train={"items": items})
    assert message in result
    pretrained = {**CLASSIFIES, "image_encoder": {**TINY_CNN, "weights": "pretrain"}}
    (result,) = faults(dataset, write_experiment, {"row": pretrained}, train={"items": 4})
    assert "'items' does not go with weights: pretrain" in result
    suited(experiment_on(dataset, write_experiment, {"row": CLASSIFIES}, train={"items": 4}), dataset)
