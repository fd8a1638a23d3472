"""Stacking: a logistic regression on what several classifiers say of validation items."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: Parts of a cross-fit.
FOLDS = 5


def evidence_of(log_p: Tensor, present: Tensor, multi_label: bool) -> Tensor:
    """Convert a classifier's outcomes to inputs of a regression: centred log-probabilities, or the logit of each class
    for ``multi_label``; neutral zeros for an absent modality.

    Shape: (M, B, C) or (M, B, C, 2), bool (M, B) -> (M, B, C).
    """
    log_odds = log_p[..., 0] - log_p[..., 1] if multi_label else log_p - log_p.mean(-1, keepdim=True)
    return log_odds.masked_fill(~present[:, :, None], 0.0)


def even_weights(parts: int, num_classes: int, multi_label: bool) -> Tensor:
    """Those with which a stack is the product rule with equal weights. Shape: (M, C), or (M · C, C) of one label."""
    if multi_label:
        return torch.full((parts, num_classes), 1 / parts)
    return torch.eye(num_classes).repeat(parts, 1) / parts


def stacked(evidence: Tensor, weight: Tensor, bias: Tensor, multi_label: bool) -> Tensor:
    """Logits: of one label, each from what every classifier says of every class; of several, of this class alone.

    Shape: (M, B, C), weights as :func:`even_weights`, (C,) -> (B, C).
    """
    if multi_label:
        return torch.einsum("mbc,mc->bc", evidence, weight) + bias
    return evidence.transpose(0, 1).flatten(1) @ weight + bias


def fit(evidence: Tensor, labels: Tensor, multi_label: bool, l2: float) -> tuple[Tensor, Tensor]:
    """Minimise the sum of cross entropies and l2 / 2 · ‖W‖², the bias left free, as scikit-learn's LogisticRegression
    with C = 1 / l2. The minimum is one; it is sought in float64.

    Shape: (M, n, C), (n,) numbers or 0/1 (n, C) -> weights as :func:`even_weights`, (C,); float32.
    """
    evidence, count = evidence.detach().double(), evidence.shape[-1]
    with torch.enable_grad():
        weight = torch.zeros_like(even_weights(len(evidence), count, multi_label), dtype=torch.float64)
        weight, bias = weight.requires_grad_(), torch.zeros(count, dtype=torch.float64, requires_grad=True)
        search = torch.optim.LBFGS(
            [weight, bias], max_iter=500, tolerance_grad=1e-8, tolerance_change=1e-12, line_search_fn="strong_wolfe"
        )

        def cost() -> float:
            search.zero_grad()
            logits = stacked(evidence, weight, bias, multi_label)
            if multi_label:
                loss = F.binary_cross_entropy_with_logits(logits, labels.double(), reduction="sum")
            else:
                loss = F.cross_entropy(logits, labels, reduction="sum")
            total = loss + l2 / 2 * weight.square().sum()
            total.backward()  # type: ignore[no-untyped-call]
            return float(total.detach())

        search.step(cost)  # type: ignore[no-untyped-call]
    return weight.detach().float(), bias.detach().float()


def folds_of(groups: Tensor) -> Tensor:
    """Return which part of a cross-fit each item is in: ``FOLDS`` of about equal size, a group whole in one of them.

    Shape: int64 (n,) -> int64 (n,).

    Raises: ValueError of fewer than two groups.
    """
    result, place = groups.unique(return_inverse=True)
    if len(result) < 2:
        raise ValueError("stacking needs validation items of at least two groups")
    drawn = torch.randperm(len(result), generator=torch.Generator().manual_seed(0))
    return drawn[place] % min(FOLDS, len(result))


def cross_fitted(evidence: Tensor, labels: Tensor, folds: Tensor, multi_label: bool, l2: float) -> Tensor:
    """Each item's logits by the regression of the other folds. Shape: (M, n, C), (n,) or (n, C), (n,) -> (n, C)."""
    logits = torch.zeros(evidence.shape[1:])
    for fold in folds.unique():
        held_out = folds == fold
        weight, bias = fit(evidence[:, ~held_out], labels[~held_out], multi_label, l2)
        logits[held_out] = stacked(evidence[:, held_out].float(), weight, bias, multi_label)
    return logits
