"""Decision-level fusion: a classifier per modality, and one decision from theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.head._decisions import WEIGHTED, combine, fixed_weights, logits_of, outcomes
from vsebench.components.head._stacking import cross_fitted, even_weights, evidence_of, fit, folds_of, stacked
from vsebench.components.head.base import Head
from vsebench.components.head.linear import Linear
from vsebench.components.head.mlp import MLP
from vsebench.core.registry import HEADS


def classifier(dim_in: int, num_classes: int, hidden: int | None, dropout: float) -> Head:
    """Return a multi-layer perceptron, or a linear map where ``hidden`` is None."""
    return MLP(dim_in, num_classes, hidden=hidden, dropout=dropout) if hidden else Linear(dim_in, num_classes)


@HEADS.register(
    "decision",
    source="cross-modal retrieval, decision level; methods 3.3; Kittler et al. 1998, On combining classifiers",
    reads=("vectors",),
)
class Decision(Head):
    """Classify from each modality alone, and combine the probabilities.

        p_m = softmax(head_m(x_m));  logits = ln p, so that softmax(logits) = p
        mean:      p = mean_m p_m                  product:  p ∝ Π_m p_m^{w_m}  (log-linear)
        weighted:  p = Σ_m w_m p_m                 max:      p ∝ max_m p_m
        vote:      p = (votes + mean_m p_m) / (M + 1): the mean decides between equally many votes
        stack:     p = softmax(Σ_m W_m ln p_m + b), a logistic regression on validation items after training

    w is a softmax of learned scalars, equal at the start, or fixed. All of it runs over the modalities that an item
    has: w is renormalised over them. An item without any gets equal probabilities. For multi-label data p_m is a
    sigmoid per class, "it is" and "it is not" are combined as two outcomes, and sigmoid(logits) = p.

    ``stack`` trains as the product with equal weights, by which the epoch is chosen too; the regression is then fitted
    once, by :meth:`stack`, and kept in the state. ln p_m is centred; a modality that is absent adds nothing, and an
    item without any gets softmax(b). For multi-label data each class is regressed on what is said of it alone. The
    run's validation numbers are those of a cross-fit: of each item by a regression of the others.

    Differs from the source: it only says that decisions are combined.

    Args:
        dims: size of each modality's vector, D_m (wired).
        num_classes: C (wired).
        multi_label: whether an item may have several classes (wired).
        combine: ``mean``, ``weighted``, ``product``, ``max``, ``vote`` or ``stack``.
        weights: w by modality for ``weighted`` and ``product``, > 0, in any scale; null learns them.
        hidden: width of each classifier's hidden layer, > 0; null for linear classifiers.
        dropout: rate in [0, 0.95] in the classifiers.
        stack_l2: weight of ‖W‖²/2 beside the sum of cross entropies, > 0, for ``stack``.

    Shape: {m: (B, D_m)}, {m: bool (B,)} -> (B, C). ``parts`` is filled with each modality's own logits, {m: (B, C)}.

    Raises: ConfigError if ``weights`` lacks a modality, or is given to a rule that takes none.

    Example:
        >>> head = Decision({"image": 4, "text": 3}, 5, False, combine="vote", hidden=None)
        >>> present = {m: torch.ones(2, dtype=torch.bool) for m in ("image", "text")}
        >>> head({"image": torch.ones(2, 4), "text": torch.ones(2, 3)}, present).shape
        torch.Size([2, 5])
    """

    log_weights: Tensor
    stack_weight: Tensor
    stack_bias: Tensor

    def __init__(
        self,
        dims: Mapping[str, int],
        num_classes: int,
        multi_label: bool,
        *,
        combine: Literal["mean", "weighted", "product", "max", "vote", "stack"] = "mean",
        weights: dict[Literal["image", "text", "audio"], Annotated[float, Gt(0)]] | None = None,
        hidden: Annotated[int, Gt(0)] | None = 512,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
        stack_l2: Annotated[float, Gt(0)] = 1.0,
    ) -> None:
        super().__init__()
        self.combine, self.multi_label, self.stack_l2 = combine, multi_label, stack_l2
        self.parts = nn.ModuleDict({m: classifier(d, num_classes, hidden, dropout) for m, d in dims.items()})
        start = torch.tensor(fixed_weights("decision", combine, weights, list(dims)))
        if combine in WEIGHTED and weights is None and len(dims) > 1:
            self.log_weights = nn.Parameter(start)
        else:
            self.register_buffer("log_weights", start, persistent=False)
        if combine == "stack":
            self.register_buffer("stack_weight", even_weights(len(dims), num_classes, multi_label))
            self.register_buffer("stack_bias", torch.zeros(num_classes))

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
        log_p, here = self._said(logits, present)
        if self.combine != "stack":
            return combine(self.combine, log_p, here, self.log_weights)
        evidence = evidence_of(log_p, here, self.multi_label)
        weight, bias = (t.to(evidence.dtype) for t in (self.stack_weight, self.stack_bias))
        return outcomes(stacked(evidence, weight, bias, self.multi_label), self.multi_label)

    def _said(self, logits: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        log_p = torch.stack([outcomes(logits[m], self.multi_label) for m in self.parts])
        return log_p, torch.stack([present[m] for m in self.parts])

    def stack(
        self, parts: Mapping[str, Tensor], present: Mapping[str, Tensor], labels: Tensor, groups: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Fit the regression to validation items; ``parts`` are each modality's own logits, as ``forward`` gives them.

        Shape: {m: (n, C)}, {m: bool (n,)}, (n,) or (n, C), (n,) -> the state to load, and cross-fitted logits (n, C):
        items of one group are never fitted and judged by one regression.

        Raises: ValueError of fewer than two groups.
        """
        evidence = evidence_of(*self._said(parts, present), self.multi_label)
        folds = folds_of(groups)
        weight, bias = fit(evidence, labels, self.multi_label, self.stack_l2)
        state = {"stack_weight": weight, "stack_bias": bias}
        return state, cross_fitted(evidence, labels, folds, self.multi_label, self.stack_l2)
