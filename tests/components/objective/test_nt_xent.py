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
    is_negative,
    random_pairs,
    table,
    value,
)
from pytorch_metric_learning import losses

from vsebench.components.objective.info_nce import InfoNCE
from vsebench.components.objective.nt_xent import NTXent
from vsebench.core.types import Batch, Output


def slow(output: Output, batch: Batch, tau: float, negatives: str, mask: bool) -> float:
    count = len(batch)
    if negatives == "cross":
        vectors = table(output)
        rows = [
            [vectors[i][i], *(vectors[i][j] for j in range(count) if is_negative(batch, i, j, mask))]
            for i in range(count)
        ]
    else:
        all_of = [v for m in ("image", "text") for v in output.embeddings[m].double().tolist()]
        rows = []
        for a in range(2 * count):
            partner = (a + count) % (2 * count)
            others = [b for b in range(2 * count) if is_negative(batch, a % count, b % count, mask)]
            rows.append([cosine(all_of[a], all_of[b]) for b in (partner, *others)])
    return sum(math.log(sum(math.exp((s - row[0]) / tau) for s in row)) for row in rows) / len(rows)


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("negatives", ["both", "cross"])
def test_equals_a_loop_over_anchors(negatives: str, mask: bool) -> None:
    batch, output = batch_of(GROUPS, INDEX), random_pairs()
    objective = NTXent(temperature=0.2, negatives=negatives, mask_same_group=mask)  # type: ignore[arg-type]
    assert value(objective, output, batch) == pytest.approx(slow(output, batch, 0.2, negatives, mask), rel=1e-5)


@pytest.mark.parametrize("negatives", ["both", "cross"])
def test_promises_gradient_and_one_item(negatives: str) -> None:
    objective = NTXent(temperature=0.3, negatives=negatives)  # type: ignore[arg-type]
    check_promises(objective)
    check_gradient(objective, batch_of(GROUPS, INDEX))
    assert value(objective, random_pairs(1), batch_of([3])) == 0.0
    assert value(objective, random_pairs(3), batch_of([3, 3, 3])) == 0.0


def test_cross_is_one_direction_of_info_nce() -> None:
    batch, output = batch_of(GROUPS, INDEX), random_pairs()
    one = value(InfoNCE(temperature=0.2, direction="i2t"), output, batch)
    assert value(NTXent(temperature=0.2, negatives="cross"), output, batch) == pytest.approx(one, rel=1e-6)


def test_every_anchor_has_all_other_vectors() -> None:
    same = Output(embeddings={m: torch.ones(5, 3) for m in ("image", "text")})
    assert value(NTXent(), same, batch_of(range(5))) == pytest.approx(math.log(9))
    assert value(NTXent(negatives="cross"), same, batch_of(range(5))) == pytest.approx(math.log(5))


def test_agrees_with_pytorch_metric_learning() -> None:
    output = random_pairs(16)
    both = torch.cat([output.embeddings["image"], output.embeddings["text"]])
    wanted = float(losses.NTXentLoss(temperature=0.2)(both, torch.arange(16).repeat(2)))
    assert value(NTXent(temperature=0.2), output, batch_of(range(16))) == pytest.approx(wanted, rel=1e-5)
