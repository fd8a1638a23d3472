"""Constant learning rate."""

from __future__ import annotations

from vsebench.core.registry import SCHEDULES


@SCHEDULES.register("constant", source="standard")
def constant(progress: float) -> float:
    """Leave the learning rate as it is.

    Args:
        progress: share of the training done, in [0, 1] (wired).

    Example:
        >>> constant(0.5)
        1.0
    """
    return 1.0
