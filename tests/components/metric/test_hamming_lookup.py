"""Hash lookup, and the curves of codes, against slow loops."""

from __future__ import annotations

from dataclasses import replace

import code_predictions as made
import numpy as np
import pytest
import tie_orders as slow

from vsebench.components.metric._curves import compact, curves_of
from vsebench.components.metric.base import Predictions
from vsebench.components.metric.hamming_lookup import hamming_lookup
from vsebench.core.errors import ConfigError, MetricError
from vsebench.core.metric_specs import Metric, compute, metric_entry, parse_metrics


def by_loops(p: Predictions, direction: str, radius: int) -> tuple[list[tuple[int, int, int]], int]:
    """(returned, good, relevant) of every query that has a relevant item, and how many have none."""
    apart, good = made.loops(p, direction)
    results = []
    for row, marks in zip(apart.tolist(), good.tolist(), strict=True):
        inside = [mark for d, mark in zip(row, marks, strict=True) if d <= radius]
        results.append((len(inside), sum(inside), sum(marks)))
    requested = [one for one in results if one[2]]
    return requested, len(results) - len(requested)


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
@pytest.mark.parametrize("radius", [0, 1, 2, 6, 50])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_its_definition(seed: int, radius: int, direction: str) -> None:
    p = made.random_predictions(np.random.default_rng(seed), queries=15, gallery=30, bits=6)
    requested, skipped = by_loops(p, direction, radius)
    result, key = hamming_lookup(p, k=radius), f"{direction}/hamming_lookup@{radius}"
    precisions = [good / returned if returned else 0.0 for returned, good, _ in requested]
    recalls = [good / relevant for _, good, relevant in requested]
    both = [2 * a * b / (a + b) if a + b else 0.0 for a, b in zip(precisions, recalls, strict=True)]
    assert result[f"{key}/precision"] == pytest.approx(np.mean(precisions))
    assert result[f"{key}/recall"] == pytest.approx(np.mean(recalls))
    assert result[f"{key}/f1"] == pytest.approx(np.mean(both))
    assert result[f"{key}/empty"] == sum(returned == 0 for returned, _, _ in requested)
    assert result.get(f"{direction}/skipped/hamming_lookup@{radius}", 0) == skipped
    chance = [relevant / 30 if returned else 0.0 for returned, _, relevant in requested]
    assert result[f"{direction}/chance/hamming_lookup@{radius}/precision"] == pytest.approx(np.mean(chance))
    pooled, key = hamming_lookup(p, k=radius, variant="micro"), key + ":micro"
    returned, good, relevant = (sum(one[i] for one in requested) for i in range(3))
    assert pooled[f"{key}/recall"] == pytest.approx(good / relevant)
    assert pooled[f"{key}/precision"] == pytest.approx(good / returned)
    assert pooled[f"{key}/f1"] == pytest.approx(2 * good / (returned + relevant))


def test_nothing_returned() -> None:
    here, present = np.ones((2, 4), np.float32), -np.ones((3, 4), np.float32)
    query, ranked_gallery = np.ones((2, 1), np.int64), np.ones((3, 1), np.int64)
    p = made.predictions(query, ranked_gallery, image=here, text=here, gallery_image=present, gallery_text=present)
    metrics = compute(p, parse_metrics(["hamming_lookup@2", "hamming_lookup@2:micro"]))
    assert metrics["i2t/hamming_lookup@2/precision"] == metrics["i2t/hamming_lookup@2/f1"] == 0
    assert metrics["i2t/hamming_lookup@2/empty"] == 2
    assert metrics["i2t/hamming_lookup@2:micro/recall"] == 0
    assert "i2t/hamming_lookup@2:micro/precision" not in metrics, "a quotient of nothing is left out"
    curves = curves_of(p)["i2t"]
    assert curves["lookup"]["micro"]["precision"] == [None] * 4 + [1.0]
    assert curves["lookup"]["macro"]["precision"] == [0.0] * 4 + [1.0]
    assert curves["lookup"]["empty"] == [2] * 4 + [0]


def test_entries() -> None:
    assert parse_metrics(["hamming_lookup@{0,1,2}"]) == [Metric("hamming_lookup", k) for k in (0, 1, 2)]
    assert metric_entry("t2i/hamming_lookup@2:micro/precision") == "hamming_lookup@2:micro"
    with pytest.raises(ConfigError, match="k must be at least 1"):
        parse_metrics(["recall@0"])
    p = made.random_predictions(np.random.default_rng(0))
    with pytest.raises(MetricError, match="'hamming_lookup@1' has nothing to average: no query of i2t"):
        hamming_lookup(replace(p, labels=np.zeros_like(p.labels)), k=1)


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_curves_are_their_definition(direction: str) -> None:
    p = made.random_predictions(np.random.default_rng(5), queries=6, gallery=7, bits=4)
    curves = curves_of(p)[direction]
    apart, good = made.loops(p, direction)
    assert (curves["bits"], curves["queries"], curves["gallery"]) == (4, int(good.any(1).sum()), 7)
    for radius in range(5):
        requested, _ = by_loops(p, direction, radius)
        returned, right, relevant = (sum(one[i] for one in requested) for i in range(3))
        micro, macro = curves["lookup"]["micro"], curves["lookup"]["macro"]
        assert micro["recall"][radius] == pytest.approx(right / relevant)
        assert micro["precision"][radius] == (pytest.approx(right / returned) if returned else None)
        assert macro["recall"][radius] == pytest.approx(np.mean([g / r for _, g, r in requested]))
        assert macro["precision"][radius] == pytest.approx(np.mean([g / n if n else 0 for n, g, _ in requested]))
    assert curves["lookup"]["micro"]["recall"][-1] == 1.0, "the last radius returns all"
    assert curves["topn"]["n"] == [1, 2, 5, 7]
    for n, value in zip(curves["topn"]["n"], curves["topn"]["precision"], strict=True):
        assert value == pytest.approx(slow.expected(-apart, good, slow.precision_at(n)))


def test_what_a_board_keeps_is_small_and_rounded() -> None:
    p = made.random_predictions(np.random.default_rng(5), queries=60, gallery=900, bits=64)
    selected = compact(curves_of(p))
    assert set(selected["i2t"]) == {"bits", "lookup", "topn"}
    assert len(selected["t2i"]["lookup"]["precision"]) == len(selected["t2i"]["lookup"]["recall"]) == 65
    assert all(v is None or v == float(f"{v:.4g}") for v in selected["i2t"]["lookup"]["precision"])
    assert curves_of(replace(p, similarity="cosine")) == {}
