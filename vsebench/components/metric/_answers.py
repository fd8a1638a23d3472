"""What the annotators of questions answered, as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answers:
    """The answers of n items that are classes, one row for each pair of item and class.

    Args:
        item: int64 (a,), ascending.
        label: int64 (a,), class number.
        count: int64 (a,), how many annotators of the item gave it.
        given: int64 (n,), annotators of each item, those included whose answer is no class.
    """

    item: np.ndarray
    label: np.ndarray
    count: np.ndarray
    given: np.ndarray

    @staticmethod
    def of(message: Sequence[Mapping[str, int]], names: Sequence[str]) -> Answers:
        """From texts.

        Example:
            >>> found = Answers.of([{"red": 7, "crimson": 3}, {}], ["blue", "red"])
            >>> found.item.tolist(), found.label.tolist(), found.count.tolist(), found.given.tolist()
            ([0], [1], [7], [10, 0])
        """
        number = {name: k for k, name in enumerate(names)}
        rows = [(i, number[a], n) for i, one in enumerate(message) for a, n in one.items() if a in number]
        table = np.array(rows, np.int64).reshape(-1, 3)
        given = np.array([sum(one.values()) for one in message], np.int64)
        return Answers(table[:, 0], table[:, 1], table[:, 2], given)

    def part(self, start: int, stop: int) -> Answers:
        """Those of the items from ``start`` to before ``stop``."""
        keep = (self.item >= start) & (self.item < stop)
        return Answers(self.item[keep] - start, self.label[keep], self.count[keep], self.given[start:stop])

    def arrays(self) -> dict[str, np.ndarray]:
        """As they are kept beside predictions."""
        return {f"answers/{name}": getattr(self, name) for name in ("item", "label", "count", "given")}
