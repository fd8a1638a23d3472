"""Sums of scores against loops, and what must not change them."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from scipy.stats import rankdata

from vsebench.components.metric.base import Predictions
from vsebench.core.errors import DataError
from vsebench.core.metric_specs import compute, parse_metrics
from vsebench.results.ensembles.scores import Combined, combined, in_item_order, normalised

METRICS = parse_metrics(["recall@{1,3}", "median_rank", "mean_rank", "rsum", "map", "ndcg@5"])
IMAGES, CAPTIONS = 8, 20
RULES = ("zscore", "minmax", "rank", "rrf", "none")


def slow(row: list[float], rule: str) -> list[float]:
    """Item by item, in plain Python."""
    if rule == "none":
        return row
    if rule in ("rank", "rrf"):
        results = []
        for s in row:
            rank = 1 + sum(other > s for other in row) + (sum(other == s for other in row) - 1) / 2
            results.append(1 / (60 + rank) if rule == "rrf" else 1 - (rank - 1) / (len(row) - 1))
        return results
    if min(row) == max(row):
        return [0.0] * len(row)
    if rule == "minmax":
        return [(s - min(row)) / (max(row) - min(row)) for s in row]
    return [(s - statistics.fmean(row)) / statistics.pstdev(row) for s in row]


def scores_of(seed: int, *, ties: bool = True) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(size=(IMAGES, CAPTIONS)).astype(np.float32)
    return scores.round(1) if ties else scores


def owner_of() -> np.ndarray:
    return np.concatenate([np.arange(IMAGES), np.arange(IMAGES), np.arange(4)])


def predictions(pairs: np.ndarray, owner: np.ndarray | None = None) -> Predictions:
    owner = owner_of() if owner is None else owner
    return Predictions(None, np.zeros(IMAGES, np.int64), owner=owner, groups=np.arange(IMAGES), pairs=pairs)


def numbers(result: Predictions) -> dict[str, float]:
    return compute(result, METRICS)


@pytest.mark.parametrize("rule", RULES)
def test_equals_a_loop_over_queries(rule: str) -> None:
    scores = scores_of(0)
    scores[3] = 0.7  # a query that says nothing
    wanted = [slow(row, rule) for row in scores.astype(float).tolist()]
    np.testing.assert_allclose(normalised(scores, rule), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_the_sum_equals_a_loop_in_both_directions(rule: str) -> None:
    parts, weights = [scores_of(seed) for seed in range(3)], (0.5, 0.3, 0.2)
    result = combined([predictions(p) for p in parts], weights, rule)
    for direction, turn in (("i2t", lambda p: p), ("t2i", lambda p: p.T)):
        turned = [turn(p).astype(float).tolist() for p in parts]
        for q in range(len(turned[0])):
            lines = [slow(part[q], rule) for part in turned]
            wanted = [sum(w * s[i] for w, s in zip(weights, lines, strict=True)) for i in range(len(lines[0]))]
            np.testing.assert_allclose(result.score_rows(direction)(slice(q, q + 1))[0], wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e30])
@pytest.mark.parametrize("rule", RULES)
def test_a_constant_scorer_adds_nothing(rule: str, value: float) -> None:
    constant = np.full((IMAGES, CAPTIONS), value, np.float32)
    assert np.isfinite(normalised(constant, rule)).all()
    if rule in ("zscore", "minmax"):
        assert not normalised(constant, rule).any()
    if value != 1e30 or rule != "none":
        current = numbers(predictions(scores_of(0)))
        both = combined([predictions(scores_of(0)), predictions(constant)], (0.5, 0.5), rule)
        assert numbers(both) == pytest.approx(current, rel=1e-12)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_run_with_itself_gives_its_own_numbers(rule: str, times: int) -> None:
    for ties in (True, False):
        current = predictions(scores_of(1, ties=ties))
        both = combined([current] * times, (1 / times,) * times, rule)
        assert numbers(both) == numbers(current)


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_gallery_and_queries_changes_nothing(rule: str) -> None:
    parts = [scores_of(seed) for seed in (3, 4)]
    first = combined([predictions(p) for p in parts], (0.6, 0.4), rule)
    rng = np.random.default_rng(0)
    images, captions = rng.permutation(IMAGES), rng.permutation(CAPTIONS)
    owner = np.argsort(images)[owner_of()[captions]]
    moved = [predictions(p[images][:, captions], owner) for p in parts]
    for one in (moved, [in_item_order(p) for p in moved]):
        result = combined(one, (0.6, 0.4), rule)
        assert numbers(result) == pytest.approx(numbers(first), rel=1e-12)


def test_ranks_alone_decide_reciprocal_rank_fusion() -> None:
    scores = scores_of(5, ties=False)
    stretched = np.exp(scores * 3)
    np.testing.assert_array_equal(normalised(scores, "rrf"), normalised(stretched, "rrf"))
    np.testing.assert_allclose(normalised(scores, "rrf"), 1 / (60 + rankdata(-scores, axis=1)))
    assert normalised(scores, "rrf").max() == pytest.approx(1 / 61)


def test_each_runs_captions_are_put_in_one_order() -> None:
    """The captions of an item keep their own order, whatever lies between them."""
    scores, owner = scores_of(6), owner_of()
    rounds = np.array(
        [4, 1, 0, 3, 2, 7, 5, 6, 9, 8, 15, 10, 11, 14, 13, 12, 19, 17, 18, 16]
    )  # within rounds of captions
    other = np.concatenate([np.arange(IMAGES), rounds[IMAGES:]])
    a, b = in_item_order(predictions(scores)), in_item_order(predictions(scores[:, other], owner[other]))
    assert np.array_equal(a.owner, b.owner)
    assert a.pairs is not None
    assert b.pairs is not None
    np.testing.assert_array_equal(a.pairs, b.pairs)


def test_candidates_move_with_their_captions() -> None:
    rng, owner = np.random.default_rng(7), owner_of()
    image, text = rng.normal(size=(IMAGES, 4)), rng.normal(size=(CAPTIONS, 4))
    i2t = np.stack([rng.permutation(CAPTIONS)[:3] for _ in range(IMAGES)])
    t2i = np.stack([rng.permutation(IMAGES)[:3] for _ in range(CAPTIONS)])
    candidates = {"i2t": (i2t, rng.normal(size=i2t.shape)), "t2i": (t2i, rng.normal(size=t2i.shape))}
    current = Predictions(
        None,
        np.zeros(IMAGES, np.int64),
        embeddings={"image": image, "text": text},
        owner=owner,
        groups=np.arange(IMAGES),
        candidates=candidates,
    )
    moved = in_item_order(current)
    order = np.argsort(owner, kind="stable")
    whole = slice(None)
    np.testing.assert_allclose(moved.score_rows("i2t")(whole), current.score_rows("i2t")(whole)[:, order], rtol=1e-5)
    np.testing.assert_allclose(moved.score_rows("t2i")(whole), current.score_rows("t2i")(whole)[order], rtol=1e-5)
    assert numbers(moved) == pytest.approx(numbers(current))


def test_folds_are_normalised_over_their_own_gallery() -> None:
    parts = [scores_of(seed, ties=False) for seed in (8, 9)]
    result = combined([predictions(p) for p in parts], (0.5, 0.5), "zscore")
    for number, fold in enumerate(result.folds(4)):
        assert isinstance(fold, Combined)
        images = slice(4 * number, 4 * number + 4)
        captions = np.flatnonzero(np.isin(owner_of(), np.arange(IMAGES)[images]))
        wanted = sum(normalised(p[images][:, captions], "zscore") / 2 for p in parts)
        np.testing.assert_allclose(fold.score_rows("i2t")(slice(None)), wanted)


def test_what_does_not_rank_the_same_is_refused() -> None:
    few = predictions(scores_of(0)[:, :CAPTIONS - 1], owner_of()[:-1])  # fmt: skip
    with pytest.raises(DataError, match=r"do not rank the same captions: one has 20, another 19\."):
        combined([predictions(scores_of(0)), few], (0.5, 0.5), "none")
    other = Predictions(
        None, np.zeros(IMAGES, np.int64), owner=owner_of(), groups=np.zeros(IMAGES, np.int64), pairs=scores_of(0)
    )
    with pytest.raises(DataError, match="do not agree on which images show the same thing"):
        combined([predictions(scores_of(0)), other], (0.5, 0.5), "none")


def test_one_item_galleries_are_finite() -> None:
    for rule in RULES:
        assert math.isfinite(float(normalised(np.ones((1, 1)), rule)[0, 0]))
