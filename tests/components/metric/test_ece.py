"""Calibration with tied confidences, against slow loops over every order of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vsebench.components.metric.base import Predictions
from vsebench.components.metric.ece import ece
from vsebench.core.errors import MetricError


def constant(share: float, items: int = 1_000) -> Predictions:
    """Always 70 % sure of class 0, which is right in ``share`` of the items, those that are wrong first."""
    logits = np.tile(np.log([0.7, 0.3]), (items, 1))
    return Predictions(logits, (np.arange(items) < round((1 - share) * items)).astype(np.int64))


def test_a_constant_classifier_scores_its_distance_from_calibration() -> None:
    assert ece(constant(0.7))["ece"] == pytest.approx(0.0, abs=1e-12)
    assert ece(constant(0.4))["ece"] == pytest.approx(0.3)
    assert ece(constant(0.7, items=7))["ece"] == pytest.approx(abs(0.7 - 5 / 7))


def test_equal_confidence_in_different_classes_is_tied() -> None:
    rng = np.random.default_rng(0)
    message = rng.integers(0, 7, 1_400)
    logits = 3.0 * np.eye(7, dtype=np.float32)[message] + rng.integers(0, 9, (1_400, 1)).astype(np.float32)
    p = np.e**3 / (np.e**3 + 6)
    labels = np.where(np.arange(1_400) < round(p * 1_400), message, (message + 1) % 7)
    assert ece(Predictions(logits, labels))["ece"] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_a_bin_counts_what_it_holds_on_average_over_the_orders_of_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sure = rng.choice([0.6, 0.8, 0.9], 6)
    labels = rng.integers(0, 2, 6)
    p = Predictions(np.log(np.stack([sure, 1 - sure], 1)), labels)
    bins = 4
    sizes = [len(part) for part in np.array_split(np.arange(6), bins)]
    orders = [o for o in itertools.permutations(range(6)) if all(sure[a] <= sure[b] for a, b in itertools.pairwise(o))]
    hits = np.zeros(bins)
    for order in orders:
        parts = np.split(labels[list(order)] == 0, np.cumsum(sizes)[:-1])
        hits += np.array([part.sum() for part in parts]) / len(orders)
    mass = np.array([part.sum() for part in np.split(np.sort(sure), np.cumsum(sizes)[:-1])])
    assert ece(p, bins=bins)["ece"] == pytest.approx(float(np.abs(hits - mass).sum() / 6))


def test_the_order_of_items_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    logits, labels = rng.integers(0, 3, (50, 4)).astype(np.float32), rng.integers(0, 4, 50)
    order = rng.permutation(50)
    assert ece(Predictions(logits[order], labels[order])) == pytest.approx(ece(Predictions(logits, labels)))


def test_degenerate_inputs() -> None:
    assert ece(Predictions(np.array([[5.0, 0.0]]), np.array([0])))["ece"] == pytest.approx(1 / (1 + np.e**5))
    assert ece(Predictions(np.ones((3, 1)), np.zeros(3, np.int64))) == {"ece": 0.0}
    huge = Predictions(np.array([[3e38, -3e38], [3e38, -3e38]], np.float32), np.array([0, 1]))
    assert ece(huge) == {"ece": 0.5}
    with pytest.raises(MetricError, match="average_precision"):
        ece(Predictions(np.zeros((2, 2)), np.zeros((2, 2), np.int64), multi_label=True))
