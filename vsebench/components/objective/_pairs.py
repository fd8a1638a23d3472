"""The pairs of a batch: which are negatives, how similar they are, and the softmax over them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsebench.core.types import Batch, Output

#: The similarity's factor 1/τ is not learned beyond this (CLIP, Radford et al. 2021, section 2.5).
MAX_SCALE = 100.0


def image_and_text(output: Output, *, normalize: bool) -> tuple[Tensor, Tensor]:
    """Both embeddings (B, E) in float32, or float64 if they are; ``normalize`` makes them unit vectors."""
    pair = [output.embeddings[m] for m in ("image", "text")]
    pair = [v.to(torch.promote_types(v.dtype, torch.float32)) for v in pair]
    image, text = [F.normalize(v, dim=-1, eps=1e-12) for v in pair] if normalize else pair
    return image, text


def scores_of(output: Output, *, normalize: bool) -> Tensor:
    """Scores of every image with every text: a pairwise scorer's where there are any, else of the embeddings.

    Shape: (B, B), images in rows.
    """
    if output.scores is not None:
        return output.scores
    image, text = image_and_text(output, normalize=normalize)
    return image @ text.T


def negatives_of(batch: Batch, mask_same_group: bool) -> Tensor:
    """Return which items of the batch are negatives of each item.

    An item is never its own negative; those of its group, or the same item drawn again, are not either with
    ``mask_same_group``.

    Shape: (B,) -> bool (B, B).
    """
    negatives = ~torch.eye(len(batch), dtype=torch.bool, device=batch.positions.device)
    if mask_same_group:
        negatives &= batch.groups[:, None] != batch.groups[None, :]
        negatives &= batch.positions[:, None] != batch.positions[None, :]
    return negatives


def contrast(scores: Tensor, positive: Tensor, negatives: Tensor, *, with_positive: bool = True) -> Tensor:
    """-log softmax of each anchor's positive among its negatives and, ``with_positive``, itself.

    An anchor without negatives costs 0.

    Shape: scores (N, M), positive (N,) columns, negatives bool (N, M) -> (N,)
    """
    positive_score = scores.gather(1, positive[:, None]).squeeze(1)
    allowed = negatives.scatter(1, positive[:, None], True) if with_positive else negatives
    # Not -inf: the sum over no negatives stays finite, and so does its gradient.
    total = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min).logsumexp(1)
    return (total - positive_score).masked_fill(~negatives.any(1), 0.0)


def hardest_sampled(costs: Tensor, negatives: Tensor, count: int, *, training: bool) -> Tensor:
    """Return the largest cost of ``count`` negatives drawn uniformly, with replacement, for each anchor.

    Drawn from torch's default generator in training; in eval mode the expectation over the draws, which needs none:
    the r-th smallest of n costs is the largest of k draws with probability (r/n)^k - ((r-1)/n)^k.
    An anchor without negatives costs 0.

    Shape: costs (N, M), negatives bool (N, M) -> (N,)
    """
    costs = costs.masked_fill(~negatives, 0.0)
    number = negatives.sum(1, keepdim=True)
    if training:
        # A row of zeros cannot be drawn from: an anchor without negatives draws a cost of 0.
        drawn = torch.multinomial((negatives | (number == 0)).float(), count, replacement=True)
        return costs.gather(1, drawn).amax(1)
    result, order = costs.masked_fill(~negatives, -math.inf).sort(1)
    result = result.masked_fill(~negatives.gather(1, order), 0.0)
    rank = torch.arange(costs.shape[1], device=costs.device)[None, :] - costs.shape[1] + number + 1
    upper, lower = (r.clamp(min=0) / number.clamp(min=1) for r in (rank, rank - 1))
    return (result * (upper**count - lower**count)).sum(1)


class LogitScale(nn.Module):
    """The factor 1/τ of similarities, learned as its logarithm and held at most ``MAX_SCALE``, or fixed."""

    def __init__(self, temperature: float, learn: bool) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(-math.log(temperature)), requires_grad=learn)

    def forward(self) -> Tensor:
        """Return the factor."""
        if self.log.requires_grad:
            with torch.no_grad():  # the parameter itself, as CLIP: a clamp of the result has no gradient beyond it
                self.log.clamp_(max=math.log(MAX_SCALE))
        return self.log.exp()
