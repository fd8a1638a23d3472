"""Post-processing prototype matching (PPM)."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.head.base import Head
from vsebench.components.head.mlp import MLP
from vsebench.core.registry import HEADS


@HEADS.register("prototype_matching", source="VSE, section 4.2: the DPM row's post-processing; methods 6.4, PPM")
class PrototypeMatching(Head):
    """Add to an MLP's logits the cosine between the item and a learned query of each class.

        p_k = W_p [μ_k; e_k],  logits'_k = logits_k + β cos(z, p_k) / τ
        μ_k = running mean of the training items' z of class k (momentum), e_k learned

    Differs from the source: it says only that category-specific queries are generated; the rest is our reading.

    Args:
        dim_in: D, size of the joint vector (wired).
        num_classes: C (wired).
        hidden: width of the MLP's hidden layer, > 0.
        dropout: rate in [0, 0.95) in the MLP.
        dim_class: size of e_k, > 0.
        beta: β ≥ 0; 0 is the plain MLP.
        tau: τ > 0.
        momentum: of the running means, in [0, 1).

    Shape: (B, D) -> (B, C).

    Example:
        >>> PrototypeMatching(8, 3, hidden=16).prototypes().shape
        torch.Size([3, 8])
    """

    means: Tensor
    seen: Tensor

    def __init__(
        self,
        dim_in: int,
        num_classes: int,
        *,
        hidden: Annotated[int, Gt(0)] = 512,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
        dim_class: Annotated[int, Gt(0)] = 64,
        beta: Annotated[float, Ge(0)] = 0.5,
        tau: Annotated[float, Gt(0)] = 0.1,
        momentum: Annotated[float, Ge(0), Le(0.9999)] = 0.99,
    ) -> None:
        super().__init__()
        self.beta, self.tau, self.momentum = beta, tau, momentum
        self.mlp = MLP(dim_in, num_classes, hidden=hidden, dropout=dropout)
        self.classes = nn.Parameter(0.02 * torch.randn(num_classes, dim_class))
        self.query = nn.Linear(dim_in + dim_class, dim_in)
        self.register_buffer("means", torch.zeros(num_classes, dim_in))
        self.register_buffer("seen", torch.zeros(num_classes, dtype=torch.bool))

    def observe(self, joint: Tensor, labels: Tensor) -> None:
        """Move the means of the classes in the batch towards their items."""
        member = labels.float() if labels.ndim > 1 else F.one_hot(labels, len(self.means)).float()  # (B, C)
        counts = member.sum(0)
        batch = member.T @ joint.float() / counts.clamp(min=1)[:, None]
        keep = torch.where(self.seen, self.momentum, 0.0)[:, None]  # a class's first batch sets its mean
        present = (counts > 0)[:, None]
        self.means.copy_(torch.where(present, keep * self.means + (1 - keep) * batch, self.means))
        self.seen |= counts > 0

    def prototypes(self) -> Tensor:
        """p_k of every class, (C, D)."""
        queries: Tensor = self.query(torch.cat([self.means, self.classes], -1))
        return queries

    def forward(self, joint: Tensor) -> Tensor:
        """Score."""
        cosine = F.normalize(joint, dim=-1) @ F.normalize(self.prototypes(), dim=-1).T
        logits: Tensor = self.mlp(joint)
        return logits + self.beta / self.tau * cosine
