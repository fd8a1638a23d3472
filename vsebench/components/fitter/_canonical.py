"""Pairs of directions that two centred views share: the generalised eigenproblem of CCA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from vsebench.core.errors import TrainingError

#: A direction whose variance is below this share of the largest is no direction of the data but its rounding.
NULL_VARIANCE = 1e-10
#: A pair whose strength is below this is none; that of a perfect correlation is 1.
NULL_STRENGTH = 1e-8
#: Beyond this size of the smaller view, one pair is found by Lanczos steps instead of a whole decomposition.
DENSE_SIDE = 256


class Pairs(NamedTuple):
    """Directions of both views, strongest first.

    Args:
        x: (D_x, k).
        y: (D_y, k).
        strength: (k,), ρ of the eigenproblem (correlations, for CCA).
    """

    x: Tensor
    y: Tensor
    strength: Tensor


def whitening(covariance: Tensor, ridge: float) -> Tensor:
    """W with Wᵀ (Σ + ridge·v I) W = I, for the directions in which the data vary at all.

        Σ = E diag(λ) Eᵀ,  W = E_r diag(λ_r + ridge·v)^(−1/2),  v = tr(Σ)/D

    The ridge is a share of the mean variance v, so that the unit of the features does not matter.

    Shape: float64 (D, D) -> (D, r), r <= D the rank of Σ.

    Example:
        >>> whitening(torch.tensor([[4.0, 0.0], [0.0, 0.0]], dtype=torch.float64), 0.0).abs().tolist()
        [[0.5], [0.0]]
    """
    values, vectors = torch.linalg.eigh(covariance)
    keep = values > NULL_VARIANCE * values[-1]
    scale = values[keep] + ridge * values.clamp(min=0).mean()
    whitening: Tensor = vectors[:, keep].flip(1) / scale.flip(0).sqrt()
    return whitening


def canonical_pairs(cross: Tensor, white_x: Tensor, white_y: Tensor) -> Pairs:
    """Solve C Σ_yy⁻¹ Cᵀ w_x = ρ² Σ_xx w_x, w_y = Σ_yy⁻¹ Cᵀ w_x / ρ, for all ρ > 0.

    Whitened, the pairs are singular vectors: W_xᵀ C W_y = U diag(ρ) Vᵀ, w_x = W_x u, w_y = W_y v. The first of a
    pair's largest entries in w_x is made positive.

    Args:
        cross: C, float64 (D_x, D_y), of a size that gives ρ near 1 to what agrees wholly.
        white_x: :func:`whitening` of Σ_xx, (D_x, r_x).
        white_y: of Σ_yy, (D_y, r_y).
    """
    left, strength, right = torch.linalg.svd(white_x.T @ cross @ white_y, full_matrices=False)
    keep = strength > NULL_STRENGTH
    return _turned(Pairs(white_x @ left[:, keep], white_y @ right[keep].T, strength[keep]))


def strongest_pair(whitened: Tensor) -> tuple[Tensor, Tensor, float]:
    """Return the first singular pair of a whitened cross covariance and its strength: u (r_x,), v (r_y,), ρ."""
    if min(whitened.shape) <= DENSE_SIDE:
        left, strength, right = torch.linalg.svd(whitened, full_matrices=False)
        return left[:, 0], right[0], float(strength[0])
    from scipy.sparse.linalg import svds

    # A start of its own makes the result the same each time; the row of the largest norm has a part in the answer.
    thin = whitened if whitened.shape[0] >= whitened.shape[1] else whitened.T
    start = thin[thin.norm(dim=1).argmax()]
    left, strength, right = svds(thin.numpy(), k=1, v0=start.numpy())
    u, v = torch.from_numpy(left[:, 0].copy()), torch.from_numpy(right[0].copy())
    return (u, v, float(strength[0])) if thin is whitened else (v, u, float(strength[0]))


def _turned(pairs: Pairs) -> Pairs:
    """Choose one sign for each pair, since both sides may change theirs together."""
    index = pairs.x.abs().argmax(dim=0, keepdim=True)
    turn = torch.where(pairs.x.gather(0, index) < 0, -1.0, 1.0).double()
    return Pairs(pairs.x * turn, pairs.y * turn, pairs.strength)


def refuse_bits(who: str, bits: int, results: Mapping[str, tuple[int, int]]) -> None:
    """Refuse more bits than either modality has independent directions.

    Args:
        who: name of the fitter, for messages.
        bits: length of a code.
        results: modality -> (rank of its centred vectors, their size).

    Raises: TrainingError that names the modality and the most bits there can be.
    """
    modality, (rank, size) = min(results.items(), key=lambda item: item[1][0])
    if bits > rank:
        raise TrainingError(
            f"fitter '{who}' takes a direction per bit: {bits} bits are asked for, and the {modality} vectors of the "
            f"training items have {rank} independent directions (size {size}). Set bits to {rank} or less; "
            "fitters whose bits may outnumber the directions are cmfh, scm with variant: seq, seph and stmh."
        )


def refuse_few(who: str, bits: int, count: int, where: str) -> None:
    """Refuse more bits than there are pairs of directions.

    Args:
        who: name of the fitter, for messages.
        bits: length of a code.
        count: number of pairs whose strength is above 0.
        where: ends in what has these directions, "image and text correlate in".

    Raises: TrainingError that says how many bits there can be.
    """
    if bits > count:
        raise TrainingError(
            f"fitter '{who}' takes a direction per bit: {bits} bits are asked for, and {where} {count} directions. "
            f"Set bits to {count} or less."
        )
