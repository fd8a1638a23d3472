"""Size of the shared projections."""

from __future__ import annotations

import torch
from torch import Tensor

from vsebench.components.objective.base import Objective
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, Output


@OBJECTIVES.register(
    "projection_norm",
    source="AMIR, Frobenius regularisation; methods 6.1, step 6",
    needs=("text",),
    needs_labels=False,
    needs_compared=True,
)
class ProjectionNorm(Objective):
    """Keep the projections small by which a fusion compares documents, or orthogonal.

        L = ‖W_a‖_F² + ‖W_b‖_F²,  or  L = ‖W_a W_aᵀ - I‖_F² + ‖W_b W_bᵀ - I‖_F²

    The source's λ is the term's ``weight``. A matrix of more rows than columns cannot be orthogonal in this sense; the
    least L is then the number of rows that are too many.

    Args:
        orthogonal: the second form.

    Shape: Output.compared.matrices {name: (S, C)} -> {"projection_norm": scalar}.

    Example:
        >>> ProjectionNorm(orthogonal=True).orthogonal
        True
    """

    def __init__(self, *, orthogonal: bool = False) -> None:
        super().__init__()
        self.orthogonal = orthogonal

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss."""
        if output.document_attention is None:
            raise ValueError("objective 'projection_norm' needs a fusion that compares documents")
        costs = []
        for matrix in output.document_attention.matrices.values():
            matrix = matrix.float()
            if self.orthogonal:
                matrix = matrix @ matrix.T - torch.eye(len(matrix), device=matrix.device)
            costs.append(matrix.square().sum())
        return {"projection_norm": torch.stack(costs).sum()}
