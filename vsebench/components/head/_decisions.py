"""Combining the decisions of several classifiers: log-probabilities in, log-probabilities out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vsebench.core.errors import ConfigError

#: Rules that take a weight of each classifier.
WEIGHTED = ("weighted", "product")


def outcomes(logits: Tensor, multi_label: bool) -> Tensor:
    """Log-probabilities of what may be the case: one of C classes, or of every class (it is, it is not).

    In float32 at least. Shape: (…, C) -> (…, C), or (…, C, 2) for ``multi_label``.
    """
    wide = logits if logits.dtype == torch.float64 else logits.float()
    if multi_label:
        return torch.stack([F.logsigmoid(wide), F.logsigmoid(-wide)], -1)
    return wide.log_softmax(-1)


def logits_of(log_p: Tensor, multi_label: bool) -> Tensor:
    """Return the logits whose softmax (or sigmoid) these probabilities are. Shape: as ``outcomes``, the other way."""
    return log_p[..., 0] - log_p[..., 1] if multi_label else log_p


def combine(rule: str, log_p: Tensor, present: Tensor, log_weights: Tensor) -> Tensor:
    """Combine M classifiers, of each item those that are present.

        mean, weighted: Σ_m w_m p_m        product: ∝ Π_m p_m^{w_m}        max: ∝ max_m p_m
        vote: (number of votes for the outcome + mean_m p_m) / (M + 1); a classifier votes for its likeliest outcome

    w is a softmax of ``log_weights`` over the present ones. In a vote the mean decides between outcomes with equally
    many votes, and cannot overturn one. An item with none present gets equal probabilities.

    Shape: (M, B, …, K), bool (M, B), (M,) -> (B, …, K), which sums to one over K.
    """
    extra = (1,) * (log_p.ndim - 2)
    nobody = ~present.any(0)  # (B,)
    log_p = log_p.masked_fill(nobody.view(1, -1, *extra), -math.log(log_p.shape[-1]))
    here = (present | nobody).view(*present.shape, *extra)
    least = torch.finfo(log_p.dtype).min
    mean = log_p.masked_fill(~here, least).logsumexp(0) - here.sum(0).to(log_p.dtype).log()
    if rule == "mean":
        return mean
    if rule == "max":
        return log_p.masked_fill(~here, least).amax(0).log_softmax(-1)
    if rule == "vote":
        chosen = F.one_hot(log_p.argmax(-1), log_p.shape[-1]).to(log_p.dtype)
        voters = present.view(here.shape)  # of nobody, nobody votes
        return ((chosen.masked_fill(~voters, 0.0).sum(0) + mean.exp()) / (voters.sum(0) + 1)).log()
    shares = log_weights.to(log_p.dtype).view(-1, 1, *extra).masked_fill(~here, least).log_softmax(0)
    if rule == "weighted":
        return (shares + log_p).logsumexp(0)
    return (shares.exp() * log_p).sum(0).log_softmax(-1)


def fixed_weights(head: str, rule: str, weights: Mapping[Any, float] | None, modalities: Sequence[str]) -> list[float]:
    """ln of the given weights in the order of the modalities; zeros when none are given.

    Raises: ConfigError at ``weights`` when the rule takes none, or a modality has none.
    """
    if weights is None:
        return [0.0] * len(modalities)
    if rule not in WEIGHTED:
        raise ConfigError(
            f"head '{head}': combine '{rule}' takes no weights. Leave them out, or choose combine: "
            f"{' or '.join(WEIGHTED)}.",
            path=("weights",),
        )
    missing = [m for m in modalities if m not in weights]
    if missing:
        raise ConfigError(f"head '{head}': weights lacks {' and '.join(missing)}.", path=("weights",))
    return [math.log(weights[m]) for m in modalities]
