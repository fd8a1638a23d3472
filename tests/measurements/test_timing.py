"""Times of calls that take a known time."""

from __future__ import annotations

import time

import pytest
import torch

from vsebench.measurements import _timing
from vsebench.measurements._timing import timed

CPU = torch.device("cpu")


def test_median_per_item() -> None:
    result = timed(lambda: time.sleep(0.02), CPU, items=4)
    assert 5.0 <= result["median"] < 15.0
    assert result["low"] <= result["median"] <= result["high"]


def test_first_call_is_not_counted() -> None:
    calls: list[float] = []

    def call() -> None:
        calls.append(0.1 if not calls else 0.001)
        time.sleep(calls[-1])

    result = timed(call, CPU)
    assert result["high"] < 100.0
    assert len(calls) == result["repeats"] + 1


def test_repeats_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timed(lambda: None, CPU)["repeats"] == _timing.MOST
    assert timed(lambda: time.sleep(0.15), CPU)["repeats"] == _timing.LEAST
    monkeypatch.setattr(_timing, "SLOW_S", 0.05)
    assert timed(lambda: time.sleep(0.06), CPU)["repeats"] == 1
