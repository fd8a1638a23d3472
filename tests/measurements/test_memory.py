"""Peak memory of calls whose allocations are known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vsebench.measurements._memory import peak_bytes

CPU = torch.device("cpu")
MIB = 2**20


def taken(mebibytes: int) -> torch.Tensor:
    return torch.empty(mebibytes * MIB, dtype=torch.uint8)


def test_known_allocations() -> None:
    def call() -> None:
        first = taken(8)
        del first
        second, third = taken(3), taken(4)
        del second, third

    assert peak_bytes(call, CPU) == 8 * MIB


def test_what_lives_together_counts_together() -> None:
    def call() -> torch.Tensor:
        selected = taken(5)
        other = taken(4)
        del other
        return selected

    assert peak_bytes(call, CPU) == 9 * MIB


def test_what_was_there_before_does_not() -> None:
    weights = taken(16)
    assert peak_bytes(lambda: weights[:MIB].clone(), CPU) == MIB


def test_freeing_what_was_there_before_hides_nothing() -> None:
    held = [taken(16)]

    def call() -> torch.Tensor:
        held.clear()
        return taken(3)

    assert peak_bytes(call, CPU) == 3 * MIB


def test_temporary_memory_of_an_operation() -> None:
    """The sum of a float16 matrix over both sides: the result has 4 bytes, what leads to it more."""
    layer = nn.Linear(256, 1024).eval()
    rows = torch.zeros(64, 256)
    with torch.inference_mode():
        peak = peak_bytes(lambda: layer(rows).sum(), CPU)
    assert peak is not None
    assert 64 * 1024 * 4 <= peak <= 2 * 64 * 1024 * 4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda() -> None:
    weights = torch.empty(16 * MIB, dtype=torch.uint8, device="cuda")
    assert peak_bytes(lambda: torch.empty(8 * MIB, dtype=torch.uint8, device="cuda"), weights.device) == 8 * MIB
