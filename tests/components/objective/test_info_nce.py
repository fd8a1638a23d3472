from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from pairs import GROUPS, INDEX, batch_of, check_gradient, check_promises, is_negative, random_pairs, table, value
from pytorch_metric_learning import losses

from vsebench.components.objective.info_nce import InfoNCE
from vsebench.core.types import Batch, Output

DIRECTIONS = ["mean", "sum", "i2t", "t2i"]


def slow(output: Output, batch: Batch, tau: float, direction: str, positive: bool, mask: bool) -> float:
    scores, count = table(output), len(batch)
    sums = {"i2t": 0.0, "t2i": 0.0}
    for i in range(count):
        others = [j for j in range(count) if is_negative(batch, i, j, mask)]
        for name, row in (("i2t", [scores[i][j] for j in others]), ("t2i", [scores[j][i] for j in others])):
            if row:
                inside = [math.exp(s / tau) for s in [*row, *([scores[i][i]] if positive else [])]]
                sums[name] += (math.log(sum(inside)) - scores[i][i] / tau) / count
    both = sums["i2t"] + sums["t2i"]
    return {**sums, "sum": both, "mean": both / 2}[direction]


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_equals_a_loop_over_anchors(direction: str, positive: bool, mask: bool) -> None:
    batch, output = batch_of(GROUPS, INDEX), random_pairs()
    for learn in (True, False):
        objective = InfoNCE(
            temperature=0.2,
            learn_temperature=learn,
            direction=direction,  # type: ignore[arg-type]
            positive_in_denominator=positive,
            mask_same_group=mask,
        )
        wanted = slow(output, batch, 0.2, direction, positive, mask)
        assert value(objective, output, batch) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_promises_gradient_and_one_item(direction: str, positive: bool) -> None:
    objective = InfoNCE(temperature=0.3, direction=direction, positive_in_denominator=positive)  # type: ignore[arg-type]
    check_promises(objective)
    check_gradient(objective, batch_of(GROUPS, INDEX))
    assert value(objective, random_pairs(1), batch_of([3])) == 0.0
    assert value(objective, random_pairs(3), batch_of([3, 3, 3])) == 0.0


def test_is_the_cross_entropy_of_the_diagonal() -> None:
    output, batch = random_pairs(16), batch_of(range(16))
    image, text = (F.normalize(output.embeddings[m]) for m in ("image", "text"))
    logits, diagonal = image @ text.T / 0.07, torch.arange(16)
    wanted = (F.cross_entropy(logits, diagonal) + F.cross_entropy(logits.T, diagonal)) / 2
    assert value(InfoNCE(), output, batch) == pytest.approx(float(wanted), rel=1e-5)


def test_agrees_with_pytorch_metric_learning() -> None:
    output, labels, others = random_pairs(16), torch.arange(16), torch.arange(16)
    image, text = output.embeddings["image"], output.embeddings["text"]
    theirs = losses.NTXentLoss(temperature=0.2)
    for direction, a, b in (("i2t", image, text), ("t2i", text, image)):
        wanted = float(theirs(a, labels, None, b, others))
        ours = InfoNCE(temperature=0.2, direction=direction)  # type: ignore[arg-type]
        assert value(ours, output, batch_of(range(16))) == pytest.approx(wanted, rel=1e-5)


def test_without_the_positive_it_has_no_lower_bound() -> None:
    output = Output(embeddings={"image": torch.eye(2), "text": torch.eye(2)})
    for tau in (0.1, 0.01):
        ours = InfoNCE(temperature=tau, learn_temperature=False, positive_in_denominator=False)
        assert value(ours, output, batch_of(range(2))) == pytest.approx(-1 / tau)
        assert value(InfoNCE(temperature=tau), output, batch_of(range(2))) >= 0.0


def test_the_temperature_is_learned_only_if_asked() -> None:
    assert [p.requires_grad for p in InfoNCE().parameters()] == [True]
    assert not any(p.requires_grad for p in InfoNCE(learn_temperature=False).parameters())
    objective, batch, output = InfoNCE(temperature=0.2), batch_of(range(8)), random_pairs()
    objective(output, batch)["info_nce"].backward()
    step = 1e-4
    low, high = (slow(output, batch, 0.2 * math.exp(s), "mean", True, True) for s in (step, -step))
    assert float(objective.scale.log.grad) == pytest.approx((high - low) / (2 * step), rel=1e-3)  # type: ignore[arg-type]
