"""Metrics against slow, obvious loops and independent libraries; the traps of their definitions."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
import torchmetrics.functional as tmf
from sklearn.metrics import balanced_accuracy_score, brier_score_loss

from vsebench.components.metric.base import Predictions
from vsebench.core.errors import MetricError
from vsebench.core.metric_specs import Metric, compute, metric_entry, mode_of, parse_metrics
from vsebench.core.registry import METRICS
from vsebench.ops.ranking import Ranks, neighbour_precision, rank_queries, similarity_rows
from vsebench.ops.relevance import by_group

RNG = np.random.default_rng(0)
CLASSIFICATION = [n for n in METRICS.names() if METRICS.get(n).facts["needs"] == ("logits",)]


def ranked(query: np.ndarray, gallery: np.ndarray, *groups: np.ndarray, **options: Any) -> Ranks:
    sizes = {"queries": len(query), "gallery": len(gallery)}
    return rank_queries(similarity_rows(query, gallery), by_group(*groups), **sizes, **options)


def classified(n: int = 60, classes: int = 7, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)).astype(np.float32)
    logits[np.arange(n), labels] += 1
    return Predictions(logits, labels)


def embedded(n: int = 24, captions: int = 2, dim: int = 6, seed: int = 0, **changes: Any) -> Predictions:
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(n, dim)).astype(np.float32)
    owner = np.tile(np.arange(n), captions)
    text = (image[owner] + rng.normal(size=(n * captions, dim))).astype(np.float32)
    parts: dict[str, Any] = {"embeddings": {"image": image, "text": text}, "owner": owner, "groups": np.arange(n)}
    return Predictions(rng.normal(size=(n, 7)).astype(np.float32), rng.integers(0, 7, n), **{**parts, **changes})


def everything(predictions: Predictions) -> dict[str, float]:
    names = ["recall@{1,5}", "median_rank", "mean_rank", "rsum", "precision@3"]
    return compute(predictions, parse_metrics([*CLASSIFICATION, *names]))


def test_classification_agrees_with_torchmetrics_and_scikit_learn() -> None:
    p = classified()
    probabilities, labels = torch.from_numpy(p.probabilities), torch.from_numpy(p.labels)
    result = everything(p)
    task = {"task": "multiclass", "num_classes": 7}
    facts = {
        "accuracy": tmf.accuracy(probabilities, labels, average="micro", **task),
        "top5_accuracy": tmf.accuracy(probabilities, labels, average="micro", top_k=5, **task),
        "average_precision": tmf.average_precision(probabilities, labels, average="macro", **task),
        "average_precision/weighted": tmf.average_precision(probabilities, labels, average="weighted", **task),
        "auroc": tmf.auroc(probabilities, labels, average="macro", **task),
        "f1": tmf.f1_score(probabilities, labels, average="macro", **task),
    }
    for key, value in facts.items():
        assert result[key] == pytest.approx(float(value), abs=1e-6), key
    assert result["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(p.labels, p.logits.argmax(1)))
    assert result["nll"] == pytest.approx(
        float(torch.nn.functional.cross_entropy(torch.from_numpy(p.logits), labels)), abs=1e-6
    )


def test_brier_is_its_definition() -> None:
    """Scikit-learn's binary score of each class: their sum for one label, their mean for several."""
    p = classified()
    of_class = [brier_score_loss(p.labels == c, p.probabilities[:, c]) for c in range(7)]
    assert everything(p)["brier"] == pytest.approx(sum(of_class))
    several = (RNG.random((60, 7)) < 0.4).astype(np.int64)
    p = Predictions(p.logits, several, multi_label=True)
    of_class = [brier_score_loss(several[:, c], p.probabilities[:, c]) for c in range(7)]
    assert METRICS.build("brier", predictions=p)["brier"] == pytest.approx(np.mean(of_class))
    sure = Predictions(np.array([[900.0, 0.0], [900.0, 0.0]]), np.array([0, 1]))
    assert METRICS.build("brier", predictions=sure) == {"brier": 1.0}, "0 where right, 2 where wrong"


