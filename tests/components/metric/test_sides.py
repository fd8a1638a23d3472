"""Metrics where queries are ranked against another set than their own split."""

from __future__ import annotations

from dataclasses import replace

import code_predictions as made
import numpy as np
import pytest
import tie_orders as slow

from vsebench.components.metric._sides import Gallery
from vsebench.components.metric.base import Predictions
from vsebench.core.errors import MetricError
from vsebench.core.metric_specs import compute, parse_metrics
from vsebench.ops.ranking import unit

ENTRIES: dict[str, slow.Value] = {
    "map": slow.ap,
    "map@3:min": slow.ap_at(3, "min"),
    "ndcg@3": slow.ndcg_at(3),
    "set_recall@2": slow.set_recall_at(2),
    "cross_precision@2": slow.precision_at(2),
}
QUERY_OWNER, GALLERY_OWNER = np.array([0, 1, 2, 1]), np.array([0, 1, 2, 3, 4, 0, 3])


def sides(seed: int, several: bool) -> Predictions:
    rng = np.random.default_rng(seed)

    def vectors(count: int) -> np.ndarray:
        return rng.normal(size=(count, 4)).astype(np.float32)

    query, ranked_gallery = np.array([0, 1, 3]), rng.permutation([0, 0, 1, 2, 2])  # nothing for the third
    if several:
        query, ranked_gallery = made.labels(rng, 3, 4), made.labels(rng, 5, 4)
        query[:, 0] = ranked_gallery[0, 0] = 1
    groups = (np.arange(3), np.arange(5)) if several else (query, ranked_gallery)
    gallery = Gallery(ranked_gallery, {"image": vectors(5), "text": vectors(7)}, GALLERY_OWNER, groups[1])
    return Predictions(
        rng.normal(size=(3, 4)).astype(np.float32),
        query,
        multi_label=several,
        embeddings={"image": vectors(3), "text": vectors(4)},
        owner=QUERY_OWNER,
        groups=groups[0],
        unranked="by label here;" if several else None,
        gallery=gallery,
    )


def scores_and_gains(p: Predictions, direction: str) -> tuple[np.ndarray, np.ndarray]:
    assert p.gallery is not None
    one, other = ("image", "text") if direction == "i2t" else ("text", "image")
    scores = unit(p.embeddings[one]) @ unit(p.gallery.embeddings[other]).T
    requested = np.arange(3) if one == "image" else QUERY_OWNER
    ranked_gallery = np.arange(5) if other == "image" else GALLERY_OWNER
    if p.multi_label:
        return scores, p.labels[requested] @ p.gallery.labels[ranked_gallery].T
    return scores, (p.labels[requested][:, None] == p.gallery.labels[ranked_gallery]).astype(int)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_metrics_of_the_whole_list(seed: int, several: bool) -> None:
    p = sides(seed, several)
    metrics = compute(p, parse_metrics(list(ENTRIES)))
    for direction in ("i2t", "t2i"):
        scores, gains = scores_and_gains(p, direction)
        for entry, value in ENTRIES.items():
            assert metrics[f"{direction}/{entry}"] == pytest.approx(slow.expected(scores, gains, value)), entry


@pytest.mark.parametrize("seed", range(4))
def test_ranks_of_the_first_match(seed: int) -> None:
    p = sides(seed, False)
    metrics = compute(p, parse_metrics(["recall@{1,2}", "mean_rank", "median_rank", "accuracy"]))
    assert "accuracy" in metrics, "classification is of the queries"
    for direction in ("i2t", "t2i"):
        scores, gains = scores_and_gains(p, direction)
        firsts = []
        for row, marks in zip(scores, gains, strict=True):
            if marks.any():
                firsts.append(1 + int((row > row[marks > 0].max()).sum()))
        assert metrics[f"{direction}/mean_rank"] == pytest.approx(np.mean(firsts))
        assert metrics[f"{direction}/median_rank"] == pytest.approx(np.median(firsts))
        assert metrics[f"{direction}/recall@2"] == pytest.approx(np.mean([f <= 2 for f in firsts]))
        assert p.ranks[direction].gallery == scores.shape[1]


def test_neighbours_are_looked_for_in_the_gallery() -> None:
    p = sides(1, False)
    assert p.gallery is not None
    scores = unit(p.embeddings["image"]) @ unit(p.gallery.embeddings["image"]).T
    for k in (1, 2, 5, 9):
        shares = []
        for row, label in zip(scores, p.labels, strict=True):
            nearest = np.argsort(-row)[:k]
            shares.append(np.mean(p.gallery.labels[nearest] == label))
        assert compute(p, parse_metrics([f"precision@{k}"]))[f"i2i/precision@{k}"] == pytest.approx(np.mean(shares))


def test_pairs_of_queries_and_gallery() -> None:
    p = sides(2, False)
    assert p.gallery is not None
    rng = np.random.default_rng(0)
    pairs = {"i2t": rng.normal(size=(3, 7)).astype(np.float32), "t2i": rng.normal(size=(4, 5)).astype(np.float32)}
    p = replace(p, gallery=replace(p.gallery, pairs=pairs))
    metrics = compute(p, parse_metrics(["map"]))
    for direction in ("i2t", "t2i"):
        _, gains = scores_and_gains(p, direction)
        assert metrics[f"{direction}/map"] == pytest.approx(slow.expected(pairs[direction], gains, slow.ap))


def test_the_split_itself_as_a_gallery_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    current, labels = np.arange(6), rng.integers(0, 2, 6)
    embeddings = {m: rng.normal(size=(6, 3)).astype(np.float32) for m in ("image", "text")}
    p = Predictions(None, labels, embeddings=embeddings, owner=current, groups=labels)
    same = replace(p, gallery=Gallery(labels, embeddings, current, labels))
    entries = parse_metrics([*ENTRIES, "recall@1", "rsum"])
    assert compute(same, entries) == compute(p, entries)


def test_a_gallery_with_nothing_for_any_query() -> None:
    p = replace(sides(0, False), groups=np.array([7, 8, 9]))
    with pytest.raises(MetricError, match="no query of i2t has a relevant item in the gallery"):
        compute(p, parse_metrics(["recall@1"]))


def test_folds_have_no_other_gallery() -> None:
    with pytest.raises(MetricError, match="the gallery of this experiment is another set"):
        sides(0, False).folds(3)
