"""Memory that a call needs beside what is there before it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch


def peak_bytes(call: Callable[[], Any], device: torch.device) -> int | None:
    """Return the peak memory of PyTorch's allocator during the call, beyond what it held before.

    On CUDA the allocator's own peak; on a CPU the peak of the running sum of what PyTorch's profiler saw allocated and
    freed, temporary memory of operations included. What libraries allocate for themselves (BLAS, cuDNN's handles) is
    not in it. None for a device that tells neither.

    Example:
        >>> peak_bytes(lambda: torch.empty(1_000_000, dtype=torch.uint8), torch.device("cpu"))
        1000000
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        torch.cuda.synchronize(device)
        return int(torch.cuda.max_memory_allocated(device)) - before
    return _profiled(call) if device.type == "cpu" else None


def _profiled(call: Callable[[], Any]) -> int:
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # its own notes on starting and stopping
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as arrays:
        output = call()
        del output
    events: Any = arrays.profiler
    changes = [e for e in events.kineto_results.events() if e.name() == "[memory]" and e.device_type().name == "CPU"]
    now = peak = 0
    for change in sorted(changes, key=lambda e: e.start_ns()):
        now += change.nbytes()
        peak = max(peak, now)
    return peak
