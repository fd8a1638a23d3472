"""What lies within a Hamming distance of each query."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vsebench.components.metric._codes import Counts


@dataclass(frozen=True, eq=False)
class Balls:
    """The balls of one radius around the queries that have a relevant item.

    Args:
        returned: int64 (q,), items within the radius.
        good: float64 (q,), relevant ones among them.
        relevant: int64 (q,), relevant items of the gallery.
        gallery: size of the gallery.
    """

    returned: np.ndarray
    good: np.ndarray
    relevant: np.ndarray
    gallery: int

    def macro(self) -> dict[str, float]:
        """Means over queries; the precision of an empty ball is 0."""
        precision = self.good / np.maximum(self.returned, 1)
        recall = self.good / self.relevant
        both = precision + recall
        f1 = 2 * precision * recall / np.where(both > 0, both, 1.0)
        return {"precision": float(precision.mean()), "recall": float(recall.mean()), "f1": float(f1.mean())}

    def micro(self) -> dict[str, float]:
        """Quotients of sums over all queries; without precision and f1 where all balls are empty."""
        good, returned = float(self.good.sum()), int(self.returned.sum())
        recall = good / float(self.relevant.sum())
        if not returned:
            return {"recall": recall}
        precision = good / returned
        f1 = 2 * precision * recall / (precision + recall) if good else 0.0
        return {"precision": precision, "recall": recall, "f1": f1}

    def chance(self) -> Balls:
        """Balls of the same sizes with items drawn at random: n R/N relevant ones on average."""
        return replace(self, good=self.returned * self.relevant / self.gallery)


def balls(counts: Counts, radius: int) -> Balls:
    """Those of a radius, 0 … c."""
    returned, good = counts.within()
    return Balls(returned[:, radius], good[:, radius].astype(np.float64), good[:, -1], counts.gallery)
