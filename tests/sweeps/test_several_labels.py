"""Items with several labels from the file to the board: thresholds of validation judge test, and are recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from swept import sweep_in

from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter
from vsebench.results.verify import verify
from vsebench.runs.predictions import load_predictions
from vsebench.runs.snapshot import load, results_file
from vsebench.runs.store import Store

NAMES = ("drama", "comedy", "noir", "western")


def write(file: Path) -> None:
    """80 items of features that say which of three labels they have; nobody has the fourth but one training item."""
    rng = np.random.default_rng(0)
    with DatasetWriter(file, name="genres", title="Genres", multi_label=True, label_names=NAMES) as writer:
        for i in range(80):
            labels = tuple(name for name in NAMES[:3] if rng.random() < 0.3) or NAMES[:1]
            labels = (*labels, NAMES[3]) if not i else labels
            seen = np.array([[name in labels for name in NAMES]], np.float32) + rng.normal(size=(1, 4)) / 2
            split = ("train", "train", "val", "test")[i % 4]
            writer.add(Item(f"item-{i}", None, (), labels, split=split, features={"image": seen.astype(np.float32)}))


def test_thresholds_of_validation_judge_test(tmp_path: Path) -> None:
    write(tmp_path / "genres.h5")
    row = {"system": "vse", "dim": 8, "image_encoder": "features", "text_encoder": "none", "head": "linear"}
    sweep_in(
        tmp_path,
        {
            "experiment": "genres",
            "dataset": str(tmp_path / "genres.h5"),
            "metrics": ["f1", "average_precision"],
            "select": {"metric": "val/f1", "mode": "max"},
            "train": {"epochs": 2, "batch_size": 16},
            "systems": {"Image": row},
        },
    )
    (result,) = Store(tmp_path / "runs", "genres").results()
    numbers = result.metrics
    folder = tmp_path / "runs" / "genres" / result.run_id
    for key in ("f1", "f1/micro"):
        assert numbers[f"test/{key}/threshold"] == numbers[f"val/{key}/threshold"]
        assert load_predictions(folder, "test").thresholds[key] == numbers[f"val/{key}/threshold"]
    assert numbers["val/f1/threshold"] != 0.0
    assert numbers["test/skipped/average_precision"] == 1.0
    assert "test: average_precision is not over 1 of 4 classes: western" in result.notes
    file = results_file(tmp_path / "board", "genres")
    report = verify(load(file), file, tmp_path / "runs")
    assert report.recomputed == len(numbers)
    assert (report.differences, report.missing) == ([], [])
    assert numbers["test/f1"] == pytest.approx(report_f1(folder, numbers["val/f1/threshold"]))


def report_f1(folder: Path, threshold: float) -> float:
    """By scikit-learn, of the classes that occur or are predicted."""
    from sklearn.metrics import f1_score

    stored = load_predictions(folder, "test")
    message = stored.scored >= threshold
    met = stored.labels.any(0) | message.any(0)
    return float(f1_score(stored.labels[:, met], message[:, met], average="macro"))
