"""Queries without a relevant item are left out of every ranking metric, and counted beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vsebench.components.metric.base import Predictions
from vsebench.core.errors import MetricError
from vsebench.core.metric_specs import compute, metric_entry, mode_of, parse_metrics
from vsebench.core.registry import METRICS
from vsebench.ops.ranking import neighbour_precision

RANKED = ["recall@{1,5}", "median_rank", "mean_rank", "rsum", "map", "map@5:min", "ndcg@5", "set_recall@5"]


def ranked(items: int, without: tuple[int, ...] = (), **changes: Any) -> Predictions:
    """Every image beside its own caption, but for those that have none."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(items, 8)).astype(np.float32)
    owner = np.setdiff1d(np.arange(items), without)
    both = {"image": image, "text": image[owner]}
    return Predictions(
        None, np.zeros(items, np.int64), embeddings=both, owner=owner, groups=np.arange(items), **changes
    )


def test_every_ranking_metric_counts_what_it_leaves_out() -> None:
    metrics = compute(ranked(9, (2, 5)), parse_metrics(RANKED))
    for entry in ("recall@1", "recall@5", "median_rank", "mean_rank", "rsum", "map", "map@5:min", "ndcg@5"):
        assert metrics[f"i2t/skipped/{entry}"] == 2.0, entry
        assert f"t2i/skipped/{entry}" not in metrics
        assert metric_entry(f"test/i2t/skipped/{entry}") == entry
    assert metrics["i2t/recall@1"] == metrics["i2t/median_rank"] == 1.0
    whole = compute(ranked(9), parse_metrics(RANKED))
    assert not [key for key in whole if "skipped" in key]


def test_folds_add_up_what_they_leave_out() -> None:
    metrics = compute(ranked(2_000, (3, 1_004, 1_005)), parse_metrics(["recall_1k@1", "rsum_1k"]))
    assert metrics["i2t/skipped/recall_1k@1"] == metrics["i2t/skipped/rsum_1k"] == 3.0
    assert metrics["rsum_1k"] == 600.0


@pytest.mark.parametrize("entry", ["recall@1", "median_rank", "mean_rank", "rsum", "map"])
def test_nothing_to_find_is_an_error_and_no_number(entry: str) -> None:
    p = ranked(4)
    apart = Predictions(None, p.labels, embeddings=p.embeddings, owner=np.zeros(4, np.int64), groups=np.arange(4))
    metrics = compute(apart, parse_metrics([entry]))  # three images have no caption, the first has four
    assert metrics[f"i2t/skipped/{entry}"] == 3.0
    elsewhere = Predictions(
        None, p.labels, embeddings=p.embeddings, owner=p.owner, groups=p.groups, gallery=_other(p, p.groups + 10)
    )
    with pytest.raises(MetricError, match="no query of i2t has a relevant item"):
        compute(elsewhere, parse_metrics([entry]))


def _other(p: Predictions, groups: np.ndarray) -> Any:
    from vsebench.components.metric._sides import Gallery

    return Gallery(p.labels, p.embeddings, p.owner, groups)


def test_a_single_image_has_no_neighbours() -> None:
    one = Predictions(None, np.zeros(1, np.int64), embeddings={"image": np.ones((1, 3), np.float32)})
    assert METRICS.build("precision", {"k": 10}, predictions=one) == {"i2i/precision@10": 0.0}
    two = neighbour_precision(np.eye(2, dtype=np.float32), np.zeros(2, np.int64), 10)
    assert two.tolist() == [1.0, 1.0]


def test_counts_and_thresholds_are_no_quality() -> None:
    assert mode_of("test/i2t/skipped/median_rank") is mode_of("test/skipped/f1") is mode_of("val/f1/threshold") is None
