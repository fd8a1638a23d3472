"""The boxes of a KD tree, and how far queries are from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

#: Bytes of one of SciPy's nodes.
NODE = 72


@dataclass(frozen=True)
class _Level:
    """Children at one depth of the tree, lower halves and upper halves of the nodes above.

    Args:
        parents: int64 (m,), places of the nodes above at their depth.
        dims: int64 (m,), the dimension in which each was split.
        before, after: float64 (m, 2), the box's ends in that dimension, before the split and behind it.
        leaves: bool (m,), which of them are leaves.
    """

    parents: np.ndarray
    dims: np.ndarray
    before: np.ndarray
    after: np.ndarray
    leaves: np.ndarray


class Boxes:
    """SciPy's tree over some vectors, with the leaves laid out so that many queries are compared with all at once.

    Args:
        vectors: (n, D), n > 0.
        leaf: the most vectors of a leaf, but for equal ones, which no split can part.
    """

    def __init__(self, vectors: np.ndarray, leaf: int) -> None:
        from scipy.spatial import cKDTree

        self.tree: Any = cKDTree(vectors, leafsize=leaf, compact_nodes=True, balanced_tree=True)

    @property
    def memory_bytes(self) -> int:
        """Vectors in double precision, their order and nodes."""
        return int(self.tree.data.nbytes + self.tree.indices.nbytes + self.tree.size * NODE)

    def distances(self, queries: np.ndarray) -> np.ndarray:
        """Squared distance of each query to each leaf's box, the space that splits leave it; 0 inside.

        From parent to child only the split dimension's share changes, so that the cost does not grow with D.

        Shape: (Q, D) -> float64 (Q, leaves).
        """
        rows = queries.astype(np.float64)
        low, high = self.tree.mins, self.tree.maxes
        here = (np.maximum(np.maximum(low - rows, rows - high), 0) ** 2).sum(1, keepdims=True)  # (Q, nodes at a depth)
        results = [here] if not self._levels else []
        for level in self._levels:
            values = rows[:, level.dims]
            here = here[:, level.parents] - _outside(values, level.before) + _outside(values, level.after)
            results.append(here[:, level.leaves])
            here = here[:, ~level.leaves]
        bounds: np.ndarray = np.maximum(np.concatenate(results, 1), 0)
        return bounds

    def members(self, leaves: np.ndarray) -> np.ndarray:
        """Return the vectors in some leaves of each query, the rest -1. Shape: (Q, m) -> int64 (Q, C)."""
        sizes = self._ends - self._starts
        counts = sizes[leaves]  # (Q, m)
        totals = counts.sum(1)
        result = np.full((len(leaves), int(totals.max(initial=0))), -1, np.int64)
        flat = counts.ravel()
        within = np.arange(flat.sum()) - np.repeat(np.cumsum(flat) - flat, flat)
        places = np.repeat(self._starts[leaves].ravel(), flat) + within
        rows = np.repeat(np.arange(len(leaves)), totals)
        columns = np.arange(flat.sum()) - np.repeat(np.cumsum(totals) - totals, totals)
        result[rows, columns] = self.tree.indices[places]
        return result

    @property
    def _levels(self) -> list[_Level]:
        return self._layout[0]

    @property
    def _starts(self) -> np.ndarray:
        return self._layout[1]

    @property
    def _ends(self) -> np.ndarray:
        return self._layout[2]

    @cached_property
    def _layout(self) -> tuple[list[_Level], np.ndarray, np.ndarray]:
        """Levels from below the root, and where each leaf's vectors start and end in the tree's order."""
        root = self.tree.tree
        levels: list[_Level] = []
        leaves = [root] if root.split_dim < 0 else []
        # Nodes with the ends that splits gave their boxes; what none has touched is the root's.
        nodes: list[tuple[Any, dict[int, tuple[float, float]]]] = [] if leaves else [(root, {})]
        while nodes:
            children, parents, dims, before, after = [], [], [], [], []
            for number, (node, ends) in enumerate(nodes):
                dim, split = node.split_dim, node.split
                low, high = ends.get(dim, (self.tree.mins[dim], self.tree.maxes[dim]))
                for child, new in ((node.lesser, (low, split)), (node.greater, (split, high))):
                    children.append((child, {**ends, dim: new}))
                    parents.append(number)
                    dims.append(dim)
                    before.append((low, high))
                    after.append(new)
            ended = np.array([child.split_dim < 0 for child, _ in children])
            levels.append(_Level(np.array(parents), np.array(dims), np.array(before), np.array(after), ended))
            leaves += [child for (child, _), done in zip(children, ended, strict=True) if done]
            nodes = [pair for pair, done in zip(children, ended, strict=True) if not done]
        starts = np.array([leaf.start_idx for leaf in leaves], np.int64)
        return levels, starts, np.array([leaf.end_idx for leaf in leaves], np.int64)


def _outside(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Squared distance of values to intervals, 0 inside. Shape: (Q, m), (m, 2) -> (Q, m)."""
    squares: np.ndarray = np.maximum(np.maximum(ends[:, 0] - values, values - ends[:, 1]), 0) ** 2
    return squares
