"""What run folders say of a row: against loops and scikit-learn's own numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix

from vsebench.core.errors import DataError
from vsebench.leaderboard.run_details import MOST_EPOCHS, RECALLS, classes_of, curves_of


def store(folder: Path, logits: np.ndarray, labels: np.ndarray) -> Path:
    folder.mkdir()
    items = np.arange(len(labels))
    np.savez(folder / "predictions-test.npz", positions=items, labels=labels, logits=logits, groups=items, owner=items)
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 3, 40)  # class 3 has no item
    return [store(tmp_path / str(i), generator.normal(size=(40, 4)).astype(np.float32), labels) for i in range(2)]


def test_classes(folders: list[Path]) -> None:
    result = classes_of(folders)
    assert result is not None
    assert result.confusion is not None
    assert set(result.precision) == {"micro", "0", "1", "2"}
    matrix, averages, curve = np.zeros((4, 4), int), [], []
    for folder in folders:
        with np.load(folder / "predictions-test.npz") as stored:
            logits, labels = stored["logits"].astype(float), stored["labels"]
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        matrix += confusion_matrix(labels, shares.argmax(1), labels=range(4))
        averages.append(average_precision_score(labels == 1, shares[:, 1]))
        points = []
        for level in shares[:, 1]:
            taken = shares[:, 1] >= level
            points.append(((taken & (labels == 1)).sum() / (labels == 1).sum(), (labels[taken] == 1).mean()))
        curve.append([max(p for r, p in points if r >= recall - 1e-9) for recall in RECALLS])
    assert result.runs == 2
    assert result.confusion.tolist() == matrix.tolist()
    assert result.average["1"] == pytest.approx(np.mean(averages), abs=1e-4)
    assert result.precision["1"] == pytest.approx((1000 * np.mean(curve, 0)).tolist(), abs=0.51)


def test_items_of_several_labels_have_no_matrix(tmp_path: Path) -> None:
    labels = np.array([[1, 0], [1, 1], [0, 1]], np.uint8)
    result = classes_of(
        [store(tmp_path / "a", np.where(labels, 2.0, -2.0).astype(np.float32), labels)], multi_label=True
    )
    assert result is not None
    assert result.confusion is None
    assert result.average == {"micro": 1.0, "0": 1.0, "1": 1.0}


def test_nothing_stored(tmp_path: Path) -> None:
    assert classes_of([tmp_path]) is None
    (tmp_path / "predictions-test.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="not a whole file of predictions"):
        classes_of([tmp_path])


def test_curves(tmp_path: Path) -> None:
    assert curves_of(tmp_path) == {}
    lines = [{"epoch": e, "lr": 1.0, "train/loss": 1 / e, "val/i2t/chance/map": 0.1} for e in range(1, 501)]
    lines[3]["train/loss"] = float("nan")
    (tmp_path / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = curves_of(tmp_path)
    assert list(result) == ["train/loss"]
    assert len(result["train/loss"]) <= MOST_EPOCHS + 1
    assert result["train/loss"][0] == (1, 1.0)
    assert result["train/loss"][-1] == (500, 0.002)
