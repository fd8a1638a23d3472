from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.objective.part_cross_entropy import PartCrossEntropy
from vsebench.core.types import Batch, Output


def batch_of(labels: torch.Tensor) -> Batch:
    count = len(labels)
    return Batch({}, labels, torch.arange(count), torch.arange(count))


def output_of(count: int = 4) -> Output:
    torch.manual_seed(0)
    output = Output(torch.randn(count, 3))
    output.parts = {part: torch.randn(count, 3) for part in ("image", "text", "joint")}
    output.present = {"image": torch.ones(count, dtype=torch.bool), "text": torch.tensor([True, False, True, False])}
    return output


def test_equals_a_loop_over_the_items_that_have_the_modality() -> None:
    output, labels = output_of(), torch.tensor([0, 2, 1, 1])
    result = PartCrossEntropy()(output, batch_of(labels))
    assert set(result) == {f"part_cross_entropy/{p}" for p in ("image", "text", "joint")}
    for part, items in (("image", range(4)), ("text", (0, 2)), ("joint", range(4))):
        costs = []
        for b in items:
            exps = [math.exp(x) for x in output.parts[part][b].tolist()]
            costs.append(-math.log(exps[int(labels[b])] / sum(exps)))
        assert float(result[f"part_cross_entropy/{part}"]) == pytest.approx(sum(costs) / len(costs), abs=1e-5)


def test_multi_label_is_binary_cross_entropy() -> None:
    output, labels = output_of(), torch.tensor([[0.0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]])
    result = PartCrossEntropy()(output, batch_of(labels))
    p = output.parts["text"].sigmoid()[[0, 2]]
    y = labels[[0, 2]]
    wanted = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    torch.testing.assert_close(result["part_cross_entropy/text"], wanted)


def test_a_batch_without_the_modality_costs_nothing() -> None:
    output = output_of()
    output.parts["text"].requires_grad_()
    output.present["text"] = torch.zeros(4, dtype=torch.bool)
    term = PartCrossEntropy()(output, batch_of(torch.tensor([0, 2, 1, 1])))["part_cross_entropy/text"]
    assert float(term.detach()) == 0.0
    term.backward()
    assert not bool(output.parts["text"].grad.any())


def test_a_head_without_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="'part_cross_entropy' needs a head with parts"):
        PartCrossEntropy()(Output(torch.randn(2, 3)), batch_of(torch.tensor([0, 1])))
