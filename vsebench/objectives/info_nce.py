"""InfoNCE."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

import torch
import torch.distributed as dist
from annotated_types import Gt
from torch import Tensor

from vsebench.objectives._pairs import LogitScale, contrast, image_and_text, negatives_of
from vsebench.objectives.base import Objective
from vsebench.registry import OBJECTIVES
from vsebench.types import Batch, Output

Direction = Literal["mean", "sum", "i2t", "t2i"]


@OBJECTIVES.register(
    "info_nce",
    source="van den Oord et al. 2018, arXiv:1807.03748, as in CLIP, Radford et al. 2021, arXiv:2103.00020; decoupled: "
    "Yeh et al. 2022, arXiv:2110.06848; METHODS 5",
    needs=("image", "text"),
    needs_labels=False,
    takes_scores=True,
)
class InfoNCE(Objective):
    """Pick each image's text among all texts of the batch, and each text's image among all images.

        i2t = mean_i (log Σ_j exp(s_ij / τ) - s_ii / τ),  j over i and its negatives, s the cosine
        t2i = the same with the roles exchanged
        L   = (i2t + t2i) / 2

    With ``positive_in_denominator: false``, j runs over the negatives only: the decoupled contrastive loss, which has
    no lower bound.

    Differs from CLIP: items of one group are not negatives of each other (``mask_same_group: false`` is theirs).

    Args:
        temperature: τ > 0, where it starts if it is learned.
        learn_temperature: whether log(1/τ) is trained; 1/τ is then held at 100 or below.
        direction: ``mean`` or ``sum`` of both directions, ``i2t`` or ``t2i`` alone.
        positive_in_denominator: whether the pair itself is in the sum over j.
        mask_same_group: whether items of one group are kept from being negatives of each other.
        gather: take negatives from all processes of torch.distributed, with gradients. Each process computes the
            anchors of its own items: averaged over the processes, values and gradients of parameters (as
            DistributedDataParallel averages them) are those of one process with all items. Without
            torch.distributed there is one process. Runs over several processes (``--processes-per-run``) need no
            ``gather``: every objective there sees the whole batch.

    Shape: Output.embeddings image and text (B, E) -> {"info_nce": scalar}. Anchors without negatives count as 0.

    Raises: ValueError if ``gather`` meets processes with unequal B.

    Example:
        >>> float(InfoNCE(temperature=0.5, learn_temperature=False).scale())
        2.0
    """

    def __init__(
        self,
        *,
        temperature: Annotated[float, Gt(0)] = 0.07,
        learn_temperature: bool = True,
        direction: Direction = "mean",
        positive_in_denominator: bool = True,
        mask_same_group: bool = True,
        gather: bool = False,
    ) -> None:
        super().__init__()
        self.scale = LogitScale(temperature, learn_temperature)
        self.direction, self.positive_in_denominator = direction, positive_in_denominator
        self.mask_same_group, self.gather = mask_same_group, gather

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The loss."""
        among, offset = batch, 0
        if output.scores is not None:
            sides = {"i2t": output.scores, "t2i": output.scores.T}
        else:
            image, text = image_and_text(output, normalize=True)
            all_images, all_texts = image, text
            if self.gather and not batch.whole and dist.is_available() and dist.is_initialized():
                all_images, all_texts, among, offset = gathered(image, text, batch)
            sides = {"i2t": image @ all_texts.T, "t2i": text @ all_images.T}
        if self.direction in sides:
            sides = {self.direction: sides[self.direction]}
        negatives = negatives_of(batch, self.mask_same_group, among=among, offset=offset)
        own = torch.arange(len(batch), device=batch.index.device) + offset
        scale = self.scale()
        costs = [
            contrast(scale * scores, own, negatives, with_positive=self.positive_in_denominator).mean()
            for scores in sides.values()
        ]
        total = torch.stack(costs).sum()
        return {"info_nce": total / 2 if self.direction == "mean" else total}


def gathered(image: Tensor, text: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Batch, int]:
    """Embeddings and items of all processes in the order of their ranks, and where this one's begin."""
    sizes = [torch.zeros_like(batch.index[:1]) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, torch.full_like(batch.index[:1], len(batch)))
    counts = [int(s) for s in sizes]
    if len(set(counts)) > 1:
        raise ValueError(f"objective 'info_nce' with gather needs equal batches in all processes; got {counts} items")
    everything = [_AllGather.apply(t) for t in (image, text)]
    index, groups = (_AllGather.apply(t) for t in (batch.index, batch.groups))
    among = replace(batch, inputs={}, index=index, groups=groups)
    return everything[0], everything[1], among, dist.get_rank() * len(batch)


class _AllGather(torch.autograd.Function):
    """All processes' tensors along the first dimension; backward adds up what all processes say of one's own."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]
