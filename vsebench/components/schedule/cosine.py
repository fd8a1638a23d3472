"""Cosine decay."""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import Ge, Le

from vsebench.core.registry import SCHEDULES


@SCHEDULES.register("cosine", source="Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts")
def cosine(progress: float, *, final: Annotated[float, Ge(0), Le(1)] = 0.0) -> float:
    """Fall from 1 to ``final`` along half a cosine.

        factor = final + (1 - final) (1 + cos(π progress)) / 2

    Args:
        progress: share of the training done, in [0, 1] (wired).
        final: factor at the end, in [0, 1].

    Example:
        >>> cosine(0.0), round(cosine(0.5), 6), cosine(1.0)
        (1.0, 0.5, 0.0)
    """
    return final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2
