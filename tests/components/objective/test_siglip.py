from __future__ import annotations

import math

import pytest
import torch
from pairs import GROUPS, INDEX, batch_of, check_gradient, check_promises, is_negative, random_pairs, table, value

from vsebench.components.objective.siglip import SigLIP
from vsebench.core.types import Batch, Output


def slow(output: Output, batch: Batch, scale: float, bias: float, mask: bool = True) -> float:
    scores, total = table(output), 0.0
    for i in range(len(batch)):
        for j in range(len(batch)):
            sign = 1 if i == j else -1
            if i == j or is_negative(batch, i, j, mask):
                total += math.log(1 + math.exp(-sign * (scale * scores[i][j] + bias)))
    return total / len(batch)


@pytest.mark.parametrize("mask", [True, False])
def test_equals_a_loop_over_pairs(mask: bool) -> None:
    batch, output = batch_of(GROUPS, INDEX), random_pairs()
    assert value(SigLIP(mask_same_group=mask), output, batch) == pytest.approx(
        slow(output, batch, 10, -10, mask), rel=1e-5
    )
    other = SigLIP(scale=3.0, bias=0.5, mask_same_group=mask)
    assert value(other, output, batch) == pytest.approx(slow(output, batch, 3, 0.5, mask), rel=1e-5)


def test_promises_and_gradient() -> None:
    check_promises(SigLIP())
    check_gradient(SigLIP(scale=3.0, bias=-1.0), batch_of(GROUPS, INDEX))


def test_scale_and_bias_are_trained() -> None:
    objective, batch, output = SigLIP(scale=3.0, bias=-1.0), batch_of(GROUPS, INDEX), random_pairs()
    objective(output, batch)["siglip"].backward()
    step = 1e-4
    by_scale = slow(output, batch, 3 * math.exp(step), -1) - slow(output, batch, 3 * math.exp(-step), -1)
    by_bias = slow(output, batch, 3, -1 + step) - slow(output, batch, 3, -1 - step)
    assert float(objective.log_scale.grad) == pytest.approx(by_scale / (2 * step), rel=1e-3)  # type: ignore[arg-type]
    assert float(objective.bias.grad) == pytest.approx(by_bias / (2 * step), rel=1e-3)  # type: ignore[arg-type]


def test_one_item_is_one_decision() -> None:
    same = Output(embeddings={m: torch.ones(1, 3) for m in ("image", "text")})
    assert value(SigLIP(), same, batch_of([3])) == pytest.approx(math.log(2), rel=1e-5)


def test_large_logits_do_not_overflow() -> None:
    output = Output(embeddings={"image": torch.eye(2), "text": -torch.eye(2)})
    assert value(SigLIP(scale=500.0, bias=0.0), output, batch_of(range(2))) == pytest.approx(500 + math.log(2))


def test_a_pairs_term_does_not_depend_on_the_others() -> None:
    output, batch = random_pairs(), batch_of(range(8))
    parts = 0.0
    for i in range(8):
        for j in range(8):
            pair = Output(embeddings={"image": output.embeddings["image"][[i]], "text": output.embeddings["text"][[j]]})
            sign = 1 if i == j else -1
            (cosine,) = (x for row in table(pair) for x in row)
            parts += math.log1p(math.exp(-sign * (10 * cosine - 10)))
    assert value(SigLIP(), output, batch) == pytest.approx(parts / 8, rel=1e-5)
