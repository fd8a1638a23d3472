"""Exponential decay."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt, Le

from vsebench.core.registry import SCHEDULES


@SCHEDULES.register("exponential", source="standard; AMIR multiplies its rate by 0.95 after each epoch; methods 6.1")
def exponential(progress: float, epochs: float = 1.0, *, factor: Annotated[float, Gt(0), Le(1)] = 0.95) -> float:
    """Multiply the learning rate by ``factor`` with each epoch, evenly over its steps.

        factor ** (progress · epochs)

    At the beginning of an epoch it is what multiplying once per epoch gives.

    Args:
        progress: share of the training done, in [0, 1] (wired).
        epochs: of the training after its warm-up (wired).
        factor: in (0, 1].

    Example:
        >>> exponential(0.0), round(exponential(1.0, 50), 6)
        (1.0, 0.076945)
    """
    return float(factor ** (progress * epochs))
