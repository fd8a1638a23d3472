"""What metrics are computed from: the stored predictions of one split, and of its gallery."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.special import expit

from vsebench.components.metric import _classes
from vsebench.components.metric._answers import Answers
from vsebench.components.metric._codes import CodePairs, Counts, check_codes, pack
from vsebench.components.metric._shapes import captions_of, check_shapes
from vsebench.components.metric._sides import Gallery
from vsebench.components.metric._tie_groups import TieGroups, tie_groups
from vsebench.core.errors import MetricError
from vsebench.ops.ranking import (
    Ranks,
    ScoreRows,
    Similarity,
    neighbour_precision,
    rank_queries,
    reranked_rows,
    similarity_rows,
)
from vsebench.ops.relevance import MatchesOf, RelevantOf, by_group, by_shared_labels, same_group, shared_label

#: Tie groups up to this size are kept for the next metric; larger ones are found again.
KEPT_BYTES = 1 << 28
#: Queries whose relevant items are listed together.
QUERIES = 1 << 10

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
        owner: int64 (captions,), the item of each caption; by default each item has one, in the same order.
        groups: int64 (n,), what counts as the same thing in retrieval; by default each item is its own.
        similarity: how embeddings are ranked; codes of −1 and +1 by ``hamming``.
        pairs: float32 (n, captions), scores of pairs, which are ranked instead of embeddings.
        candidates: ``i2t`` and ``t2i`` -> int64 (Q, K), each query's first K by the embeddings, and float32 (Q, K),
            their scores as pairs, by which they are ranked again.
        rerank: changes the scores of image queries against the images, or None.
        unranked: why these items cannot be ranked by group, or None. Relevance is then a matter of shared labels.
        gallery: what the items are ranked against, where that is not this split; ``pairs`` is then None.
        answers: what the annotators of each item answered; None of data without.
        thresholds: what was tuned on validation, by the metric's key (:func:`vsebench.core.metric_specs.tuned`).

    Raises: MetricError for parts that are not of the same items, classes or captions; when logits or embeddings hold
    NaN or infinite values, naming the first item; for codes that hold other numbers than −1 and +1.
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
    gallery: Gallery | None = None
    answers: Answers | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    _folds: dict[int, list[Predictions]] = field(default_factory=dict, repr=False, compare=False)
    _kept: dict[str, list[TieGroups]] = field(default_factory=dict, repr=False, compare=False)
    _counts: dict[str, Counts] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        items = len(self.labels)
        if not len(self.groups):
            object.__setattr__(self, "groups", np.arange(items))
        if not len(self.owner):
            captions = captions_of(self)
            if captions not in (None, items):
                raise MetricError(f"there are {captions} captions of {items} items; 'owner' must say whose each is.")
            object.__setattr__(self, "owner", np.arange(items))
        check_shapes(self)
        if self.logits is not None:
            _refuse_nan(self.logits, "logits")
        sides = {"": self.embeddings, "the gallery's ": {} if self.gallery is None else self.gallery.embeddings}
        for whose, embeddings in sides.items():
            for modality, values in embeddings.items():
                _refuse_nan(values, f"{whose}{modality} embeddings")
                if self.similarity == "hamming":
                    check_codes(values, f"{whose}{modality} embeddings")

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
        """float64 (n, C): softmax of the logits; their sigmoid for multi-label data.

        Logits in another order have the same probabilities in that order, to the last bit.
        """
        logits = self.scored.astype(np.float64)
        if self.multi_label:
            return np.asarray(expit(logits))
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(shares / np.sort(shares, axis=1).sum(1, keepdims=True))

    @cached_property
    def class_ranks(self) -> np.ndarray:
        """float64 (n, C) in (0, 1): the order of the probabilities, which does not tie where they round to 0 or 1."""
        return _classes.class_ranks(self.scored, multi_label=self.multi_label)

    def require_single_label(self, metric: str) -> None:
        """Refuse multi-label data.

        Raises: MetricError naming what to use instead.
        """
        if self.multi_label:
            raise MetricError(f"'{metric}' is for single-label data; use average_precision for multi-label data.")

    @property
    def directions(self) -> tuple[str, ...]:
        """What is ranked: the captions for each image, ``i2t``, and the images for each caption, ``t2i``."""
        return ("i2t", "t2i")

    @property
    def retrieval(self) -> bool:
        """Whether there are image and text embeddings, or scores of pairs, to rank."""
        return self.pairs is not None or {"image", "text"} <= set(self.embeddings)

    @cached_property
    def ranked_gallery(self) -> Gallery:
        """What is ranked: the gallery, or this split itself."""
        if self.gallery is not None:
            return self.gallery
        return Gallery(self.labels, self.embeddings, self.owner, self.groups)

    @cached_property
    def ranks(self) -> dict[str, Ranks]:
        """``i2t`` and ``t2i``, computed once.

        Raises: MetricError where relevance is not a matter of groups, or no query of a direction has a relevant item.
        """
        if self.unranked is not None:
            raise MetricError(f"{self.unranked} Metrics of the whole list do: map, ndcg, set_recall, cross_precision.")
        result = {}
        for direction in self.directions:
            queries, gallery = (len(items) for items in self._items(direction))
            ranks = rank_queries(self.score_rows(direction), self.relevant(direction), queries=queries, gallery=gallery)
            if not len(ranks.above):
                raise MetricError(f"no query of {direction} has a relevant item in the gallery.")
            result[direction] = ranks
        return result

    def score_rows(self, direction: str) -> ScoreRows:
        """Return the scorer of a direction: for a slice of queries, their scores against the whole gallery."""
        if self.pairs is not None:
            pairs = self.pairs if direction == "i2t" else self.pairs.T
            return lambda part: np.ascontiguousarray(pairs[part])
        if self.ranked_gallery.pairs:
            scored = self.ranked_gallery.pairs[direction]
            return lambda part: scored[part]
        query, gallery = self._vectors(direction)
        rows = similarity_rows(query, gallery, self.similarity)
        return reranked_rows(rows, *self.candidates[direction]) if direction in self.candidates else rows

    def _vectors(self, direction: str) -> tuple[np.ndarray, np.ndarray]:
        queries, ranked_gallery = ("image", "text") if direction == "i2t" else ("text", "image")
        return self.embeddings[queries], self.ranked_gallery.embeddings[ranked_gallery]

    def _items(self, direction: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the item that each query, and each member of the gallery, belongs to."""
        items, ranked_gallery = np.arange(len(self.groups)), self.ranked_gallery
        return (
            (items, ranked_gallery.owner) if direction == "i2t" else (self.owner, np.arange(len(ranked_gallery.groups)))
        )

    def relevant(self, direction: str) -> RelevantOf:
        """Return the relevance of a direction's queries: items of the same group or, for items with several labels of
        which any makes a match, items that share some, with their number as gain.

        Raises: MetricError where neither applies.
        """
        query, gallery = self._items(direction)
        if self.unranked is None:
            return by_group(self.groups[query], self.ranked_gallery.groups[gallery])
        if not self.multi_label:
            raise MetricError(self.unranked)
        return by_shared_labels(self.labels, query, gallery, self.ranked_gallery.labels)

    def queried_items(self, direction: str) -> np.ndarray:
        """Return the item of each of a direction's queries that has something to find, int64 (q,)."""
        items, _ = self._items(direction)
        relevant = self.relevant(direction)
        blocks = [relevant(slice(at, at + QUERIES)).counts > 0 for at in range(0, len(items), QUERIES)]
        return items[np.concatenate(blocks)]

    @property
    def codes(self) -> bool:
        """Whether items are ranked by the Hamming distance of their codes, and by nothing else."""
        pairs = self.pairs is not None or bool(self.ranked_gallery.pairs) or bool(self.candidates)
        return self.similarity == "hamming" and {"image", "text"} <= set(self.embeddings) and not pairs

    def code_pairs(self, direction: str) -> CodePairs:
        """Return a direction's queries with its gallery, as packed codes."""
        codes, ranked_gallery = self._vectors(direction)
        return CodePairs(pack(codes), pack(ranked_gallery), codes.shape[1], self.matches(direction))

    def matches(self, direction: str) -> MatchesOf:
        """Return which pairs of a direction's queries and gallery match."""
        query, gallery = self._items(direction)
        if self.unranked is None:
            return same_group(self.groups[query], self.ranked_gallery.groups[gallery])
        return shared_label(self.labels[query], self.ranked_gallery.labels[gallery])

    def distance_counts(self, direction: str) -> Counts:
        """Return how many items of the gallery are at each Hamming distance of a direction's queries; counted once."""
        if direction not in self._counts:
            self._counts[direction] = self.code_pairs(direction).counts()
        return self._counts[direction]

    def tie_groups(self, direction: str) -> Iterator[TieGroups]:
        """Yield where all that is relevant to a direction's queries stands, some queries at a time.

        Raises: MetricError for a NaN or infinite score, naming the query.
        """
        if direction in self._kept:
            yield from self._kept[direction]
            return
        queries, gallery = (len(items) for items in self._items(direction))
        blocks: list[TieGroups] = []
        size = 0
        for groups in tie_groups(
            self.score_rows(direction), self.relevant(direction), queries=queries, gallery=gallery
        ):
            yield groups
            size += groups.nbytes
            if size <= KEPT_BYTES:
                blocks.append(groups)
            else:
                blocks.clear()
        if size <= KEPT_BYTES:
            self._kept[direction] = blocks

    def folds(self, size: int) -> list[Predictions]:
        """Consecutive parts of ``size`` images, each with its own captions, computed once.

        Raises: MetricError where the images do not divide into them, or candidates were found in the whole gallery.
        """
        if self.gallery is not None:
            raise MetricError("folds have galleries of their own; the gallery of this experiment is another set.")
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
            answers=None if self.answers is None else self.answers.part(start, stop),
            rerank=None,
            _folds={},
            _kept={},
            _counts={},
        )

    def neighbours(self, k: int, *, reranked: bool) -> np.ndarray:
        """Share of same-class images among each image's k nearest others, float64 (n,)."""
        if self.labels.ndim == 1 and (self.labels < 0).any():
            raise MetricError("'precision' compares the labels of images, and this dataset has none.")
        rerank = self.rerank if reranked else None
        gallery = None if self.gallery is None else (self.gallery.embeddings["image"], self.gallery.labels)
        return neighbour_precision(self.embeddings["image"], self.labels, k, rerank, gallery)


def _refuse_nan(values: np.ndarray, what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
    if len(bad):
        raise MetricError(f"{what} of {len(bad)} items are NaN or infinite; the first is item {bad[0]} of the split.")
