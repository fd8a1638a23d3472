"""Metrics that rank classes: no tie but that of logits, whatever their size and type."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
import torchmetrics.functional as tmf
from scipy.special import log_softmax
from sklearn.metrics import average_precision_score, roc_auc_score

from vsebench.components.metric._classes import class_ranks, log_odds
from vsebench.components.metric.auroc import auroc
from vsebench.components.metric.average_precision import average_precision
from vsebench.components.metric.balanced_accuracy import balanced_accuracy
from vsebench.components.metric.base import Predictions
from vsebench.components.metric.nll import nll
from vsebench.core.errors import MetricError


def slow_ap(scores: np.ndarray, positive: np.ndarray) -> float:
    """Step-wise, over distinct thresholds, in exact numbers."""
    total, before = Fraction(0), Fraction(0)
    for threshold in sorted(set(scores.tolist()), reverse=True):
        head = positive[scores >= threshold]
        recall = Fraction(int(head.sum()), int(positive.sum()))
        total += (recall - before) * Fraction(int(head.sum()), len(head))
        before = recall
    return float(total)


def slow_auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    a, b = scores[positive, None], scores[None, ~positive]
    return float(((a > b) + 0.5 * (a == b)).mean())


def multi_label(shift: float, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = (rng.random((80, 5)) < 0.2).astype(np.int64)
    return Predictions((rng.normal(size=(80, 5)) + labels + shift).astype(np.float32), labels, multi_label=True)


@pytest.mark.parametrize("shift", [0.0, -40.0, 40.0, -34.0, 700.0, -1e4])
def test_saturated_sigmoids_do_not_tie(shift: float) -> None:
    p = multi_label(shift)
    results = {**average_precision(p), **auroc(p)}
    columns = [(p.logits[:, c], p.labels[:, c] > 0) for c in range(5)]
    assert results["average_precision"] == pytest.approx(np.mean([slow_ap(*one) for one in columns]))
    assert results["auroc"] == pytest.approx(np.mean([slow_auroc(*one) for one in columns]))
    assert results["average_precision/micro"] == pytest.approx(slow_ap(p.logits.ravel(), p.labels.ravel() > 0))
    rows = [slow_ap(z, y > 0) for z, y in zip(p.logits, p.labels, strict=True) if y.any()]
    assert results["average_precision/samples"] == pytest.approx(np.mean(rows))


@pytest.mark.parametrize("scale", [1.0, 60.0, 1e4])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_saturated_softmaxes_do_not_tie(scale: float, dtype: type) -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 40)
    logits = (scale * rng.normal(size=(40, 3)).astype(np.float16)).astype(dtype)
    p = Predictions(logits, labels)
    # The order of p_c / (1 - p_c) of two and more other classes, by numbers of any size.
    exact = [[_odds(row, c) for c in range(3)] for row in logits.astype(np.float64).tolist()]
    columns = [(np.array([_place(exact, i, c) for i in range(40)]), labels == c) for c in range(3)]
    results = {**average_precision(p), **auroc(p)}
    assert results["average_precision"] == pytest.approx(np.mean([slow_ap(*one) for one in columns]))
    assert results["auroc"] == pytest.approx(np.mean([slow_auroc(*one) for one in columns]))


def _odds(row: list[float], c: int) -> tuple[float, float]:
    """ln of the odds: the largest difference, and what the other classes add to it."""
    others = [z - row[c] for j, z in enumerate(row) if j != c]
    top = max(others)
    return -top, -float(np.log(sum(np.exp(z - top) for z in others)))


def _place(exact: list[list[tuple[float, float]]], item: int, c: int) -> float:
    return sum(exact[item][c])


def test_the_order_is_that_of_the_probabilities_where_they_do_not_round() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(30, 6)).astype(np.float32)
    p = Predictions(logits, rng.integers(0, 6, 30))
    ranks, shares = p.class_ranks, np.exp(log_softmax(logits.astype(np.float64), axis=1))
    assert (np.argsort(ranks, axis=None) == np.argsort(shares, axis=None)).all()
    assert p.probabilities == pytest.approx(shares)
    assert 0 < ranks.min() < ranks.max() < 1
    targets = np.eye(6)[p.labels]
    assert average_precision(p)["average_precision"] == pytest.approx(average_precision_score(targets, shares))
    assert auroc(p)["auroc"] == pytest.approx(roc_auc_score(targets, shares))


def test_libraries_may_take_the_ranks_for_probabilities() -> None:
    p = multi_label(-40.0)
    ranks, labels = torch.from_numpy(p.class_ranks), torch.from_numpy(p.labels)
    task = {"task": "multilabel", "num_labels": 5, "average": "macro"}
    assert average_precision(p)["average_precision"] == pytest.approx(
        float(tmf.average_precision(ranks, labels, **task)), abs=1e-6
    )
    assert auroc(p)["auroc"] == pytest.approx(float(tmf.auroc(ranks, labels, **task)), abs=1e-6)


def test_equal_logits_tie_whatever_is_added_and_in_whatever_order() -> None:
    a = np.array([[0.3, -1.7, 0.9, 2.1], [0.3, 2.1, -1.7, 0.9]], np.float32)
    a = np.round(a * 1024) / 1024  # so that what is added changes no digit
    odds = log_odds(np.concatenate([a, a + np.float32(64), a - np.float32(512)]))
    assert len(np.unique(odds[:, 0])) == 1
    two = log_odds(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]))
    assert two[0, 0] == two[1, 0]


def test_one_class_and_one_item() -> None:
    one = Predictions(np.array([[3.0], [1.0]]), np.array([0, 0]))
    assert class_ranks(one.scored).tolist() == [[0.5], [0.5]]
    assert average_precision(one)["average_precision"] == 1.0
    assert nll(one) == {"nll": 0.0}
    with pytest.raises(MetricError, match="'auroc' needs a class"):
        auroc(one)
    single = Predictions(np.array([[3.0, 1.0]]), np.array([0]))
    assert average_precision(single) == {
        "average_precision": 1.0,
        "average_precision/micro": 1.0,
        "average_precision/weighted": 1.0,
        "skipped/average_precision": 1.0,
    }
    only = Predictions(np.array([[2.0], [-1.0], [1.0]]), np.array([[1], [1], [0]]), multi_label=True)
    assert average_precision(only)["average_precision/samples"] == 1.0


def test_classes_that_an_average_leaves_out_are_counted() -> None:
    labels = np.array([[1, 0, 1], [0, 0, 1]])
    p = Predictions(np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 1.0]]), labels, multi_label=True)
    assert average_precision(p)["skipped/average_precision"] == 1.0
    assert auroc(p)["skipped/auroc"] == 2.0
    assert "skipped/balanced_accuracy" not in balanced_accuracy(Predictions(np.eye(2), np.arange(2)))
    assert balanced_accuracy(Predictions(np.eye(3), np.array([0, 1, 1])))["skipped/balanced_accuracy"] == 1.0


def test_surprise_is_exact_at_both_ends() -> None:
    sure = Predictions(np.array([[60.0, 0.0, 0.0]]), np.array([0]))
    assert nll(sure)["nll"] == pytest.approx(2 * np.exp(-60.0), rel=1e-9, abs=0)
    assert nll(Predictions(np.array([[1e4, 0.0]]), np.array([1])))["nll"] == 1e4
    both = Predictions(np.array([[50.0, -50.0]]), np.array([[1, 0]]), multi_label=True)
    assert nll(both)["nll"] == pytest.approx(np.exp(-50.0), rel=1e-9, abs=0)


@pytest.mark.parametrize("ties", [False, True])
def test_lists_of_classes_agree_with_scikit_learn(ties: bool) -> None:
    rng = np.random.default_rng(5)
    labels = (rng.random((70, 6)) < 0.3).astype(np.int64)
    logits = rng.integers(-2, 3, (70, 6)).astype(np.float32) if ties else rng.normal(size=(70, 6))
    result = average_precision(Predictions(logits, labels, multi_label=True))["average_precision/samples"]
    some = labels.any(1)
    assert not some.all()
    assert result == pytest.approx(average_precision_score(labels[some], logits[some], average="samples"))
