"""What metrics are computed from: the stored predictions of one split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from vsebench.errors import MetricError
from vsebench.metrics._ranking import (
    Ranks,
    ScoreRows,
    Similarity,
    neighbour_precision,
    rank_queries,
    reranked_rows,
    similarity_rows,
)
from vsebench.metrics._relevance import RelevantOf, by_group, by_shared_labels
from vsebench.metrics._tie_groups import TieGroups, tie_groups

#: Tie groups up to this size are kept for the next metric; larger ones are found again.
KEPT_BYTES = 1 << 28

Rerank = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (rows of the queries, scores (Q, G)) -> scores (Q, G)


@dataclass(frozen=True)
class Predictions:
    """A split, item by item, as numpy arrays.

    Args:
        logits: float32 (n, C); None of a system without a classifier.
        labels: int64 (n,), or 0/1 (n, C) for multi-label data.
        multi_label: whether an item may have several labels.
        label_names: C names, for messages.
        embeddings: ``image`` float32 (n, E), ``text`` float32 (captions, E); empty without both.
        owner: int64 (captions,), the item of each caption.
        groups: int64 (n,), what counts as the same thing in retrieval (each item its own, or its group).
        similarity: how embeddings are ranked.
        pairs: float32 (n, captions), scores of pairs, which are ranked instead of embeddings.
        candidates: ``i2t`` and ``t2i`` -> int64 (Q, K), each query's first K by the embeddings, and float32 (Q, K),
            their scores as pairs, by which they are ranked again.
        rerank: changes the scores of image queries against the images, or None.
        unranked: why these items cannot be ranked by group, or None. Relevance is then a matter of shared labels.

    Raises: MetricError when logits or embeddings hold NaN or infinite values, naming the first item.
    """

    logits: np.ndarray | None
    labels: np.ndarray
    multi_label: bool = False
    label_names: tuple[str, ...] = ()
    embeddings: Mapping[str, np.ndarray] = field(default_factory=dict)
    owner: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    groups: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    similarity: Similarity = "cosine"
    pairs: np.ndarray | None = None
    candidates: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    rerank: Rerank | None = None
    unranked: str | None = None
    _folds: dict[int, list[Predictions]] = field(default_factory=dict, repr=False, compare=False)
    _kept: dict[str, list[TieGroups]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.logits is not None:
            _refuse_nan(self.logits, "logits")
        for modality, values in self.embeddings.items():
            _refuse_nan(values, f"{modality} embeddings")

    @property
    def num_classes(self) -> int:
        """C."""
        return int(self.scored.shape[1])

    @property
    def scored(self) -> np.ndarray:
        """The logits.

        Raises: MetricError of a system without a classifier.
        """
        if self.logits is None:
            raise MetricError("this system has no classifier (head: none); it has no logits.")
        return self.logits

    @cached_property
    def probabilities(self) -> np.ndarray:
        """float64 (n, C): softmax of the logits; their sigmoid for multi-label data."""
        logits = self.scored.astype(np.float64)
        if self.multi_label:
            return 0.5 * (1 + np.tanh(0.5 * logits))
        shifted = np.exp(logits - logits.max(1, keepdims=True))
        return shifted / shifted.sum(1, keepdims=True)

    def require_single_label(self, metric: str) -> None:
        """Refuse multi-label data.

        Raises: MetricError naming what to use instead.
        """
        if self.multi_label:
            raise MetricError(f"'{metric}' is for single-label data; use average_precision for multi-label data.")

    @property
    def retrieval(self) -> bool:
        """Whether there are image and text embeddings, or scores of pairs, to rank."""
        return self.pairs is not None or ("image" in self.embeddings and "text" in self.embeddings)

    @cached_property
    def ranks(self) -> dict[str, Ranks]:
        """``i2t`` and ``t2i``, computed once.

        Raises: MetricError where relevance is not a matter of groups.
        """
        if self.unranked is not None:
            raise MetricError(f"{self.unranked} Metrics of the whole list do: map, ndcg, set_recall, cross_precision.")
        caption_groups = self.groups[self.owner]
        return {
            "i2t": rank_queries(self.score_rows("i2t"), self.groups, caption_groups),
            "t2i": rank_queries(self.score_rows("t2i"), caption_groups, self.groups),
        }

    def score_rows(self, direction: str) -> ScoreRows:
        """What a direction is ranked by: for a slice of queries, their scores against the whole gallery."""
        if self.pairs is not None:
            pairs = self.pairs if direction == "i2t" else self.pairs.T
            return lambda part: np.ascontiguousarray(pairs[part])
        query, gallery = (self.embeddings[m] for m in (("image", "text") if direction == "i2t" else ("text", "image")))
        rows = similarity_rows(query, gallery, self.similarity)
        return reranked_rows(rows, *self.candidates[direction]) if direction in self.candidates else rows

    def relevant(self, direction: str) -> RelevantOf:
        """What is relevant to a direction's queries: items of the same group or, for items with several labels of
        which any makes a match, items that share some, with their number as gain.

        Raises: MetricError where neither applies.
        """
        items = np.arange(len(self.groups))
        query, gallery = (items, self.owner) if direction == "i2t" else (self.owner, items)
        if self.unranked is None:
            return by_group(self.groups[query], self.groups[gallery])
        if not self.multi_label:
            raise MetricError(self.unranked)
        return by_shared_labels(self.labels, query, gallery)

    def tie_groups(self, direction: str) -> Iterator[TieGroups]:
        """Where all that is relevant to a direction's queries stands, some queries at a time.

        Raises: MetricError for a NaN or infinite score, naming the query.
        """
        if direction in self._kept:
            yield from self._kept[direction]
            return
        queries, gallery = len(self.groups), len(self.owner)
        if direction == "t2i":
            queries, gallery = gallery, queries
        kept: list[TieGroups] = []
        size = 0
        for groups in tie_groups(
            self.score_rows(direction), self.relevant(direction), queries=queries, gallery=gallery
        ):
            yield groups
            size += groups.nbytes
            if size <= KEPT_BYTES:
                kept.append(groups)
            else:
                kept.clear()
        if size <= KEPT_BYTES:
            self._kept[direction] = kept

    def folds(self, size: int) -> list[Predictions]:
        """Consecutive parts of ``size`` images, each with its own captions, computed once.

        Raises: MetricError where the images do not divide into them, or candidates were found in the whole gallery.
        """
        if size not in self._folds:
            count = len(self.groups)
            if not count or count % size:
                raise MetricError(
                    f"folds of {size:,} images need a split of whole folds; this one has {count:,} images."
                )
            if self.candidates:
                raise MetricError(
                    "folds have galleries of their own; rerank_top found its candidates in the whole one."
                )
            self._folds[size] = [self._part(start, start + size) for start in range(0, count, size)]
        return self._folds[size]

    def _part(self, start: int, stop: int) -> Predictions:
        images = slice(start, stop)
        captions = np.flatnonzero((self.owner >= start) & (self.owner < stop))
        embeddings = {m: v[captions] if m == "text" else v[images] for m, v in self.embeddings.items()}
        return replace(
            self,
            logits=None if self.logits is None else self.logits[images],
            labels=self.labels[images],
            embeddings=embeddings,
            owner=self.owner[captions] - start,
            groups=self.groups[images],
            pairs=None if self.pairs is None else self.pairs[images][:, captions],
            rerank=None,
            _folds={},
            _kept={},
        )

    def neighbours(self, k: int, *, reranked: bool) -> np.ndarray:
        """Share of same-class images among each image's k nearest others, float64 (n,)."""
        rerank = self.rerank if reranked else None
        return neighbour_precision(self.embeddings["image"], self.labels, k, rerank)


def _refuse_nan(values: np.ndarray, what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
    if len(bad):
        raise MetricError(f"{what} of {len(bad)} items are NaN or infinite; the first is item {bad[0]} of the split.")
