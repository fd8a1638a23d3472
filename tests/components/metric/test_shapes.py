"""Predictions are of the same items in all their parts, or are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vsebench.components.metric._answers import Answers
from vsebench.components.metric._sides import Gallery
from vsebench.components.metric.base import Predictions
from vsebench.core.errors import MetricError
from vsebench.core.metric_specs import compute, parse_metrics

LABELS, VECTORS, OWN = np.array([0, 1, 1]), np.eye(3, dtype=np.float32), np.arange(3)


def made(**parts: Any) -> Predictions:
    plain: dict[str, Any] = {"logits": VECTORS, "labels": LABELS, "embeddings": {"image": VECTORS, "text": VECTORS}}
    return Predictions(**{**plain, **parts})


def test_one_caption_each_is_the_default() -> None:
    metrics = compute(made(), parse_metrics(["recall@1", "median_rank", "rsum", "map", "precision@1"]))
    assert metrics["i2t/recall@1"] == metrics["t2i/recall@1"] == metrics["i2t/map"] == 1.0
    assert metrics["rsum"] == 600.0
    assert compute(made(embeddings={}, pairs=VECTORS), parse_metrics(["recall@1"]))["t2i/recall@1"] == 1.0


FOUR = np.eye(4, 3, dtype=np.float32)


def side(embeddings: dict[str, np.ndarray], groups: np.ndarray) -> Gallery:
    return Gallery(LABELS, embeddings, OWN, groups)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"embeddings": {"image": VECTORS, "text": FOUR}}, "there are 4 captions of 3 items; 'owner' must say whose"),
        ({"embeddings": {}, "pairs": np.ones((3, 5))}, "there are 5 captions of 3 items"),
        ({"embeddings": {}, "pairs": np.ones((2, 3))}, r"scores of pairs have shape \(2, 3\); 3 items and 3 captions"),
        ({"embeddings": {"image": FOUR, "text": VECTORS}}, "image embeddings are of 4 items, labels of 3"),
        ({"owner": np.arange(4)}, "caption 3 belongs to item 3 of 3"),
        ({"owner": np.array([0, 1])}, "text embeddings are of 3 captions, owner says whose 2 are"),
        ({"owner": np.array([0, 1, -1])}, "caption 2 belongs to item -1 of 3"),
        ({"groups": np.arange(2)}, "groups are of 2 items, labels of 3"),
        ({"logits": FOUR}, "logits are of 4 items, labels of 3"),
        ({"logits": np.ones(3)}, r"logits have shape \(3,\)"),
        ({"logits": np.ones((3, 0))}, "a class at least"),
        ({"labels": np.array([0, 1, 3])}, "the label of item 2 is 3; it is a class from 0 to 2"),
        ({"labels": np.array([0, -1, 1])}, "the label of item 1 is -1"),
        ({"labels": np.ones((3, 3), int)}, r"labels have shape \(3, 3\); they are class numbers"),
        ({"multi_label": True}, r"labels have shape \(3,\); they are 0/1"),
        ({"labels": np.ones((3, 2), int), "multi_label": True}, "labels are of 2 classes, logits of 3"),
        ({"labels": np.full((3, 3), 2), "multi_label": True}, "the label of item 0 is .* it is 0 or 1"),
        ({"embeddings": {"image": VECTORS, "text": np.ones((3, 4), np.float32)}}, "different sizes .* image 3, text 4"),
        ({"embeddings": {"image": VECTORS[0]}}, r"image embeddings have shape \(3,\)"),
        ({"answers": Answers(OWN, OWN, OWN, np.ones(2, int))}, "answers are of 2 items, labels of 3"),
        ({"gallery": side({"image": VECTORS, "text": FOUR}, OWN)}, "the gallery's text embeddings are of 4"),
        ({"gallery": side({"image": VECTORS, "text": VECTORS}, OWN[:2])}, "the gallery's groups are of 2"),
        ({"logits": None, "labels": np.zeros(0, int), "embeddings": {}}, "there are no items"),
    ],
)  # fmt: skip
def test_lengths_that_do_not_fit_are_refused(parts: dict[str, Any], text: str) -> None:
    with pytest.raises(MetricError, match=text):
        made(**parts)
