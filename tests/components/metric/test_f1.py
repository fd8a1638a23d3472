"""F1 against scikit-learn, torchmetrics and slow loops; its thresholds against trying all of them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
import torchmetrics.functional as tmf
from sklearn.metrics import f1_score

from vsebench.components.metric._thresholds import best_macro, best_micro
from vsebench.components.metric.base import Predictions
from vsebench.components.metric.f1 import f1, tuned
from vsebench.core.errors import MetricError
from vsebench.core.metric_specs import classes_left_out, parse_metrics


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[labels]


def slow_macro(target: np.ndarray, predicted: np.ndarray) -> float:
    values = []
    for c in range(target.shape[1]):
        pairs = list(zip(target[:, c], predicted[:, c], strict=True))
        hits, wrong = pairs.count((1, 1)), pairs.count((1, 0)) + pairs.count((0, 1))
        if hits or wrong:
            values.append(2 * hits / (2 * hits + wrong))
    return float(np.mean(values)) if values else 0.0


def test_a_class_that_neither_occurs_nor_is_predicted_is_left_out_and_counted() -> None:
    result = f1(Predictions(one_hot(np.array([0, 0, 1, 1]), 3), np.array([0, 0, 1, 1])))
    assert result == {"f1": 1.0, "f1/micro": 1.0, "skipped/f1": 1.0}


def test_left_out_classes_are_named() -> None:
    names = tuple(f"class {c}" for c in range(3))
    p = Predictions(one_hot(np.array([0, 0, 1, 1]), 3), np.array([0, 0, 1, 1]), label_names=names)
    message = classes_left_out(p, parse_metrics(["accuracy", "f1", "auroc"]))
    assert message == ["f1 is not over 1 of 3 classes: class 2", "auroc is not over 1 of 3 classes: class 2"]
    many = Predictions(np.eye(40, dtype=np.float32)[:2], np.arange(2))
    assert classes_left_out(many, parse_metrics(["balanced_accuracy"])) == [
        f"balanced_accuracy is not over 38 of 40 classes: {', '.join(map(str, range(2, 22)))} and 18 more"
    ]


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_learn_and_torchmetrics(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, logits = rng.integers(0, 4, 12), rng.normal(size=(12, 7)).astype(np.float32)
    logits[:, 6] -= 9  # never predicted, and does not occur
    result = f1(Predictions(logits, labels))
    message = logits.argmax(1)
    assert result["f1"] == pytest.approx(f1_score(labels, message, average="macro"))
    assert result["f1/micro"] == pytest.approx(f1_score(labels, message, average="micro"))
    theirs = tmf.f1_score(
        torch.from_numpy(message), torch.from_numpy(labels), "multiclass", num_classes=7, average="macro"
    )
    assert result["f1"] == pytest.approx(float(theirs), abs=1e-6)


def test_tied_classes_are_predicted_in_shares_whatever_their_order() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.integers(0, 2, (20, 4)).astype(np.float32), rng.integers(0, 4, 20)
    order = np.array([2, 0, 3, 1])
    moved = f1(Predictions(logits[:, order], np.argsort(order)[labels]))
    assert moved == pytest.approx(f1(Predictions(logits, labels)))
    flat = f1(Predictions(np.zeros((8, 4), np.float32), np.arange(8) % 4))
    assert flat["f1"] == flat["f1/micro"] == 0.25  # chance


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rounded", [False, True])
def test_thresholds_are_the_best_of_all(seed: int, rounded: bool) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(15, 4)) * 3
    logits = np.round(logits) if rounded else logits
    labels = rng.random((15, 4)) < 0.3
    labels[:, 3] = False
    every = np.concatenate([[logits.min() - 1], np.unique(logits) - 1e-9, [logits.max() + 1]])
    macro = [slow_macro(labels, logits >= t) for t in every]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        micro = [f1_score(labels, logits >= t, average="micro", zero_division=0) for t in every]
    assert slow_macro(labels, logits >= best_macro(logits, labels)) == pytest.approx(max(macro))
    assert f1_score(labels, logits >= best_micro(logits, labels), average="micro") == pytest.approx(max(micro))


def test_a_threshold_lies_halfway_and_nearest_to_a_half() -> None:
    logits, labels = np.array([[4.0], [1.0], [-3.0]]), np.array([[True], [True], [False]])
    assert best_micro(logits, labels) == best_macro(logits, labels) == -1.0
    assert best_micro(logits, np.zeros((3, 1), bool)) == -1.0  # all are equally bad
    next_to = np.array([[1.0], [np.nextafter(1.0, 0)]])
    assert best_micro(next_to, np.array([[True], [False]])) == 1.0


def multi_label(seed: int, shift: float) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = (rng.random((60, 5)) < 0.25).astype(np.int64)
    return Predictions((rng.normal(size=(60, 5)) + 2 * labels + shift).astype(np.float32), labels, multi_label=True)


def test_multi_label_thresholds_are_those_of_validation() -> None:
    validation, test = multi_label(0, -6.0), multi_label(1, -6.0)
    assert f1(test)["f1"] == 0.0  # by a probability of one half nothing is predicted
    chosen = tuned(validation)
    result = f1(Predictions(test.logits, test.labels, multi_label=True, thresholds=chosen))
    assert result["f1/threshold"] == chosen["f1"] < -3
    assert result["f1/micro/threshold"] == chosen["f1/micro"] < -3
    assert result["f1"] == pytest.approx(f1_score(test.labels, test.logits >= chosen["f1"], average="macro"))
    assert result["f1/micro"] == pytest.approx(
        f1_score(test.labels, test.logits >= chosen["f1/micro"], average="micro")
    )
    current = f1(Predictions(test.logits, test.labels, multi_label=True, thresholds=tuned(test)))
    assert result["f1"] <= current["f1"]  # the best of test would be more


def test_logits_far_from_zero_have_thresholds() -> None:
    validation = multi_label(0, 60.0)  # every probability rounds to 1
    result = f1(Predictions(validation.logits, validation.labels, multi_label=True, thresholds=tuned(validation)))
    near = multi_label(0, 0.0)
    best = f1(Predictions(near.logits, near.labels, multi_label=True, thresholds=tuned(near)))
    assert result["f1"] == pytest.approx(best["f1"], abs=0.02)  # float32 rounds what is added to 60
    assert result["f1/threshold"] == pytest.approx(best["f1/threshold"] + 60, abs=1e-3)


def test_single_label_data_need_no_threshold() -> None:
    assert tuned(Predictions(np.eye(3, dtype=np.float32), np.arange(3))) == {}


def test_nothing_that_occurs_or_is_predicted_is_an_error() -> None:
    with pytest.raises(MetricError, match="'f1' needs a class that occurs or is predicted"):
        f1(Predictions(np.full((2, 3), -1.0), np.zeros((2, 3), np.int64), multi_label=True))
