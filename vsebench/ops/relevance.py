"""What is relevant to a query: gallery items of its group, or items that share labels with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Relevant:
    """The relevant items of successive queries, one query after the other.

    Args:
        counts: int64 (b,), relevant items of each query.
        items: int64 (P,), P = counts.sum(), their positions in the gallery.
        gains: int64 (P,), how relevant each is; 1 or more.
    """

    counts: np.ndarray
    items: np.ndarray
    gains: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """int64 (P,), the query of each item, counted from the first one here."""
        return np.repeat(np.arange(len(self.counts)), self.counts)


RelevantOf = Callable[[slice], Relevant]


def by_group(query_groups: np.ndarray, gallery_groups: np.ndarray) -> RelevantOf:
    """Relevant is what has the query's group, with a gain of 1.

    Shape: groups (Q,), (G,).
    """
    order = np.argsort(gallery_groups, kind="stable")
    ordered = gallery_groups[order]
    begins = np.searchsorted(ordered, query_groups, "left")
    counts = np.searchsorted(ordered, query_groups, "right") - begins
    one = np.ones(1, np.int64)

    def relevant(part: slice) -> Relevant:
        few = counts[part]
        total = int(few.sum())
        place = np.arange(total) - np.repeat(np.cumsum(few) - few, few) + np.repeat(begins[part], few)
        return Relevant(few, order[place], np.broadcast_to(one, total))

    return relevant


def by_shared_labels(
    labels: np.ndarray, query_items: np.ndarray, gallery_items: np.ndarray, gallery_labels: np.ndarray | None = None
) -> RelevantOf:
    """Relevant is what shares a label with the query; its gain is the number of shared labels.

    Args:
        labels: 0/1 (n, C), of the items.
        query_items: int (Q,), the item that each query belongs to.
        gallery_items: int (G,), the item that each member of the gallery belongs to.
        gallery_labels: 0/1 (m, C), of the gallery's items where they are others.
    """
    values = labels.astype(np.float32)  # counts of labels are exact in float32, and the product is fast
    ranked_gallery = values if gallery_labels is None else gallery_labels.astype(np.float32)

    def relevant(part: slice) -> Relevant:
        return _with_gains((values[query_items[part]] @ ranked_gallery.T)[:, gallery_items].astype(np.int64))

    return relevant


def by_matrix(gains: np.ndarray) -> RelevantOf:
    """Take what is relevant, and how much, from a matrix. Shape: bool or int (Q, G); 0 is not relevant."""
    return lambda part: _with_gains(gains[part].astype(np.int64))


def _with_gains(gains: np.ndarray) -> Relevant:
    """Return the items of successive queries whose gain is not 0. Shape: int64 (b, G)."""
    rows, items = np.nonzero(gains)
    return Relevant(np.bincount(rows, minlength=len(gains)), items, gains[rows, items])


#: For a slice of queries and one of the gallery: which pairs match, bool (b, g).
MatchesOf = Callable[[slice, slice], np.ndarray]


def same_group(query_groups: np.ndarray, gallery_groups: np.ndarray) -> MatchesOf:
    """Return the relevance by group: a match has the query's group. Shape: groups (Q,), (G,)."""
    _, numbers = np.unique(np.concatenate([query_groups, gallery_groups]), return_inverse=True)
    query, gallery = np.split(numbers.astype(np.int32), [len(query_groups)])

    def matches(part: slice, columns: slice) -> np.ndarray:
        same: np.ndarray = query[part, None] == gallery[columns]
        return same

    return matches


def shared_label(query_labels: np.ndarray, gallery_labels: np.ndarray) -> MatchesOf:
    """Return the relevance by labels: a match shares one with the query, 32 labels at a time. Shape: 0/1 (Q, C), (G,
    C).
    """
    query, gallery = _label_words(query_labels), _label_words(gallery_labels)

    def matches(part: slice, columns: slice) -> np.ndarray:
        shared = query[0][part, None] & gallery[0][columns]
        for one, other in zip(query[1:], gallery[1:], strict=True):
            shared |= one[part, None] & other[columns]
        result: np.ndarray = shared != 0
        return result

    return matches


def _label_words(labels: np.ndarray) -> list[np.ndarray]:
    """uint32 (n,) for every 32 labels, a bit each."""
    packed = np.packbits(labels > 0, axis=1)
    packed = np.pad(packed, [(0, 0), (0, -packed.shape[1] % 4)])
    return list(np.ascontiguousarray(packed.view(np.uint32).T))
