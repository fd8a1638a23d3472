from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.objective.cosine_alignment import CosineAlignment, shares_label
from vsebench.core.types import Batch, Output


def slow(image: torch.Tensor, text: torch.Tensor, batch: Batch, margin: float, positives: str) -> float:
    """Pair by pair, in float64."""
    pull, push = [], []
    for i, v in enumerate(image.double().tolist()):
        for j, t in enumerate(text.double().tolist()):
            norms = math.sqrt(sum(a * a for a in v)) * math.sqrt(sum(b * b for b in t))
            cosine = sum(a * b for a, b in zip(v, t, strict=True)) / norms
            group = bool(batch.groups[i] == batch.groups[j])
            mine, other = batch.labels[i].tolist(), batch.labels[j].tolist()
            label = any(a and b for a, b in zip(mine, other, strict=True)) if isinstance(mine, list) else mine == other
            if group or (label and positives == "label"):
                pull.append(1 - cosine)
            if not group and not label:
                push.append(max(0.0, cosine - margin))
    return sum(pull) / max(len(pull), 1) + sum(push) / max(len(push), 1)


def output_of(image: torch.Tensor, text: torch.Tensor) -> Output:
    return Output(embeddings={"image": image, "text": text})


@pytest.mark.parametrize("positives", ["label", "group"])
@pytest.mark.parametrize("multi_label", [False, True])
def test_equals_a_loop_over_pairs(positives: str, multi_label: bool) -> None:
    torch.manual_seed(0)
    image, text = torch.randn(8, 5), torch.randn(8, 5)
    labels = (torch.rand(8, 3) < 0.3).float() if multi_label else torch.randint(3, (8,))
    batch = Batch({}, labels, torch.arange(8), torch.tensor([0, 0, 1, 2, 3, 3, 4, 5]))
    result = CosineAlignment(margin=0.1, positives=positives)(output_of(image, text), batch)  # type: ignore[arg-type]
    assert float(result["cosine_alignment"]) == pytest.approx(slow(image, text, batch, 0.1, positives), rel=1e-5)


def test_perfect_alignment_costs_nothing() -> None:
    vectors = torch.eye(3)
    batch = Batch({}, torch.arange(3), torch.arange(3), torch.arange(3))
    assert float(CosineAlignment()(output_of(vectors, 5 * vectors), batch)["cosine_alignment"]) == 0.0


def test_views_of_one_thing_are_not_negatives_even_with_other_labels() -> None:
    vectors = torch.ones(2, 3)
    apart = Batch({}, torch.tensor([0, 1]), torch.arange(2), torch.tensor([0, 1]))
    together = Batch({}, torch.tensor([0, 1]), torch.arange(2), torch.tensor([7, 7]))
    loss = CosineAlignment(margin=0.2)
    assert float(loss(output_of(vectors, vectors), apart)["cosine_alignment"]) == pytest.approx(0.8)
    assert float(loss(output_of(vectors, vectors), together)["cosine_alignment"]) == pytest.approx(0.0, abs=1e-6)


def test_one_item_has_its_own_pair_and_no_negative() -> None:
    batch = Batch({}, torch.tensor([0]), torch.tensor([0]), torch.tensor([0]))
    result = CosineAlignment()(output_of(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])), batch)
    assert float(result["cosine_alignment"]) == pytest.approx(1.0)


def test_a_zero_embedding_has_a_finite_gradient() -> None:
    image = torch.zeros(2, 3, requires_grad=True)
    batch = Batch({}, torch.tensor([0, 1]), torch.arange(2), torch.arange(2))
    CosineAlignment()(output_of(image, torch.ones(2, 3)), batch)["cosine_alignment"].backward()
    assert image.grad is not None
    assert bool(image.grad.isfinite().all())


def test_gradient_agrees_with_differences() -> None:
    torch.manual_seed(0)
    image, text = torch.randn(4, 3), torch.randn(4, 3)
    batch = Batch({}, torch.tensor([0, 1, 0, 2]), torch.arange(4), torch.arange(4))
    live = image.clone().requires_grad_()
    CosineAlignment()(output_of(live, text), batch)["cosine_alignment"].backward()
    assert live.grad is not None
    for i, d in ((0, 0), (1, 2), (3, 1)):
        step = torch.zeros(4, 3)
        step[i, d] = 1e-3
        up, down = (slow(image + s * step, text, batch, 0.2, "label") for s in (1, -1))
        assert float(live.grad[i, d]) == pytest.approx((up - down) / 2e-3, abs=1e-3)


def test_shared_labels() -> None:
    assert shares_label(torch.tensor([1, 2, 1])).tolist() == [
        [True, False, True],
        [False, True, False],
        [True, False, True],
    ]
    assert shares_label(torch.tensor([[1, 0], [1, 1], [0, 0]])).tolist() == [
        [True, True, False],
        [True, True, False],
        [False] * 3,
    ]
