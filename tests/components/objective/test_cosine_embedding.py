from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from pairs import (
    GROUPS,
    INDEX,
    batch_of,
    check_gradient,
    check_promises,
    is_negative,
    output_of,
    random_pairs,
    table,
    value,
)
from pytorch_metric_learning import distances, losses, reducers

from vsebench.components.objective.cosine_embedding import CosineEmbedding
from vsebench.core.types import Batch, Output


def slow(output: Output, batch: Batch, margin: float, mask: bool) -> list[float]:
    scores, terms = table(output), []
    for i in range(len(batch)):
        for j in range(len(batch)):
            if i == j:
                terms.append(1 - scores[i][j])
            elif is_negative(batch, i, j, mask):
                terms.append(max(0.0, scores[i][j] - margin))
    return terms


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("margin", [-1.0, 0.0, 0.3])
def test_equals_a_loop_over_pairs(margin: float, mask: bool) -> None:
    batch, output = batch_of(GROUPS, INDEX), random_pairs()
    terms = slow(output, batch, margin, mask)
    for reduction, wanted in (("sum", sum(terms)), ("mean", sum(terms) / len(terms))):
        objective = CosineEmbedding(margin=margin, reduction=reduction, mask_same_group=mask)  # type: ignore[arg-type]
        assert value(objective, output, batch) == pytest.approx(wanted, rel=1e-5)


def test_promises_gradient_and_one_item() -> None:
    check_promises(CosineEmbedding())
    check_gradient(CosineEmbedding(margin=0.1), batch_of(GROUPS, INDEX))
    apart = output_of(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    assert value(CosineEmbedding(), apart, batch_of([3])) == pytest.approx(1.0)
    same = output_of(torch.ones(1, 4), torch.ones(1, 4))
    assert value(CosineEmbedding(), same, batch_of([3])) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_agrees_with_torch(reduction: str) -> None:
    output = random_pairs()
    image, text = (output.embeddings[m] for m in ("image", "text"))
    sign = 2 * torch.eye(8).flatten() - 1
    wanted = F.cosine_embedding_loss(
        image.repeat_interleave(8, 0), text.repeat(8, 1), sign, margin=0.1, reduction=reduction
    )
    ours = CosineEmbedding(margin=0.1, reduction=reduction)  # type: ignore[arg-type]
    assert value(ours, output, batch_of(range(8))) == pytest.approx(float(wanted), rel=1e-5)


def test_agrees_with_pytorch_metric_learning() -> None:
    output = random_pairs()
    image, text = (output.embeddings[m] for m in ("image", "text"))
    theirs = losses.ContrastiveLoss(
        pos_margin=1, neg_margin=0.1, distance=distances.CosineSimilarity(), reducer=reducers.SumReducer()
    )
    wanted = float(theirs(image, torch.arange(8), None, text, torch.arange(8)))
    ours = CosineEmbedding(margin=0.1, reduction="sum")
    assert value(ours, output, batch_of(range(8))) == pytest.approx(wanted, rel=1e-5)
