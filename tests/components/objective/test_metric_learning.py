"""The same losses of pytorch-metric-learning, given the pairs that are left when groups are masked: docs/objectives.md.

It takes every pair as an index, so that masks can be said to it, at a cost in memory that grows with the cube of the
batch for the contrastive ones. Values and gradients must agree.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pairs import GROUPS, INDEX, batch_of, output_of, random_pairs
from pytorch_metric_learning import distances, losses, reducers
from torch import Tensor

from vsebench.components.objective._pairs import negatives_of
from vsebench.components.objective.base import Objective
from vsebench.components.objective.cosine_embedding import CosineEmbedding
from vsebench.components.objective.info_nce import InfoNCE
from vsebench.components.objective.nt_xent import NTXent
from vsebench.components.objective.supcon import SupCon
from vsebench.components.objective.triplet import Triplet
from vsebench.core.types import Batch

LABELS = (0, 0, 1, 2, 1, 2, 0, 0)
Pairs = tuple[Tensor, Tensor, Tensor, Tensor]
Theirs = Callable[[Tensor, Tensor, Batch, bool], Tensor]


def pairs_of(positives: Tensor, negatives: Tensor) -> Pairs:
    """Anchor and positive, anchor and negative, as the library lists them."""
    return (*positives.nonzero(as_tuple=True), *negatives.nonzero(as_tuple=True))  # type: ignore[return-value]


def rows(count: int) -> Tensor:
    return torch.arange(count)


def info_nce(image: Tensor, text: Tensor, batch: Batch, mask: bool) -> Tensor:
    theirs = losses.NTXentLoss(temperature=0.2)
    pairs, n = pairs_of(torch.eye(len(batch), dtype=torch.bool), negatives_of(batch, mask)), rows(len(batch))
    return (theirs(image, n, pairs, text, n.clone()) + theirs(text, n, pairs, image, n.clone())) / 2


def nt_xent(image: Tensor, text: Tensor, batch: Batch, mask: bool) -> Tensor:
    both, current = torch.cat([image, text]), torch.eye(len(batch), dtype=torch.bool)
    partner = torch.cat([torch.cat([~current & current, current], 1), torch.cat([current, ~current & current], 1)])
    pairs = pairs_of(partner, negatives_of(batch, mask).repeat(2, 2))
    return losses.NTXentLoss(temperature=0.2)(both, rows(len(both)), pairs)  # type: ignore[no-any-return]


def supcon(image: Tensor, text: Tensor, batch: Batch, mask: bool) -> Tensor:
    same = (batch.labels[:, None] == batch.labels[None]).repeat(2, 2)
    positives = same & ~torch.eye(2 * len(batch), dtype=torch.bool)
    pairs = pairs_of(positives, negatives_of(batch, mask).repeat(2, 2) & ~same)
    theirs = losses.SupConLoss(temperature=0.2, reducer=reducers.MeanReducer())
    return theirs(torch.cat([image, text]), rows(2 * len(batch)), pairs)  # type: ignore[no-any-return]


def triplet(similarity: str) -> Theirs:
    distance = {
        "cosine": distances.CosineSimilarity(),
        "dot": distances.DotProductSimilarity(normalize_embeddings=False),
        "euclidean": distances.LpDistance(normalize_embeddings=False),
    }[similarity]

    def loss(image: Tensor, text: Tensor, batch: Batch, mask: bool) -> Tensor:
        theirs = losses.TripletMarginLoss(margin=0.3, distance=distance, reducer=reducers.SumReducer())
        anchors, others = negatives_of(batch, mask).nonzero(as_tuple=True)
        n, triples = rows(len(batch)), (anchors, anchors, others)
        return theirs(image, n, triples, text, n.clone()) + theirs(text, n, triples, image, n.clone())  # type: ignore[no-any-return]

    return loss


def cosine_embedding(image: Tensor, text: Tensor, batch: Batch, mask: bool) -> Tensor:
    theirs = losses.ContrastiveLoss(
        pos_margin=1, neg_margin=0.1, distance=distances.CosineSimilarity(), reducer=reducers.SumReducer()
    )
    pairs, n = pairs_of(torch.eye(len(batch), dtype=torch.bool), negatives_of(batch, mask)), rows(len(batch))
    return theirs(image, n, pairs, text, n.clone())  # type: ignore[no-any-return]


CASES: dict[str, tuple[Callable[[bool], Objective], Theirs]] = {
    "info_nce": (lambda mask: InfoNCE(temperature=0.2, learn_temperature=False, mask_same_group=mask), info_nce),
    "nt_xent": (lambda mask: NTXent(temperature=0.2, mask_same_group=mask), nt_xent),
    "supcon": (lambda mask: SupCon(temperature=0.2, mask_same_group=mask), supcon),
    "cosine_embedding": (
        lambda mask: CosineEmbedding(margin=0.1, reduction="sum", mask_same_group=mask),
        cosine_embedding,
    ),
    **{
        f"triplet, {s}": (
            lambda mask, s=s: Triplet(margin=0.3, similarity=s, reduction="sum", mask_same_group=mask),  # type: ignore[misc]
            triplet(s),
        )
        for s in ("cosine", "dot", "euclidean")
    },
}


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_are_theirs(name: str, mask: bool) -> None:
    ours, theirs = CASES[name]
    batch = batch_of(GROUPS, INDEX, LABELS)
    pair = [random_pairs(dtype=torch.float64).embeddings[m].requires_grad_() for m in ("image", "text")]
    (term,) = ours(mask)(output_of(*pair), batch).values()
    wanted = theirs(*pair, batch, mask)
    torch.testing.assert_close(term, wanted, rtol=1e-6, atol=1e-9)
    result = torch.autograd.grad(term, pair)
    for gradient, want in zip(result, torch.autograd.grad(wanted, pair), strict=True):
        torch.testing.assert_close(gradient, want, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_masks_are_seen(name: str) -> None:
    """Without this, both sides might ignore them."""
    ours, _ = CASES[name]
    labels = (0, 1, 2, 3, 0, 1, 2, 2) if name == "supcon" else LABELS  # items of one label are positives anyway
    batch = batch_of(GROUPS, INDEX, labels)

    def total(mask: bool) -> float:
        outputs = [random_pairs(seed=seed) for seed in range(4)]
        return sum(float(next(iter(ours(mask)(output, batch).values()))) for output in outputs)

    assert total(True) < total(False)


def test_their_default_mean_leaves_out_what_costs_nothing() -> None:
    """Why the reducers are given above: a mean over the pairs that still cost something grows as others are solved."""
    image = torch.eye(4)
    text = image.clone()
    text[3] = image[2]
    n, cosine = rows(4), distances.CosineSimilarity()
    summed = losses.TripletMarginLoss(margin=0.2, distance=cosine, reducer=reducers.SumReducer())
    theirs = losses.TripletMarginLoss(margin=0.2, distance=cosine)
    total = [float(summed(a, n, None, b, n.clone())) for a, b in ((image, text), (text, image))]
    assert float(Triplet(margin=0.2)(output_of(image, text), batch_of(range(4)))["triplet"]) == pytest.approx(
        sum(total) / 4
    )
    costly = 4  # of 12 from images to texts
    assert float(theirs(image, n, None, text, n.clone())) == pytest.approx(total[0] / costly)
