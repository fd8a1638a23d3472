"""Similar documents get similar joint representations."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt, Le
from torch import Tensor

from vsebench.components.objective.base import Objective
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, DocumentAttention, Output
from vsebench.ops.masking import blank, masked_softmax


@OBJECTIVES.register(
    "graph_laplacian",
    source="AMIR, the similarity regulariser; methods 6.1, step 6",
    needs=("text",),
    needs_labels=False,
    needs_logits=True,
    needs_compared=True,
)
class GraphLaplacian(Objective):
    """Draw the joint representations of documents together that the shared space finds alike.

        S_ij = s_iᵀ s_j + ½ (α_ij + α_ji) t_iᵀ t_j,  symmetric; negative entries and the diagonal are 0
        L    = diag(S 1) - S,  D = diag(β¹, …, βⁿ) in the order of decreasing score
        R    = (1/n²) tr(Hᵀ D^½ L D^½ H) = (1/2n²) Σ_ij S_ij ‖β^(r_i/2) h_i - β^(r_j/2) h_j‖² ≥ 0

    s are the queries and t the mean of the keys that a document has; α is the mean over the modalities of the attention
    between documents. What a document lacks adds nothing. The source's μ is the term's ``weight``.

    Differs from the source: it names L and β only. r is the rank by the probability of the most probable class, equal
    ones in the batch's order; retrieval's score would need a query.

    Args:
        beta: β in (0, 1]; at 1 every document counts alike.
        affinity_grad: whether S is trained too; else it says only what is drawn together.

    Shape: Output.compared, joint (B, A), logits (B, C) -> {"graph_laplacian": scalar}; 0 of a single document.

    Example:
        >>> GraphLaplacian().beta
        0.9
    """

    def __init__(self, *, beta: Annotated[float, Gt(0), Le(1)] = 0.9, affinity_grad: bool = False) -> None:
        super().__init__()
        self.beta, self.affinity_grad = beta, affinity_grad

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss."""
        if output.document_attention is None or output.joint is None or output.logits is None:
            raise ValueError("objective 'graph_laplacian' needs a head, and a fusion that compares documents")
        result = affinity(output.document_attention)
        logits = output.logits.float().detach()
        scores = (logits.sigmoid() if batch.labels.ndim > 1 else logits.softmax(-1)).amax(-1)
        weights = torch.empty_like(scores)
        ranks = torch.arange(1, len(scores) + 1, device=scores.device, dtype=scores.dtype)
        weights[scores.argsort(descending=True, stable=True)] = self.beta ** (ranks / 2)
        scaled = weights[:, None] * output.joint.float()
        return {"graph_laplacian": smoothness(result if self.affinity_grad else result.detach(), scaled)}


def affinity(document_attention: DocumentAttention) -> Tensor:
    """S, in float32. Shape: -> (B, B)."""
    query = blank(document_attention.query.float(), document_attention.asks)
    keys = {m: blank(key.float(), document_attention.has[m]) for m, key in document_attention.keys.items()}
    attention = []
    for modality, key in keys.items():
        allowed = document_attention.asks[:, None] & document_attention.has[modality][None, :]
        attention.append(masked_softmax(query @ key.T / document_attention.temperature, allowed))
    alpha = torch.stack(attention).mean(0)
    counts = torch.stack(list(document_attention.has.values())).sum(0)
    mean = torch.stack(list(keys.values())).sum(0) / counts.clamp(min=1)[:, None]
    result = query @ query.T + (alpha + alpha.T) / 2 * (mean @ mean.T)
    return result.relu().masked_fill(torch.eye(len(result), dtype=torch.bool, device=result.device), 0.0)


def laplacian(affinities: Tensor) -> Tensor:
    """L = diag(S 1) - S. Shape: (B, B) -> (B, B)."""
    return affinities.sum(1).diag() - affinities


def smoothness(affinities: Tensor, values: Tensor) -> Tensor:
    """(1/n²) tr(Gᵀ L G). Shape: S (B, B), G (B, A) -> ()."""
    return (values * (laplacian(affinities) @ values)).sum() / len(values) ** 2
