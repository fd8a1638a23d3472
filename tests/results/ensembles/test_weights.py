"""Weights on a grid."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vsebench.components.metric.base import Predictions
from vsebench.core.errors import ConfigError
from vsebench.core.metric_specs import compute, parse_metrics
from vsebench.results.ensembles.scores import Combined, combined
from vsebench.results.ensembles.weights import STEPS, best_weights, simplex

COUNT = 12


def together(*pairs: np.ndarray) -> Combined:
    parts = [
        Predictions(
            None, np.zeros(COUNT, np.int64), owner=np.arange(COUNT), groups=np.arange(COUNT), pairs=p.astype(np.float32)
        )
        for p in pairs
    ]
    return combined(parts, (1 / len(parts),) * len(parts), "zscore")


def noise(seed: int, signal: float) -> np.ndarray:
    return signal * np.eye(COUNT) + np.random.default_rng(seed).normal(size=(COUNT, COUNT))


@pytest.mark.parametrize("count", STEPS)
def test_a_grid_has_every_share_once(count: int) -> None:
    steps = STEPS[count]
    points = list(simplex(count, steps))
    assert len(set(points)) == len(points) == math.comb(steps + count - 1, count - 1)
    assert all(math.isclose(sum(p), 1) and min(p) >= 0 for p in points)
    assert {tuple(float(i == j) for j in range(count)) for i in range(count)} <= set(points)


def test_the_best_point_is_that_of_a_loop() -> None:
    parts = [noise(0, 1.5), noise(1, 1.0), noise(2, 0.5)]
    result, value = best_weights(together(*parts), "rsum", "max")
    metric = parse_metrics(["rsum"])
    tried = {}
    for point in simplex(3, 10):
        whole = together(*parts)
        tried[point] = compute(Combined(**{**vars_of(whole), "weights": point}), metric)["rsum"]
    assert value == max(tried.values()) == tried[result]
    even = [p for p, v in tried.items() if v == value]
    assert sum(w**2 for w in result) == min(sum(w**2 for w in p) for p in even)


def vars_of(whole: Combined) -> dict[str, object]:
    names = ("logits", "labels", "owner", "groups", "parts", "rule")
    return {name: getattr(whole, name) for name in names}


def test_a_useless_run_gets_no_weight_where_it_would_hurt() -> None:
    right, wrong = 10 * np.eye(COUNT), -10 * np.eye(COUNT)
    weights, value = best_weights(together(wrong, right), "i2t/recall@1", "max")
    assert value == 1.0
    assert weights[1] > weights[0]
    weights, value = best_weights(together(right, wrong), "i2t/median_rank", "min")
    assert value == 1.0
    assert weights[0] > weights[1]


def test_equally_good_weights_are_even() -> None:
    weights, _ = best_weights(together(np.eye(COUNT), np.eye(COUNT)), "i2t/recall@1", "max")
    assert weights == (0.5, 0.5)


def test_what_cannot_be_chosen_is_said() -> None:
    with pytest.raises(ConfigError, match="weights of 7 runs cannot be searched on a grid; 6 is the most"):
        best_weights(together(*[np.eye(COUNT)] * 7), "rsum", "max")
    with pytest.raises(ConfigError, match=r"'val/accuracy' is not a number of rankings.*Known: none\."):
        best_weights(together(np.eye(COUNT), np.eye(COUNT)), "accuracy", "max")
