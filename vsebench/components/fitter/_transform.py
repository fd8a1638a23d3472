"""What is done to the vectors of a modality before a fitter sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor

#: modality -> name of a function; a modality that is not named is taken as it is.
Transforms = dict[Literal["image", "text"], Literal["sqrt"]]


def transformed(rows: Tensor, modality: str, transforms: Mapping[Literal["image", "text"], str] | None) -> Tensor:
    """Vectors with a modality's function applied to each entry.

        sqrt(x) = sign(x) √|x|

    The square root makes inner products of histograms their Hellinger affinities: large counts then weigh less.

    Shape: (n, D) -> (n, D), of the same type.

    Example:
        >>> import torch
        >>> transformed(torch.tensor([[4.0, -9.0]]), "image", {"image": "sqrt"}).tolist()
        [[2.0, -3.0]]
        >>> transformed(torch.tensor([[4.0, -9.0]]), "text", {"image": "sqrt"}).tolist()
        [[4.0, -9.0]]
    """
    named = any(name == modality for name in transforms or ())
    return rows.sign() * rows.abs().sqrt() if named else rows
