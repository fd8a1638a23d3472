"""Metrics of the whole list (map, ndcg, set_recall, cross_precision) against every order of the ties, against
libraries, and against what each metric must keep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tie_orders as slow
import torch
from sklearn.metrics import average_precision_score, ndcg_score
from torchmetrics.functional.retrieval import (
    retrieval_average_precision,
    retrieval_normalized_dcg,
    retrieval_precision,
    retrieval_recall,
)

import vsebench.components.metric._tie_groups
import vsebench.components.metric.base
import vsebench.ops.ranking
from vsebench.components.metric.base import Predictions
from vsebench.core.errors import ConfigError, MetricError
from vsebench.core.metric_specs import compute, parse_metrics
from vsebench.core.registry import METRICS
from vsebench.ops.ranking import unit

#: Every entry, and what it is for one order of a list.
ENTRIES: dict[str, slow.Value] = {
    "map": slow.ap,
    "map@r": slow.ap_at_r,
    **{f"map@{k}:{over}": slow.ap_at(k, over) for k in (1, 2, 3, 5, 9) for over in ("found", "min", "all")},
    **{f"ndcg@{k}": slow.ndcg_at(k) for k in (1, 3, 4, 9)},
    **{f"set_recall@{k}": slow.set_recall_at(k) for k in (1, 3, 9)},
    **{f"cross_precision@{k}": slow.precision_at(k) for k in (1, 3, 9)},
}
OWNER = np.array([0, 1, 2, 3, 0, 2, 3])  # captions per item vary


def shared(labels: np.ndarray) -> np.ndarray:
    return np.array([[sum(a * b for a, b in zip(x, y, strict=True)) for y in labels] for x in labels])


def ranked(pairs: np.ndarray, owner: np.ndarray = OWNER, **parts: Any) -> Predictions:
    given = {"groups": np.arange(len(pairs)), "labels": np.zeros(len(pairs), np.int64), **parts}
    return Predictions(None, given.pop("labels"), owner=owner, pairs=pairs.astype(np.float32), **given)


def several_labels(pairs: np.ndarray, labels: np.ndarray, owner: np.ndarray = OWNER) -> Predictions:
    return ranked(pairs, owner, labels=labels, multi_label=True, unranked="by label here;")


def numbers(predictions: Predictions) -> dict[str, float]:
    return compute(predictions, parse_metrics(list(ENTRIES)))


def check(predictions: Predictions, gains: np.ndarray) -> None:
    """``gains``: of an image's captions, (images, captions)."""
    assert predictions.pairs is not None
    difference = numbers(predictions)
    for entry, value in ENTRIES.items():
        assert difference[f"i2t/{entry}"] == pytest.approx(slow.expected(predictions.pairs, gains, value)), entry
        assert difference[f"t2i/{entry}"] == pytest.approx(slow.expected(predictions.pairs.T, gains.T, value)), entry
        level = np.zeros_like(predictions.pairs)
        assert difference[f"i2t/chance/{entry}"] == pytest.approx(slow.expected(level, gains, value)), entry


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("levels", [0, 2, 3])
def test_every_order_of_the_ties_by_group(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = rng.normal(size=(4, 7)) if not levels else rng.integers(-1, levels - 1, size=(4, 7)).astype(float)
    groups = np.array([5, 2, 5, 7])
    check(ranked(pairs, groups=groups), (groups[:, None] == groups[OWNER][None, :]).astype(int))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("levels", [0, 3])
def test_every_order_of_the_ties_by_shared_labels(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = rng.normal(size=(4, 7)) if not levels else rng.integers(-1, levels - 1, size=(4, 7)).astype(float)
    labels = (rng.random((4, 5)) < 0.5).astype(np.int64)
    labels[:, 0] |= labels.sum(1) == 0
    check(several_labels(pairs, labels), shared(labels)[:, OWNER])


def test_larger_lists_equal_the_libraries() -> None:
    """scikit-learn and torchmetrics define the same where there are no ties; torchmetrics drops what scores <= 0."""
    rng = np.random.default_rng(0)
    pairs = rng.permuted(np.tile(np.arange(1.0, 91.0), (30, 1)), axis=1)
    labels = (rng.random((30, 6)) < 0.3).astype(np.int64)
    labels[:, 0] |= labels.sum(1) == 0
    owner = np.tile(np.arange(30), 3)
    gains = shared(labels)[:, owner]
    metrics = compute(several_labels(pairs, labels, owner), parse_metrics(["map", "map@10:found", "ndcg@{10,90}"]))
    assert metrics["i2t/map"] == pytest.approx(
        np.mean([average_precision_score(g > 0, s) for g, s in both(gains, pairs)])
    )
    for k in (10, 90):
        assert metrics[f"i2t/ndcg@{k}"] == pytest.approx(ndcg_score(gains, pairs, k=k))
    p = torch.from_numpy(pairs).float()
    hits, graded = torch.from_numpy(gains > 0), torch.from_numpy(gains)
    rows = range(30)
    facts = {
        "map": np.mean([float(retrieval_average_precision(p[i], hits[i])) for i in rows]),
        "map@10:found": np.mean([float(retrieval_average_precision(p[i], hits[i], top_k=10)) for i in rows]),
        "ndcg@10": np.mean([float(retrieval_normalized_dcg(p[i], graded[i], top_k=10)) for i in rows]),
        "set_recall@10": np.mean([float(retrieval_recall(p[i], hits[i], top_k=10)) for i in rows]),
        "cross_precision@10": np.mean([float(retrieval_precision(p[i], hits[i], top_k=10)) for i in rows]),
    }
    metrics |= compute(several_labels(pairs, labels, owner), parse_metrics(["set_recall@10", "cross_precision@10"]))
    for entry, value in facts.items():
        assert metrics[f"i2t/{entry}"] == pytest.approx(value, abs=1e-6), entry


def both(gains: np.ndarray, scores: np.ndarray) -> Any:
    return zip(gains, scores, strict=True)


def test_ties_in_ndcg_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 6, size=(20, 60)).astype(float)
    groups = np.arange(20) % 4
    owner = np.tile(np.arange(20), 3)
    gains = groups[:, None] == groups[owner][None, :]
    metrics = compute(ranked(pairs, owner, groups=groups), parse_metrics(["ndcg@{5,60}"]))
    for k in (5, 60):
        assert metrics[f"i2t/ndcg@{k}"] == pytest.approx(ndcg_score(gains, pairs, k=k))


def test_map_at_r_is_that_of_pytorch_metric_learning() -> None:
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import CustomKNN

    torch.manual_seed(0)
    image, text = torch.randn(40, 8), torch.randn(40, 8)
    groups = torch.arange(40) % 5
    calculator = AccuracyCalculator(
        include=("mean_average_precision_at_r",),
        k="max_bin_count",
        device=torch.device("cpu"),
        knn_func=CustomKNN(CosineSimilarity()),
    )
    message = calculator.get_accuracy(image, groups, text, groups, ref_includes_query=False)
    current = np.arange(40)
    vectors = {"image": image.numpy(), "text": text.numpy()}
    p = Predictions(None, groups.numpy(), embeddings=vectors, owner=current, groups=groups.numpy())
    result = METRICS.build("map", {"k": "r"}, predictions=p)["i2t/map@r"]
    assert result == pytest.approx(message["mean_average_precision_at_r"], abs=1e-6)


def test_three_denominators_are_three_numbers() -> None:
    """One ranking of which each variant is in the name, because the numbers have nothing in common."""
    relevant = np.zeros(200, bool)
    relevant[[0, 3, 4, 8]] = True
    relevant[60:] = True
    rest = np.flatnonzero(~relevant)
    pairs = np.zeros((2, 200))
    pairs[0] = np.arange(200.0)[::-1]
    pairs[1, rest] = 1 + np.arange(len(rest))[::-1]  # the other query finds all that is its own first
    result = numbers_of(pairs, np.where(relevant, 0, 1), [f"map@10:{over}" for over in ("found", "min", "all")])
    top = 1 / 1 + 2 / 4 + 3 / 5 + 4 / 9
    other = {"found": 1.0, "min": 1.0, "all": 10 / len(rest)}
    for over, divisor in (("found", 4), ("min", 10), ("all", 144)):
        assert result[f"i2t/map@10:{over}"] == pytest.approx((top / divisor + other[over]) / 2), over


def numbers_of(pairs: np.ndarray, owner: np.ndarray, entries: list[str]) -> dict[str, float]:
    return compute(ranked(pairs, owner), parse_metrics(entries))


def test_embeddings_pairs_and_candidates_are_ranked_alike() -> None:
    rng = np.random.default_rng(0)
    image, text = (rng.normal(size=(n, 4)).astype(np.float32) for n in (6, 12))
    owner = np.tile(np.arange(6), 2)
    parts: dict[str, Any] = {"owner": owner, "groups": np.arange(6) % 3}
    vectors = Predictions(None, np.zeros(6), embeddings={"image": image, "text": text}, **parts)
    cosine = unit(image) @ unit(text).T
    assert numbers(vectors) == pytest.approx(numbers(Predictions(None, np.zeros(6), pairs=cosine, **parts)))
    dot = Predictions(None, np.zeros(6), embeddings={"image": image, "text": text}, similarity="dot", **parts)
    assert numbers(dot) == pytest.approx(numbers(Predictions(None, np.zeros(6), pairs=image @ text.T, **parts)))
    first = np.argsort(-cosine, axis=1)[:, :3]
    again = rng.normal(size=(6, 3)).astype(np.float32)
    candidates = {"i2t": (first, again)}
    reranked = Predictions(None, np.zeros(6), embeddings={"image": image, "text": text}, candidates=candidates, **parts)
    whole = cosine.copy()
    np.put_along_axis(whole, first, again + 100, axis=1)
    message = numbers(Predictions(None, np.zeros(6), pairs=whole, **parts))
    result = numbers(reranked)
    for entry in ENTRIES:
        assert result[f"i2t/{entry}"] == pytest.approx(message[f"i2t/{entry}"])


def test_a_constant_scorer_reaches_chance() -> None:
    groups = np.arange(24) % 5
    owner = np.concatenate([np.arange(24), np.arange(8)])
    result = numbers(ranked(np.full((24, 32), -3.0), owner, groups=groups))
    for entry in ENTRIES:
        for direction in ("i2t", "t2i"):
            assert result[f"{direction}/{entry}"] == pytest.approx(result[f"{direction}/chance/{entry}"], rel=1e-12)
    assert result["t2i/chance/set_recall@3"] == pytest.approx(3 / 24)
    share = np.mean([np.mean(groups[owner] == g) for g in groups])
    assert result["i2t/chance/cross_precision@3"] == pytest.approx(share)


def test_chance_is_what_random_scores_reach() -> None:
    rng = np.random.default_rng(0)
    groups = np.arange(4000) % 7
    result = numbers(ranked(rng.normal(size=(4000, 60)), np.arange(60), groups=groups))
    for entry in ENTRIES:
        assert result[f"i2t/{entry}"] == pytest.approx(result[f"i2t/chance/{entry}"], abs=0.02), entry
        assert 0.001 < result[f"i2t/chance/{entry}"] < 0.5


def test_the_order_of_the_gallery_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 4, size=(12, 36)).astype(float)
    owner, labels = np.tile(np.arange(12), 3), (rng.random((12, 4)) < 0.5).astype(np.int64)
    items, captions = rng.permutation(12), rng.permutation(36)
    place = np.argsort(items)
    moved = several_labels(pairs[items][:, captions], labels[items], place[owner[captions]])
    assert numbers(moved) == pytest.approx(numbers(several_labels(pairs, labels, owner)))


