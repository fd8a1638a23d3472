"""Numbers of resampled items: those of the metric for items that are repeated as often as they were drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vsebench.components.metric._sides import Gallery
from vsebench.components.metric.base import Predictions
from vsebench.core.errors import MetricError
from vsebench.core.metric_specs import compute, mode_of, parse_metrics, resampled
from vsebench.core.registry import METRICS
from vsebench.stats.bootstrap import draws

ITEMS, CLASSES, SAMPLES = 30, 7, 12
CLASSIFIED = ("average_precision", "auroc", "f1", "balanced_accuracy", "nll", "brier", "top5_accuracy", "ece")
RANKED = ("map", "map@r", "map@5:found", "map@5:min", "map@5:all", "ndcg@5", "set_recall@3")


def classified(*, multi_label: bool, seed: int = 0) -> Predictions:
    """Logits that tie, a class that occurs once and one that never does."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(CLASSES - 2, size=ITEMS)
    labels[4] = CLASSES - 2
    if multi_label:
        labels = ((generator.random((ITEMS, CLASSES)) < 0.3) & (np.arange(CLASSES) < CLASSES - 2)).astype(np.int64)
        labels[4, CLASSES - 2] = 1
    right = labels if multi_label else np.eye(CLASSES)[labels]
    logits = np.round(1.5 * right + generator.standard_normal((ITEMS, CLASSES)), 0 if seed else 6)
    thresholds = {"f1": 1.0, "f1/micro": 0.5} if multi_label else {}
    return Predictions(logits.astype(np.float32), labels, multi_label=multi_label, thresholds=thresholds)


def counts_of(seed: int = 0) -> np.ndarray:
    return np.concatenate(list(draws(np.arange(ITEMS), resamples=SAMPLES, seed=seed)), axis=1)


def repeated(predictions: Predictions, times: np.ndarray) -> Predictions:
    """The obvious way: every item as often as it was drawn."""
    rows = np.repeat(np.arange(ITEMS), times)
    assert predictions.logits is not None
    labels, logits = predictions.labels[rows], predictions.logits[rows]
    return Predictions(logits, labels, multi_label=predictions.multi_label, thresholds=predictions.thresholds)


@pytest.mark.parametrize("seed", [0, 1], ids=["no ties", "ties"])
@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("name", CLASSIFIED)
def test_as_the_metric_has_it_for_repeated_items(name: str, multi_label: bool, seed: int) -> None:
    predictions, metrics, counts = classified(multi_label=multi_label, seed=seed), parse_metrics([name]), counts_of()
    try:
        expected = [compute(repeated(predictions, times), metrics) for times in counts.T]
    except MetricError:  # of single-label data alone
        assert multi_label
        return
    result = resampled(predictions, metrics, counts)
    assert set(result) == {key for key in expected[0] if mode_of(key) is not None}
    for key, values in result.items():
        assert values == pytest.approx([one[key] for one in expected], abs=1e-9), key


def queried(seed: int = 0) -> Predictions:
    """Several captions of an image, items that match others, one without a caption, and vectors that tie."""
    generator = np.random.default_rng(seed)
    owner = np.sort(generator.integers(ITEMS - 1, size=2 * ITEMS))
    groups = generator.integers(ITEMS // 2, size=ITEMS)
    vectors = {"image": generator.integers(-1, 2, (ITEMS, 3)), "text": generator.integers(-1, 2, (2 * ITEMS, 3))}
    embeddings = {name: values.astype(np.float32) for name, values in vectors.items()}
    return Predictions(None, np.zeros(ITEMS, np.int64), embeddings=embeddings, owner=owner, groups=groups)


@pytest.mark.parametrize("entry", RANKED)
def test_queries_are_drawn_with_their_items_and_the_gallery_stays(entry: str) -> None:
    predictions, metrics, counts = queried(), parse_metrics([entry]), counts_of()
    gallery = Gallery(predictions.labels, predictions.embeddings, predictions.owner, predictions.groups)
    result = resampled(predictions, metrics, counts)
    assert set(result) == {f"i2t/{entry}", f"t2i/{entry}"}
    for sample, times in enumerate(counts.T):
        rows = np.repeat(np.arange(ITEMS), times)
        captions = [np.flatnonzero(predictions.owner == row) for row in rows]
        again = Predictions(
            None,
            predictions.labels[rows],
            groups=predictions.groups[rows],
            owner=np.repeat(np.arange(len(rows)), [len(c) for c in captions]),
            embeddings={
                "image": predictions.embeddings["image"][rows],
                "text": predictions.embeddings["text"][np.concatenate(captions)],
            },
            gallery=gallery,
        )
        expected = compute(again, metrics)
        for key, values in result.items():
            assert values[sample] == pytest.approx(expected[key]), key


def test_a_resample_without_any_class_is_not_a_number() -> None:
    predictions = classified(multi_label=True)
    alone = np.zeros((ITEMS, 1), np.int32)
    alone[np.flatnonzero(predictions.labels.sum(1) == 0)[0]] = 3
    result = resampled(predictions, parse_metrics(["average_precision", "auroc"]), alone)
    assert all(math.isnan(values[0]) for values in result.values())
    with pytest.raises(MetricError):
        compute(repeated(predictions, alone[:, 0]), parse_metrics(["auroc"]))


@pytest.mark.parametrize("seed", [0, 1], ids=["no ties", "ties"])
def test_items_that_are_drawn_many_thousand_times_overflow_nothing(seed: int) -> None:
    """Ranking numbers depend on shares alone, and sums of such counts need more than two bytes."""
    counts, metrics = counts_of(), parse_metrics(["average_precision", "auroc"])
    few, many = (resampled(classified(multi_label=False, seed=seed), metrics, factor * counts) for factor in (1, 9_973))
    for key, values in few.items():
        assert many[key] == pytest.approx(values, abs=1e-12), key


def test_every_item_once_is_the_metric() -> None:
    for multi_label in (False, True):
        predictions = classified(multi_label=multi_label)
        single = {"balanced_accuracy", "top5_accuracy", "ece"} if multi_label else set()
        names = [name for name in CLASSIFIED if name not in single]
        result = resampled(predictions, parse_metrics(names), np.ones((ITEMS, 1), np.int32))
        whole = compute(predictions, parse_metrics(names))
        assert {key: values[0] for key, values in result.items()} == pytest.approx({key: whole[key] for key in result})


def test_who_says_how() -> None:
    """A plug-in's metric takes part by the same fact."""
    names = {parse_metrics([entry])[0].name for entry in (*CLASSIFIED, *RANKED)}
    assert {name for name in METRICS.names() if METRICS.get(name).facts["resample"] is not None} == names
    assert resampled(classified(multi_label=False), parse_metrics(["accuracy"]), counts_of()) == {}
