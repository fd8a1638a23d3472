"""Which points no other point beats."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Positions of the points that no other equals in both numbers and beats in one; larger is better in both.

    In the order of the first number, falling. Equal points are all on the front.

    Example:
        >>> front([(0.9, 10.0), (0.5, 20.0), (0.4, 15.0), (0.9, 9.0)])
        [0, 1]
    """
    order = sorted(range(len(points)), key=lambda i: (-points[i][0], -points[i][1], i))
    front_points: list[int] = []
    for i in order:
        best = points[front_points[-1]] if front_points else None
        if best is None or points[i][1] > best[1] or points[i] == best:
            front_points.append(i)
    return front_points