@pytest.mark.parametrize(("block", "pairs_together"), [(1, 1), (4 * 36 * 5, 36 * 2), (1 << 25, 1 << 20)])
def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch, block: int, pairs_together: int) -> None:
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 9, size=(12, 36)).astype(float)
    owner, groups = np.tile(np.arange(12), 3), np.arange(12) % 4
    whole = numbers(ranked(pairs, owner, groups=groups))
    monkeypatch.setattr(vsebench.ops.ranking, "LEAST_ROWS", 1)
    monkeypatch.setattr(vsebench.components.metric._tie_groups, "PAIRS", pairs_together)
    monkeypatch.setattr(vsebench.components.metric._tie_groups.tie_groups, "__kwdefaults__", {"block_bytes": block})
    monkeypatch.setattr(vsebench.components.metric.base, "KEPT_BYTES", 0)
    cut = ranked(pairs, owner, groups=groups)
    assert numbers(cut) == pytest.approx(whole)
    assert not cut._kept, "what is too large is found again"


def test_counting_and_sorting_find_the_same_places(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = np.random.default_rng(0).integers(0, 30, size=(12, 36)).astype(float)
    owner, groups = np.tile(np.arange(12), 3), np.arange(12) % 2
    results = []
    for few in (0, 36):
        monkeypatch.setattr(vsebench.components.metric._tie_groups, "FEW", few)
        results.append(numbers(ranked(pairs, owner, groups=groups)))
    assert results[0] == results[1]


def test_one_all_or_none_relevant() -> None:
    pairs = np.array([[3.0, 2.0, 1.0], [1.0, 3.0, 2.0], [3.0, 2.0, 1.0]])
    current = np.arange(3)
    one = numbers(ranked(pairs, current))
    assert one["i2t/map"] == pytest.approx((1 + 1 + 1 / 3) / 3), "one relevant item: the mean reciprocal rank"
    same = numbers(ranked(pairs, current, groups=np.zeros(3, np.int64)))
    assert all(same[f"i2t/{entry}"] == pytest.approx(1) for entry in ("map", "map@r", "map@2:min", "ndcg@3"))
    assert same["i2t/map@2:all"] == pytest.approx(2 / 3)
    labels = np.array([[1, 0], [0, 0], [1, 1]])
    some = numbers(several_labels(pairs, labels, current))
    assert some["i2t/skipped/map"] == some["t2i/skipped/ndcg@3"] == 1
    assert some["i2t/map"] == pytest.approx(((1 + 2 / 3) / 2 * 2) / 2), "the item without a label is no query"
    assert "i2t/skipped/map" not in one
    with pytest.raises(MetricError, match="'map@r' has nothing to average: no query of i2t has a relevant item"):
        compute(several_labels(pairs, np.zeros((3, 2), np.int64), current), parse_metrics(["map@r"]))


@pytest.mark.parametrize("entry", ["map", "map@2:found", "map@r", "ndcg@2", "set_recall@2", "cross_precision@2"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_nan_is_an_error_that_names_the_query(entry: str, wrong: float) -> None:
    pairs = np.zeros((4, 7))
    pairs[2, 3] = wrong
    with pytest.raises(MetricError, match="scores of query 2 are NaN or infinite"):
        compute(ranked(pairs), parse_metrics([entry]))


def test_scores_are_ranked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    p = ranked(np.random.default_rng(0).normal(size=(4, 7)))
    requested: list[str] = []
    rows = Predictions.score_rows

    def counted(self: Predictions, direction: str) -> Any:
        requested.append(direction)
        return rows(self, direction)

    monkeypatch.setattr(Predictions, "score_rows", counted)
    numbers(p)
    assert requested == ["i2t", "t2i"]


def test_map_has_a_variant_where_it_has_a_number() -> None:
    p = ranked(np.zeros((4, 7)))
    for options in ({"k": 3}, {"variant": "min"}, {"k": "r", "variant": "all"}):
        with pytest.raises(ConfigError, match="goes with a number k"):
            METRICS.build("map", options, predictions=p)
    with pytest.raises(ConfigError, match="option 'k' of metric 'map'"):
        METRICS.build("map", {"k": 0, "variant": "min"}, predictions=p)


def test_what_matches_neither_by_group_nor_by_labels_is_refused() -> None:
    p = ranked(np.zeros((4, 7)), unranked="no relevance here.")
    with pytest.raises(MetricError, match="no relevance here"):
        compute(p, parse_metrics(["map"]))
    with pytest.raises(MetricError, match="by label here; Metrics of the whole list do: map"):
        compute(several_labels(np.zeros((4, 7)), np.ones((4, 2), np.int64)), parse_metrics(["recall@1"]))