def test_ece_is_its_definition() -> None:
    p = classified(61)
    confidence, right = p.probabilities.max(1), p.logits.argmax(1) == p.labels
    order = sorted(range(61), key=lambda i: (confidence[i], right[i]))
    sizes = [61 // 15 + (b < 61 % 15) for b in range(15)]
    total, at = 0.0, 0
    for size in sizes:
        part = order[at : at + size]
        at += size
        total += size / 61 * abs(np.mean([right[i] for i in part]) - np.mean([confidence[i] for i in part]))
    assert METRICS.build("ece", predictions=p)["ece"] == pytest.approx(total)


def test_average_precision_is_its_definition() -> None:
    p = classified(40, 3)
    values = []
    for c in range(3):
        order = np.argsort(-p.probabilities[:, c], kind="stable")
        hits, total = 0, 0.0
        for rank, i in enumerate(order, start=1):
            if p.labels[i] == c:
                hits += 1
                total += hits / rank
        values.append(total / hits)
    assert METRICS.build("average_precision", predictions=p)["average_precision"] == pytest.approx(np.mean(values))


def test_multi_label_data() -> None:
    labels = (RNG.random((30, 4)) < 0.4).astype(np.int64)
    p = Predictions(RNG.normal(size=(30, 4)).astype(np.float32) + labels, labels, multi_label=True)
    result = METRICS.build("average_precision", predictions=p)
    message = tmf.average_precision(
        torch.from_numpy(p.probabilities), torch.from_numpy(labels), task="multilabel", num_labels=4, average="macro"
    )
    assert result["average_precision"] == pytest.approx(float(message), abs=1e-6)
    assert "average_precision/samples" in result
    for name in ("accuracy", "top5_accuracy", "balanced_accuracy", "ece"):
        with pytest.raises(MetricError, match="average_precision"):
            METRICS.build(name, predictions=p)


def slow_hit(scores: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """Expected hit rate by trying every order of the tied items."""
    values = []
    for q in range(len(scores)):
        hits = []
        for order in itertools.permutations(range(scores.shape[1])):
            if all(scores[q, a] >= scores[q, b] for a, b in itertools.pairwise(order)):
                hits.append(any(relevant[q, i] for i in order[:k]))
        values.append(np.mean(hits))
    return float(np.mean(values))


def slow_first(scores: np.ndarray, relevant: np.ndarray) -> list[float]:
    values = []
    for q in range(len(scores)):
        ranks = []
        for order in itertools.permutations(range(scores.shape[1])):
            if all(scores[q, a] >= scores[q, b] for a, b in itertools.pairwise(order)):
                ranks.append(1 + next(n for n, i in enumerate(order) if relevant[q, i]))
        values.append(float(np.mean(ranks)))
    return values


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ties", [False, True])
def test_ranks_equal_every_order_of_the_ties(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    query = rng.normal(size=(4, 3)).astype(np.float32)
    gallery = rng.normal(size=(6, 3)).astype(np.float32)
    if ties:
        gallery[[1, 3]] = gallery[0]
        gallery[5] = gallery[2]
    query_groups, gallery_groups = np.array([0, 1, 2, 0]), np.array([0, 1, 2, 0, 1, 2])
    ranks = ranked(query, gallery, query_groups, gallery_groups)
    unit_q = query / np.linalg.norm(query, axis=1, keepdims=True)
    unit_g = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    scores = unit_q @ unit_g.T
    if ties:
        assert (scores[:, 1] == scores[:, 0]).all()
    relevant = query_groups[:, None] == gallery_groups[None, :]
    for k in (1, 2, 3, 6, 10):
        assert float(ranks.hit(k).mean()) == pytest.approx(slow_hit(scores, relevant, k))
    assert ranks.first() == pytest.approx(slow_first(scores, relevant))


def test_a_constant_scorer_reaches_chance() -> None:
    same = np.ones((24, 6), np.float32)
    p = embedded(captions=1, embeddings={"image": same, "text": same}, owner=np.arange(24))
    result = everything(p)
    for k in (1, 5):
        assert result[f"i2t/recall@{k}"] == pytest.approx(k / 24)
        assert result[f"i2t/recall@{k}"] == pytest.approx(result[f"i2t/chance/recall@{k}"])
    assert result["t2i/median_rank"] == pytest.approx(12.5)
    flat = Predictions(np.zeros((20, 4), np.float32), np.arange(20) % 4)
    assert METRICS.build("accuracy", predictions=flat)["accuracy"] == pytest.approx(0.25)


def test_chance_with_several_captions() -> None:
    result = everything(embedded(captions=3))
    total, good, k = 72, 3, 5
    assert result["i2t/chance/recall@5"] == pytest.approx(1 - math.comb(total - good, k) / math.comb(total, k))
    assert result["t2i/chance/recall@5"] == pytest.approx(5 / 24)


def test_the_order_of_the_items_does_not_matter() -> None:
    p = embedded()
    order = RNG.permutation(24)
    place = np.argsort(order)
    captions = RNG.permutation(48)
    moved = Predictions(
        p.logits[order],
        p.labels[order],
        embeddings={"image": p.embeddings["image"][order], "text": p.embeddings["text"][captions]},
        owner=place[p.owner[captions]],
        groups=p.groups[order],
    )
    assert everything(moved) == pytest.approx(everything(p))


def test_blocks_do_not_matter() -> None:
    p = embedded()
    image, text = p.embeddings["image"], p.embeddings["text"]
    whole = ranked(image, text, p.groups, p.groups[p.owner])
    single = ranked(image, text, p.groups, p.groups[p.owner], block_bytes=1)
    assert np.array_equal(whole.above, single.above)
    assert np.array_equal(whole.tied, single.tied)


def test_perfect_and_hopeless_scorers() -> None:
    eye = np.eye(8, dtype=np.float32)
    p = embedded(8, 1, embeddings={"image": eye, "text": eye}, owner=np.arange(8))
    assert everything(p)["rsum"] == pytest.approx(100 * 2 * 3)
    shifted = embedded(8, 1, embeddings={"image": -eye, "text": eye}, owner=np.arange(8))
    result = everything(shifted)
    assert result["i2t/recall@1"] == 0
    assert result["i2t/median_rank"] == 8


def test_queries_without_a_match_are_left_out_and_counted() -> None:
    ranks = ranked(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), np.array([0, 1, 9]), np.arange(3))
    assert ranks.skipped == 1
    assert len(ranks.above) == 2
    everywhere = ranked(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), np.zeros(3), np.zeros(3))
    assert everywhere.hit(1).tolist() == [1, 1, 1]


def test_nan_is_an_error_that_names_the_item() -> None:
    p = embedded()
    broken = p.embeddings["text"].copy()
    broken[5, 0] = np.nan
    with pytest.raises(MetricError, match="text embeddings of 1 items are NaN or infinite; the first is item 5"):
        embedded(embeddings={"image": p.embeddings["image"], "text": broken})
    with pytest.raises(MetricError, match="logits of 1 items"):
        Predictions(np.array([[np.inf, 0.0]]), np.array([0]))
    with pytest.raises(MetricError, match="scores of query 5"):
        ranked(broken, p.embeddings["image"], np.zeros(48), np.zeros(24))


@pytest.mark.parametrize("rerank", [False, True])
def test_neighbour_precision_is_its_definition(rerank: bool) -> None:
    rng = np.random.default_rng(1)
    values, labels = rng.normal(size=(20, 4)).astype(np.float32), rng.integers(0, 3, 20)
    bonus = rng.normal(size=(20, 20)).astype(np.float32)
    change = (lambda rows, scores: scores + bonus[rows]) if rerank else None
    result = neighbour_precision(values, labels, 4, change)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    scores = unit @ unit.T + (bonus if rerank else 0)
    for i in range(20):
        order = [j for j in np.argsort(-scores[i]) if j != i][:4]
        assert result[i] == pytest.approx(np.mean(labels[order] == labels[i]))


def test_neighbour_precision_with_ties_is_the_class_share() -> None:
    labels = np.array([0] * 5 + [1] * 5)
    result = neighbour_precision(np.ones((10, 3), np.float32), labels, 3)
    assert result == pytest.approx(np.full(10, 4 / 9))


def test_parsing() -> None:
    assert parse_metrics(["accuracy", "recall@{1, 10}", "recall@10"]) == [
        Metric("accuracy"), Metric("recall", 1), Metric("recall", 10)
    ]  # fmt: skip
    assert metric_entry("i2t/recall@10") == "recall@10"
    assert metric_entry("average_precision/micro") == "average_precision"
    assert mode_of("test/accuracy") == "max"
    assert mode_of("val/i2t/median_rank") == "min"


def test_top5_of_few_classes_is_refused() -> None:
    with pytest.raises(MetricError, match="top5_accuracy.*5 classes"):
        METRICS.build("top5_accuracy", predictions=classified(classes=5))


def test_folds_are_galleries_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("recall_1k", "rsum_1k"):
        monkeypatch.setattr(f"vsebench.components.metric.{module}.FOLD", 8)
    p = embedded(24, captions=2)
    metrics = compute(p, parse_metrics(["recall_1k@{1,5}", "rsum_1k"]))
    parts = []
    for start in (0, 8, 16):
        inside = (p.owner >= start) & (p.owner < start + 8)
        alone = Predictions(
            None,
            p.labels[start : start + 8],
            embeddings={"image": p.embeddings["image"][start : start + 8], "text": p.embeddings["text"][inside]},
            owner=p.owner[inside] - start,
            groups=np.arange(8),
        )
        parts.append(compute(alone, parse_metrics(["recall@{1,5}", "rsum"])))
    for key in ("i2t/recall@1", "t2i/recall@5", "i2t/chance/recall@5"):
        assert metrics[key.replace("recall", "recall_1k")] == pytest.approx(np.mean([part[key] for part in parts]))
    assert metrics["rsum_1k"] == pytest.approx(np.mean([part["rsum"] for part in parts]))
    whole = compute(p, parse_metrics(["recall@1"]))
    assert metrics["i2t/recall_1k@1"] > whole["i2t/recall@1"]


def test_folds_of_pairs_and_what_has_none() -> None:
    p = embedded(6, captions=1)
    scores = p.embeddings["image"] @ p.embeddings["text"].T
    pairs = Predictions(None, p.labels, owner=p.owner, groups=p.groups, pairs=scores)
    first = pairs.folds(3)[1].ranks["t2i"]
    assert first.gallery == 3
    block = scores[3:, 3:]
    assert first.above.tolist() == [int((block[:, i] > block[i, i]).sum()) for i in range(3)]
    with pytest.raises(MetricError, match="this one has 6 images"):
        p.folds(4)
    again = embedded(6, captions=1, candidates={"i2t": (np.zeros((6, 1), int), np.zeros((6, 1)))})
    with pytest.raises(MetricError, match="rerank_top found its candidates in the whole one"):
        again.folds(3)


@pytest.mark.parametrize("scale", [1e30, 1e-13, 1e-30, 1e-38])
def test_the_length_of_an_embedding_does_not_matter_to_cosine(scale: float) -> None:
    p = embedded()
    wanted = everything(p)
    image, text = (p.embeddings[m].copy() for m in ("image", "text"))
    image[3] *= np.float32(scale)
    text[::5] *= np.float32(scale)
    result = everything(embedded(embeddings={"image": image, "text": text}))
    assert result == pytest.approx(wanted)
