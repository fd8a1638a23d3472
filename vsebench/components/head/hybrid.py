"""Hybrid fusion: a decision from the fused vector, beside those of the modalities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

from vsebench.components.head._decisions import fixed_weights, logits_of, outcomes
from vsebench.components.head.base import Head
from vsebench.components.head.decision import Decision, classifier
from vsebench.core.registry import HEADS


@HEADS.register("hybrid", source="cross-modal retrieval, hybrid fusion; methods 3.3", reads=("joint", "vectors"))
class Hybrid(Head):
    """Mix feature-level and decision-level fusion.

        p = λ softmax(head(z)) + (1 - λ) p_decision(x_1, …, x_M),  λ = σ(ℓ);  logits = ln p

    p_decision as in ``decision``. For multi-label data: sigmoids, and sigmoid(logits) = p. Differs from the source: it
    names the levels only. Train every head with a term of its own: objective ``part_cross_entropy``.

    Args:
        dim_in: D, size of the joint vector (wired).
        dims: size of each modality's vector, D_m (wired).
        num_classes: C (wired).
        multi_label: whether an item may have several classes (wired).
        share: λ at the start, in (0, 1).
        learn_share: whether λ is trained.
        combine: of the modalities' decisions: ``mean``, ``weighted``, ``product``, ``max`` or ``vote``.
        weights: by modality for ``weighted`` and ``product``, > 0, in any scale; null learns them.
        hidden: width of each classifier's hidden layer, > 0; null for linear classifiers.
        dropout: rate in [0, 0.95] in the classifiers.

    Shape: (B, D), {m: (B, D_m)}, {m: bool (B,)} -> (B, C). ``parts`` is filled with each modality's own logits and,
    as ``joint``, those of the joint vector, (B, C) each.

    Raises: ConfigError if ``weights`` lacks a modality, or is given to a rule that takes none.

    Example:
        >>> head = Hybrid(8, {"image": 4, "text": 3}, 5, False, share=0.25)
        >>> round(head.share.item(), 4)
        0.25
    """

    share_logit: Tensor

    def __init__(
        self,
        dim_in: int,
        dims: Mapping[str, int],
        num_classes: int,
        multi_label: bool,
        *,
        share: Annotated[float, Gt(0), Lt(1)] = 0.5,
        learn_share: bool = True,
        combine: Literal["mean", "weighted", "product", "max", "vote"] = "mean",
        weights: dict[Literal["image", "text", "audio"], Annotated[float, Gt(0)]] | None = None,
        hidden: Annotated[int, Gt(0)] | None = 512,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
    ) -> None:
        super().__init__()
        fixed_weights("hybrid", combine, weights, list(dims))  # so that what is wrong names this head
        self.multi_label = multi_label
        self.feature = classifier(dim_in, num_classes, hidden, dropout)
        self.decision = Decision(
            dims, num_classes, multi_label, combine=combine, weights=weights, hidden=hidden, dropout=dropout
        )
        start = torch.tensor(math.log(share / (1 - share)))
        if learn_share:
            self.share_logit = nn.Parameter(start)
        else:
            self.register_buffer("share_logit", start, persistent=False)

    @property
    def share(self) -> Tensor:
        """λ."""
        return self.share_logit.sigmoid()

    def forward(  # type: ignore[override]
        self,
        joint: Tensor,
        vectors: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        parts: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """Score. ``present`` is False where an item lacks a modality."""
        logits = self.feature(joint)
        if parts is not None:
            parts["joint"] = logits
        feature = outcomes(logits, self.multi_label)
        decision = self.decision.log_probabilities(vectors, present, parts)
        share = self.share_logit.to(feature.dtype)
        mixed = torch.logaddexp(F.logsigmoid(share) + feature, F.logsigmoid(-share) + decision)
        return logits_of(mixed, self.multi_label).to(joint.dtype)
