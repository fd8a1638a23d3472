"""How long a call takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

#: Seconds that the repeats of one call may take together, and their number.
BUDGET_S = 0.4
LEAST, MOST = 3, 50
#: A call that takes longer is timed once, after no other.
SLOW_S = 2.0


def timed(call: Callable[[], Any], device: torch.device, *, items: int = 1) -> dict[str, float]:
    """Milliseconds per item: ``median``, and ``low`` and ``high``, the fastest and slowest of ``repeats``.

    A first call is not counted (libraries choose their ways in it), unless it is slow. The call ends when the device
    has done its work.

    Args:
        call: what is measured.
        device: that is waited for after each call.
        items: that one call answers, >= 1.
    """
    first = _seconds(call, device)
    results = [first]
    if first <= SLOW_S:
        results = []
        while len(results) < LEAST or (len(results) < MOST and sum(results) < BUDGET_S):
            results.append(_seconds(call, device))
    milliseconds = [1e3 * seconds / items for seconds in results]
    return {
        "median": statistics.median(milliseconds),
        "low": min(milliseconds),
        "high": max(milliseconds),
        "repeats": len(results),
    }


def _seconds(call: Callable[[], Any], device: torch.device) -> float:
    _wait(device)
    begin = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - begin


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
