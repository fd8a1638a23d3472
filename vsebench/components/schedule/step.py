"""Step decay."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt, Lt

from vsebench.core.registry import SCHEDULES


@SCHEDULES.register("step", source="standard; VSE++ and SCAN lower the rate tenfold at half of the training")
def step(
    progress: float, *, at: list[Annotated[float, Gt(0), Lt(1)]] | None = None, factor: Annotated[float, Gt(0)] = 0.1
) -> float:
    """Multiply the learning rate by ``factor`` at each of some points.

    Args:
        progress: share of the training done, in [0, 1] (wired).
        at: the points as shares of the training, in (0, 1); [0.5] by default.
        factor: > 0.

    Example:
        >>> step(0.4), step(0.6), round(step(0.9, at=[0.5, 0.8]), 6)
        (1.0, 0.1, 0.01)
    """
    return float(factor ** sum(progress >= point for point in ([0.5] if at is None else at)))
