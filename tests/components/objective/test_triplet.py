from __future__ import annotations

import math

import pytest
import torch
from pairs import (
    GROUPS,
    INDEX,
    batch_of,
    check_gradient,
    check_promises,
    cosine,
    dot,
    is_negative,
    output_of,
    random_pairs,
    table,
    unit,
    value,
)
from pytorch_metric_learning import distances, losses, miners, reducers

from vsebench.components.objective.triplet import Triplet
from vsebench.core.types import Batch, Output


def order(v: list[float], t: list[float]) -> float:
    v, t = ([abs(x) for x in unit(a)] for a in (v, t))
    return -math.sqrt(sum(max(0.0, y - x) ** 2 for x, y in zip(v, t, strict=True)))


def euclidean(v: list[float], t: list[float]) -> float:
    return -math.dist(v, t)


SCORES = {"cosine": cosine, "dot": dot, "order": order, "euclidean": euclidean}
CHOICES = ["sum", "max", "semihard", "random"]


def slow(output: Output, batch: Batch, margin: float, negatives: str, similarity: str, mask: bool) -> float:
    """Anchor by anchor, in float64; summed over the batch."""
    scores, total, count = table(output, SCORES[similarity]), 0.0, len(batch)
    for i in range(count):
        others = [j for j in range(count) if is_negative(batch, i, j, mask)]
        for row in ([scores[i][j] for j in others], [scores[j][i] for j in others]):
            hinges = [max(0.0, margin - scores[i][i] + s) for s in row]
            if not row:
                continue
            if negatives == "sum":
                total += sum(hinges)
            elif negatives == "max":
                total += max(hinges)
            elif negatives == "random":
                total += sum(hinges) / len(hinges)
            else:
                below = [s for s in row if s < scores[i][i]]
                total += max(0.0, margin - scores[i][i] + (max(below) if below else min(row)))
    return total


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("similarity", SCORES)
@pytest.mark.parametrize("negatives", CHOICES)
def test_equals_a_loop_over_anchors(negatives: str, similarity: str, mask: bool) -> None:
    batch, output = batch_of(GROUPS, INDEX), random_pairs()
    options = {"margin": 0.3, "negatives": negatives, "similarity": similarity}
    wanted = slow(output, batch, mask=mask, **options)  # type: ignore[arg-type]
    assert wanted > 0
    for reduction, parts in (("sum", 1), ("mean", 8)):
        objective = Triplet(reduction=reduction, mask_same_group=mask, **options).eval()  # type: ignore[arg-type]
        assert value(objective, output, batch) == pytest.approx(wanted / parts, rel=1e-5)


@pytest.mark.parametrize("similarity", SCORES)
@pytest.mark.parametrize("negatives", CHOICES)
def test_gradient(negatives: str, similarity: str) -> None:
    objective = Triplet(margin=0.3, negatives=negatives, similarity=similarity).eval()  # type: ignore[arg-type]
    check_gradient(objective, batch_of(GROUPS, INDEX))


@pytest.mark.parametrize("similarity", SCORES)
@pytest.mark.parametrize("negatives", CHOICES)
def test_promises_and_one_item_costs_nothing(negatives: str, similarity: str) -> None:
    objective = Triplet(negatives=negatives, similarity=similarity)  # type: ignore[arg-type]
    check_promises(objective)
    for training in (True, False):
        assert value(objective.train(training), random_pairs(1), batch_of([3])) == 0.0
        assert value(objective, random_pairs(3), batch_of([3, 3, 3])) == 0.0


def test_random_negatives_repeat_with_the_seed_and_average_to_eval_mode() -> None:
    batch, output, objective = batch_of(GROUPS, INDEX), random_pairs(), Triplet(negatives="random", margin=0.5)
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append([value(objective, output, batch) for _ in range(3000)])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) > 100
    assert sum(drawn[0]) / 3000 == pytest.approx(value(objective.eval(), output, batch), rel=0.02)


def test_warm_up_sums_until_its_epochs_are_done() -> None:
    batch, output = batch_of(GROUPS), random_pairs()
    objective = Triplet(negatives="max", warmup_epochs=1.5)
    summed, hardest = (value(Triplet(negatives=n), output, batch) for n in ("sum", "max"))  # type: ignore[arg-type]
    assert summed > hardest
    assert value(objective, output, batch) == summed
    for epoch, wanted in ((0.0, summed), (1.49, summed), (1.5, hardest), (7.0, hardest)):
        objective.set_progress(epoch)
        assert value(objective, output, batch) == wanted


def test_ties_take_the_tied_negative_once() -> None:
    same = torch.ones(4, 2)
    for negatives, wanted in (("sum", 6 * 0.2), ("max", 0.4), ("random", 0.4), ("semihard", 0.4)):
        objective = Triplet(negatives=negatives)  # type: ignore[arg-type]
        assert value(objective, output_of(same, same), batch_of(range(4))) == pytest.approx(wanted)


def test_order_and_distance_have_finite_gradients_where_vectors_agree() -> None:
    for similarity in ("order", "euclidean"):
        image, text = torch.eye(3).requires_grad_(), torch.eye(3).requires_grad_()
        term = Triplet(similarity=similarity, margin=5.0)(output_of(image, text), batch_of(range(3)))  # type: ignore[arg-type]
        for gradient in torch.autograd.grad(term["triplet"], [image, text]):
            assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("negatives", ["sum", "max"])
def test_agrees_with_pytorch_metric_learning(negatives: str, similarity: str) -> None:
    distance = {
        "cosine": distances.CosineSimilarity(),
        "dot": distances.DotProductSimilarity(normalize_embeddings=False),
        "euclidean": distances.LpDistance(normalize_embeddings=False),
    }[similarity]
    theirs = losses.TripletMarginLoss(margin=0.3, distance=distance, reducer=reducers.SumReducer())
    miner = miners.BatchHardMiner(distance=distance)
    output = random_pairs(16)
    labels, others_labels = torch.arange(16), torch.arange(16)  # one tensor for both would drop the pairs (i, i)
    wanted = 0.0
    for anchors, others in (("image", "text"), ("text", "image")):
        a, b = output.embeddings[anchors], output.embeddings[others]
        triplets = miner(a, labels, b, others_labels) if negatives == "max" else None
        wanted += float(theirs(a, labels, triplets, b, others_labels))
    ours = Triplet(margin=0.3, negatives=negatives, similarity=similarity, reduction="sum")  # type: ignore[arg-type]
    assert value(ours, output, batch_of(range(16))) == pytest.approx(wanted, rel=1e-5)
