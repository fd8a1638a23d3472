"""Outer products of the modalities' vectors, and the check that one is not too wide to be made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from vsebench.core.errors import ConfigError


def outer_product(parts: Sequence[Tensor]) -> Tensor:
    """vec(x_1 ⊗ … ⊗ x_M), row-major: the last modality's index runs fastest. Shape: (B, D_m) each -> (B, Π_m D_m)."""
    product = parts[0]
    for part in parts[1:]:
        product = (product[:, :, None] * part[:, None, :]).flatten(1)
    return product


def with_one(vector: Tensor) -> Tensor:
    """[1; x]. Shape: (B, D) -> (B, 1 + D)."""
    return torch.cat([vector.new_ones(len(vector), 1), vector], -1)


def require_room(fusion: str, sizes: Iterable[int], cap: int, what: str) -> int:
    """Return the product of ``sizes``.

    Raises: ConfigError at ``size`` when it is larger than ``cap``; ``what`` says what there would be too many of.
    """
    sizes = list(sizes)
    total = math.prod(sizes)
    if total > cap:
        shown = " × ".join(str(s) for s in sizes)
        raise ConfigError(
            f"fusion '{fusion}': {shown} = {total:,} {what} are more than cap ({cap:,}). Set a smaller size.",
            path=("size",),
        )
    return total
