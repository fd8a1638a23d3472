"""Kernels of vectors: how alike two items are, as an inner product in a space that is never written out."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Kernel = Literal["rbf", "chi_square", "linear"]
#: Entries of a block of differences, (rows, landmarks, D), that are held at a time.
BLOCK = 1 << 22


def distances(rows: Tensor, others: Tensor, kernel: Kernel) -> Tensor:
    """Return how far items lie apart: squared Euclidean distance, or chi-square distance.

        rbf:         Σ_d (x_d − z_d)²
        chi_square:  Σ_d (x_d − z_d)² / (|x_d| + |z_d|), 0/0 = 0

    Shape: (B, D), (m, D) -> (B, m)

    Example:
        >>> distances(torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.0], [3.0, 2.0]]), "chi_square").tolist()
        [[1.0, 2.0]]
    """
    if kernel != "chi_square":
        centre = others.mean(0)  # so that the difference below is not one of large numbers
        rows, others = rows - centre, others - centre
        squares = rows.square().sum(1)[:, None] + others.square().sum(1)[None]
        return (squares - 2 * rows @ others.T).clamp(min=0)
    step = max(1, BLOCK // max(1, others.numel()))
    results = []
    for part in rows.split(step):
        difference = (part[:, None] - others[None]).square()
        total = part.abs()[:, None] + others.abs()[None]
        results.append((difference / total.clamp(min=torch.finfo(rows.dtype).tiny)).sum(2))
    return torch.cat(results) if results else rows.new_zeros(0, len(others))


def kernel_values(rows: Tensor, others: Tensor, kernel: Kernel, width: Tensor | float) -> Tensor:
    """Values of a kernel.

        rbf, chi_square:  exp(−distance(x, z) / width)
        linear:           x·z

    Shape: (B, D), (m, D) -> (B, m)
    """
    if kernel == "linear":
        return rows @ others.T
    return torch.exp(-distances(rows, others, kernel) / width)


def median_distance(rows: Tensor, kernel: Kernel) -> float:
    """Return the median distance between different items; 1 where more than half of them are the same. Shape: (m,
    D).
    """
    first, second = torch.triu_indices(len(rows), len(rows), 1)
    median = float(distances(rows, rows, kernel)[first, second].median()) if len(first) else 0.0
    return median if median > 0 else 1.0
