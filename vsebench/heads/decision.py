"""Decision-level fusion: a classifier per modality, and one decision from theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.heads._decisions import WEIGHTED, combine, fixed_weights, logits_of, outcomes
from vsebench.heads.base import Head
from vsebench.heads.linear import Linear
from vsebench.heads.mlp import MLP
from vsebench.registry import HEADS


def classifier(dim_in: int, num_classes: int, hidden: int | None, dropout: float) -> Head:
    """A multi-layer perceptron, or a linear map where ``hidden`` is None."""
    return MLP(dim_in, num_classes, hidden=hidden, dropout=dropout) if hidden else Linear(dim_in, num_classes)


@HEADS.register(
    "decision",
    source="the fusion brief's decision level; METHODS 3, levels; Kittler et al. 1998, On combining classifiers",
    reads=("vectors",),
)
class Decision(Head):
    """Classify from each modality alone, and combine the probabilities.

        p_m = softmax(head_m(x_m));  logits = ln p, so that softmax(logits) = p
        mean:      p = mean_m p_m                  product:  p ∝ Π_m p_m^{w_m}  (log-linear)
        weighted:  p = Σ_m w_m p_m                 max:      p ∝ max_m p_m
        vote:      p = (votes + mean_m p_m) / (M + 1): the mean decides between equally many votes

    w is a softmax of learned scalars, equal at the start, or fixed. All of it runs over the modalities that an item
    has: w is renormalised over them. An item without any gets equal probabilities. For multi-label data p_m is a
    sigmoid per class, "it is" and "it is not" are combined as two outcomes, and sigmoid(logits) = p.

    Differs from the source: it only says that decisions are combined. There is no stacking (a regression on validation
    logits): training never reads the validation split here.

    Args:
        dims: size of each modality's vector, D_m (wired).
        num_classes: C (wired).
        multi_label: whether an item may have several classes (wired).
        combine: ``mean``, ``weighted``, ``product``, ``max`` or ``vote``.
        weights: w by modality for ``weighted`` and ``product``, > 0, in any scale; null learns them.
        hidden: width of each classifier's hidden layer, > 0; null for linear classifiers.
        dropout: rate in [0, 0.95] in the classifiers.

    Shape: {m: (B, D_m)}, {m: bool (B,)} -> (B, C). ``parts`` is filled with each modality's own logits, {m: (B, C)}.

    Raises: ConfigError if ``weights`` lacks a modality, or is given to a rule that takes none.

    Example:
        >>> head = Decision({"image": 4, "text": 3}, 5, False, combine="vote", hidden=None)
        >>> present = {m: torch.ones(2, dtype=torch.bool) for m in ("image", "text")}
        >>> head({"image": torch.ones(2, 4), "text": torch.ones(2, 3)}, present).shape
        torch.Size([2, 5])
    """

    log_weights: Tensor

    def __init__(
        self,
        dims: Mapping[str, int],
        num_classes: int,
        multi_label: bool,
        *,
        combine: Literal["mean", "weighted", "product", "max", "vote"] = "mean",
        weights: dict[Literal["image", "text", "audio"], Annotated[float, Gt(0)]] | None = None,
        hidden: Annotated[int, Gt(0)] | None = 512,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
    ) -> None:
        super().__init__()
        self.combine, self.multi_label = combine, multi_label
        self.parts = nn.ModuleDict({m: classifier(d, num_classes, hidden, dropout) for m, d in dims.items()})
        start = torch.tensor(fixed_weights("decision", combine, weights, list(dims)))
        if combine in WEIGHTED and weights is None and len(dims) > 1:
            self.log_weights = nn.Parameter(start)
        else:
            self.register_buffer("log_weights", start, persistent=False)

    def forward(  # type: ignore[override]
        self, vectors: Mapping[str, Tensor], present: Mapping[str, Tensor], parts: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Score. ``present`` is False where an item lacks a modality."""
        dtype = next(iter(vectors.values())).dtype
        return logits_of(self.log_probabilities(vectors, present, parts), self.multi_label).to(dtype)

    def log_probabilities(
        self, vectors: Mapping[str, Tensor], present: Mapping[str, Tensor], parts: dict[str, Tensor] | None
    ) -> Tensor:
        """ln p of every outcome, in float32 at least."""
        logits = {m: head(vectors[m]) for m, head in self.parts.items()}
        if parts is not None:
            parts.update(logits)
        log_p = torch.stack([outcomes(logits[m], self.multi_label) for m in self.parts])
        return combine(self.combine, log_p, torch.stack([present[m] for m in self.parts]), self.log_weights)
