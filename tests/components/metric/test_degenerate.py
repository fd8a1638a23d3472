"""Every metric on inputs at the edge: a finite number or one clear error, the same for every order and type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vsebench.components.metric._answers import Answers
from vsebench.components.metric.base import Predictions
from vsebench.core.errors import MetricError
from vsebench.core.metric_specs import compute, forms, parse_metrics
from vsebench.core.registry import METRICS

NAMES = METRICS.names()
ENTRIES = [name + form.replace("{k}", "3") for name in NAMES for form in forms(name)]
CLASSES = [e for e in ENTRIES if METRICS.get(parse_metrics([e])[0].name).facts["needs"][0] == "logits"]


def everything(n: int, classes: int = 4, **parts: Any) -> Predictions:
    """Logits, codes as embeddings, and answers."""
    rng = np.random.default_rng(n)
    labels = np.arange(n) % classes
    answers = Answers(np.arange(n), labels, np.full(n, 7), np.full(n, 10))
    codes = {m: np.where(rng.random((n, 8)) < 0.5, -1, 1).astype(np.float32) for m in ("image", "text")}
    plain: dict[str, Any] = {
        "logits": rng.normal(size=(n, classes)).astype(np.float32),
        "labels": labels,
        "embeddings": codes,
        "similarity": "hamming",
        "answers": answers,
    }
    return Predictions(**{**plain, **parts})


def numbers(entry: str, predictions: Predictions) -> dict[str, float]:
    """Finite numbers; none where the metric says in a sentence why there are none."""
    try:
        metrics = compute(predictions, parse_metrics([entry]))
    except MetricError:
        return {}
    assert metrics
    for key, value in metrics.items():
        assert isinstance(value, float), key
        assert np.isfinite(value), f"{key} is {value}"
    return metrics


@pytest.mark.parametrize("entry", ENTRIES)
def test_edges_give_finite_numbers_or_an_error(entry: str) -> None:
    for predictions in (
        everything(1),
        everything(1, classes=1),
        everything(6, classes=1),
        everything(6, logits=np.zeros((6, 4), np.float32)),
        everything(6, logits=np.full((6, 4), 3e38, np.float32)),
        everything(6, logits=np.where(np.eye(6, 4) > 0, 3e38, -3e38).astype(np.float32)),
        everything(6, logits=(1e4 * np.eye(6, 4)).astype(np.float16)),
        everything(6, labels=np.zeros(6, np.int64)),
        everything(6, groups=np.zeros(6, np.int64)),
        everything(6, embeddings={m: np.ones((6, 8), np.float32) for m in ("image", "text")}),
    ):
        numbers(entry, predictions)


@pytest.mark.parametrize("entry", [e for e in CLASSES if not e.startswith(("vqa", "top5"))])
def test_multi_label_edges(entry: str) -> None:
    for labels in (np.zeros((5, 3), int), np.ones((5, 3), int), np.eye(5, 3, dtype=int), np.ones((5, 1), int)):
        for scale in (0.0, 1.0, 1e4, -1e30):
            logits = (scale * np.random.default_rng(0).normal(size=labels.shape)).astype(np.float32)
            numbers(entry, Predictions(logits, labels, multi_label=True))


@pytest.mark.parametrize("entry", CLASSES)
def test_neither_order_nor_a_constant_nor_the_type_matters(entry: str) -> None:
    rng = np.random.default_rng(1)
    logits = rng.integers(-6, 7, (40, 7)).astype(np.float16)  # with ties, exact in every type
    labels = rng.integers(0, 7, 40)
    base = everything(40, 7, labels=labels, logits=logits)
    wanted = numbers(entry, base)
    assert wanted
    order = rng.permutation(40)
    place = np.argsort(order)
    answers = base.answers
    assert answers is not None
    items = np.sort(place)
    moved = Answers(items, answers.label[order], answers.count[order], answers.given[order])
    for changed in (
        replace(base, logits=logits[order], labels=labels[order], answers=moved, embeddings={}),
        replace(base, logits=logits.astype(np.float64)),
        replace(base, logits=logits.astype(np.float32) + 256),
    ):
        assert numbers(entry, changed) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("entry", CLASSES)
def test_nan_is_no_number(entry: str) -> None:
    logits = np.zeros((4, 7), np.float32)
    logits[2, 1] = np.nan
    with pytest.raises(MetricError, match="logits of 1 items are NaN or infinite; the first is item 2"):
        compute(everything(4, 7, logits=logits), parse_metrics([entry]))
