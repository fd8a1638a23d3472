"""Codes whose distances are distributed as the labels' similarities are: the first stage of SePH."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from vsebench.core.errors import TrainingError

#: Entries of one block of rows × n: what a CPU's cache holds, or enough to fill another device.
BLOCK_CPU, BLOCK_DEVICE = 1 << 17, 1 << 24
#: The smallest gain of a coordinate's rate.
LEAST_GAIN = 0.01
#: Standard deviation of the first Y.
FIRST_SCALE = 1e-4


class Step(NamedTuple):
    """J at Y less Σ P log P, which does not depend on Y, and the gradient of J (n, c)."""

    objective: float
    gradient: Tensor


def divergence(codes: Tensor, labels: Tensor, alpha: float) -> Step:
    """J = KL(P ‖ Q) + α/(cn) ‖|Y| − 1‖² less Σ P log P, and its gradient, without an n × n matrix.

        P_ij = ⟨l_i, l_j⟩ / Σ,  Q_ij = k_ij / Z,  k_ij = 1/(1 + ¼ ‖y_i − y_j‖²),  i ≠ j
        ∂J/∂y_i = Σ_j (P − Q)_ij k_ij (y_i − y_j) + 2α/(cn) (|y_i| − 1) sign(y_i)

    Args:
        codes: Y, float (n, c).
        labels: rows of length 1 or 0, none negative, (n, K).
        alpha: weight of the distance to −1 and +1.

    Time n²(K + c), memory a few blocks of rows.
    """
    total = pair_total(labels)
    norms = codes.square().sum(dim=1)
    pulled, pushed = torch.zeros_like(codes), torch.zeros_like(codes)
    cross = partition = torch.zeros((), dtype=torch.float64, device=codes.device)
    for rows, block in row_blocks(codes):
        wanted = labels[rows] @ labels.T / total.to(labels.dtype)
        wanted[block] = 0
        squares = (norms[rows, None] + norms - 2 * codes[rows] @ codes.T).clamp_(min=0) / 4
        near = (1 + squares).reciprocal()
        near[block] = 0
        partition = partition + near.sum(dtype=torch.float64)
        cross = cross + (wanted * torch.log1p(squares)).sum(dtype=torch.float64)
        for sums, weights in ((pulled, wanted * near), (pushed, near.square())):
            sums[rows] = weights.sum(dim=1, keepdim=True) * codes[rows] - weights @ codes
    weight = alpha / codes.numel()
    far = codes.abs() - 1
    objective = cross + partition.log() + weight * far.double().square().sum()
    gradient = pulled - pushed / partition.to(codes.dtype) + 2 * weight * far * codes.sign()
    return Step(float(objective), gradient)


def label_entropy(labels: Tensor) -> float:
    """Σ P log P, the part of the divergence that does not depend on Y; in blocks of rows too."""
    total, result = pair_total(labels), 0.0
    for rows, block in row_blocks(labels):
        wanted = (labels[rows] @ labels.T).double() / total
        wanted[block] = 0
        result += float(torch.xlogy(wanted, wanted).sum())
    return result


def pair_total(labels: Tensor) -> Tensor:
    """Σ_{i≠j} ⟨l_i, l_j⟩, float64.

    Raises: TrainingError if no two items share a label.
    """
    total = labels.double().sum(dim=0).square().sum() - labels.double().square().sum()
    if not bool(total > 1e-6):
        raise TrainingError("no two training items share a label: there is nothing that codes could be learnt from.")
    return total


def row_blocks(rows: Tensor) -> Iterator[tuple[slice, tuple[Tensor, Tensor]]]:
    """Blocks of rows of an n × n matrix, each with where its part of the diagonal lies in it."""
    size = len(rows)
    height = max(1, (BLOCK_CPU if rows.device.type == "cpu" else BLOCK_DEVICE) // size)
    for start in range(0, size, height):
        end = min(start + height, size)
        at = torch.arange(start, end, device=rows.device)
        yield slice(start, end), (at - start, at)


def semantic_codes(
    labels: Tensor,
    bits: int,
    *,
    alpha: float,
    steps: int,
    rate: float,
    momentum: float,
    generator: torch.Generator,
    report: Callable[[int, float], None],
) -> Tensor:
    """Descend J from a small random Y with a gain per coordinate; the best Y on the way, real-valued.

    A gain grows by 0.2 where the gradient goes on as the last move did, and shrinks by ×0.8 where it turns. Columns are
    centred after each step.

    Shape: labels (n, K) -> (n, c), float32 on their device.

    Raises: TrainingError if no two items share a label, or if J is not finite on the way.
    """
    codes = (FIRST_SCALE * torch.randn(len(labels), bits, generator=generator)).to(labels.device)
    move, gains = torch.zeros_like(codes), torch.ones_like(codes)
    best, lowest, entropy = codes, float("inf"), label_entropy(labels)
    for number in range(1, steps + 1):
        objective, gradient = divergence(codes, labels, alpha)
        if not math.isfinite(objective):
            raise TrainingError(f"the codes' divergence is not finite at step {number}: rate {rate:g} is too large.")
        report(number, entropy + objective)
        if objective < lowest:
            best, lowest = codes, objective
        onward = gradient.sign() != move.sign()  # the move goes down, against the gradient
        gains = torch.where(onward, gains + 0.2, gains * 0.8).clamp(min=LEAST_GAIN)
        move = momentum * move - rate * gains * gradient
        codes = codes + move
        codes = codes - codes.mean(dim=0)
    return codes if divergence(codes, labels, alpha).objective < lowest else best
