"""Power normalisation: the signed square root that bilinear pooling takes before it normalises."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def signed_sqrt(values: Tensor, *, exact: bool = False) -> Tensor:
    """sign(z) √|z|, with a gradient that stays bounded.

        sign(z) (√(|z| + 1e-12) - 1e-6);  ``exact``: √max(z, 0) - √max(-z, 0)

    The exact form is that of the released implementations; near z = 0 its gradient grows without bound, that of the
    other one to at most 5e5. Both differ by at most 1e-6. Computed in float32 at least, where 1e-12 does not vanish.

    Shape: any -> the same, dtype of the input.
    """
    wide = values if values.dtype == torch.float64 else values.float()
    if exact:
        return (wide.relu().sqrt() - (-wide).relu().sqrt()).to(values.dtype)
    return (wide.sign() * ((wide.abs() + 1e-12).sqrt() - 1e-6)).to(values.dtype)


def power_normalize(values: Tensor, *, exact: bool = False) -> Tensor:
    """Signed square root, then unit length; zeros stay zeros. Shape: (…, D) -> (…, D), dtype of the input."""
    wide = values if values.dtype == torch.float64 else values.float()
    return F.normalize(signed_sqrt(wide, exact=exact), dim=-1).to(values.dtype)
