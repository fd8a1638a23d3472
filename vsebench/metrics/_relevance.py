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


def by_shared_labels(labels: np.ndarray, query_items: np.ndarray, gallery_items: np.ndarray) -> RelevantOf:
    """Relevant is what shares a label with the query; its gain is the number of shared labels.

    Args:
        labels: 0/1 (n, C), of the items.
        query_items: int (Q,), the item that each query belongs to.
        gallery_items: int (G,), the item that each member of the gallery belongs to.
    """
    values = labels.astype(np.float32)  # counts of labels are exact in float32, and the product is fast

    def relevant(part: slice) -> Relevant:
        shared = (values[query_items[part]] @ values.T)[:, gallery_items].astype(np.int64)
        rows, items = np.nonzero(shared)
        return Relevant(np.bincount(rows, minlength=len(shared)), items, shared[rows, items])

    return relevant
