from __future__ import annotations

import math

import pytest
import torch
from pairs import GROUPS, INDEX, batch_of, check_gradient, check_promises, cosine, is_negative, random_pairs, value
from pytorch_metric_learning import losses

from vsebench.components.objective.nt_xent import NTXent
from vsebench.components.objective.supcon import SupCon
from vsebench.core.types import Batch, Output

LABELS = (0, 0, 1, 2, 1, 2, 0, 1)


def slow(output: Output, batch: Batch, tau: float, mask: bool) -> float:
    vectors = [v for m in ("image", "text") for v in output.embeddings[m].double().tolist()]
    count, total = len(batch), 0.0
    for a in range(2 * count):
        positives, others = [], []
        for b in range(2 * count):
            i, j = a % count, b % count
            mine, their = batch.labels[i].tolist(), batch.labels[j].tolist()
            same = any(x and y for x, y in zip(mine, their, strict=True)) if isinstance(mine, list) else mine == their
            same = same or i == j or bool(batch.positions[i] == batch.positions[j])
            if a != b and (same or is_negative(batch, i, j, mask)):
                others.append(cosine(vectors[a], vectors[b]) / tau)
                positives += [others[-1]] if same else []
        denominator = math.log(sum(math.exp(s) for s in others))
        total += sum(denominator - s for s in positives) / len(positives)
    return total / (2 * count)


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("multi_label", [False, True])
def test_equals_a_loop_over_anchors(multi_label: bool, mask: bool) -> None:
    batch, output = batch_of(GROUPS, INDEX, LABELS), random_pairs()
    if multi_label:
        torch.manual_seed(0)
        labels = (torch.rand(8, 4) < 0.3).float()
        assert not bool(labels.any(1).all())  # an item without labels keeps its own pair
        batch = Batch({}, labels, batch.positions, batch.groups)
    objective = SupCon(temperature=0.2, mask_same_group=mask)
    assert value(objective, output, batch) == pytest.approx(slow(output, batch, 0.2, mask), rel=1e-5)


def test_masking_matters_for_a_group_of_two_labels() -> None:
    batch, output = batch_of([0, 0, 1], labels=[0, 1, 2]), random_pairs(3)
    assert value(SupCon(), output, batch) < value(SupCon(mask_same_group=False), output, batch)


def test_promises_gradient_and_one_item() -> None:
    check_promises(SupCon())
    check_gradient(SupCon(temperature=0.3), batch_of(GROUPS, INDEX, LABELS))
    assert value(SupCon(), random_pairs(1), batch_of([3])) == 0.0


def test_with_a_label_of_its_own_for_each_item_it_is_nt_xent() -> None:
    batch, output = batch_of(range(8), labels=range(8)), random_pairs()
    wanted = value(NTXent(temperature=0.2), output, batch)
    assert value(SupCon(temperature=0.2), output, batch) == pytest.approx(wanted, rel=1e-6)


def test_agrees_with_pytorch_metric_learning() -> None:
    output = random_pairs()
    both = torch.cat([output.embeddings["image"], output.embeddings["text"]])
    wanted = float(losses.SupConLoss(temperature=0.2)(both, torch.tensor(LABELS).repeat(2)))
    batch = batch_of(range(8), labels=LABELS)
    assert value(SupCon(temperature=0.2), output, batch) == pytest.approx(wanted, rel=1e-5)
