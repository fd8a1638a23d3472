from __future__ import annotations

import itertools
import math

import pytest
import torch
from pairs import GROUPS, INDEX, batch_of, is_negative, random_pairs

from vsebench.components.objective._pairs import LogitScale, contrast, hardest_sampled, image_and_text, negatives_of


@pytest.mark.parametrize("mask", [True, False])
def test_negatives_are_other_items_of_other_groups(mask: bool) -> None:
    batch = batch_of(GROUPS, INDEX)
    wanted = [[is_negative(batch, i, j, mask) for j in range(8)] for i in range(8)]
    assert negatives_of(batch, mask).tolist() == wanted


def test_embeddings_keep_float64_and_a_zero_vector_stays_zero() -> None:
    image, _ = image_and_text(random_pairs(dtype=torch.float64), normalize=True)
    assert image.dtype == torch.float64
    output = random_pairs(2, dtype=torch.float16)
    output.embeddings["image"][0] = 0
    image, text = image_and_text(output, normalize=True)
    assert image.dtype == text.dtype == torch.float32
    assert image[0].tolist() == [0.0] * 5
    torch.testing.assert_close(text.norm(dim=1), torch.ones(2))


def test_an_anchor_without_negatives_costs_nothing_and_has_no_gradient() -> None:
    scores = torch.randn(2, 2, requires_grad=True)
    negatives = torch.tensor([[False, False], [True, False]])
    for with_positive in (True, False):
        cost = contrast(scores, torch.arange(2), negatives, with_positive=with_positive)
        assert float(cost[0].detach()) == 0.0
        (gradient,) = torch.autograd.grad(cost.sum(), scores)
        assert gradient[0].tolist() == [0.0, 0.0]
        assert bool(gradient[1].isfinite().all())
        assert bool(gradient[1].any())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_expected_hardest_negative_is_the_mean_over_all_draws(count: int) -> None:
    costs = torch.tensor([[9.0, 0.5, 0.0, 2.0], [1.0, 9.0, 1.0, 9.0], [9.0, 9.0, 9.0, 9.0]])
    negatives = torch.tensor([[False, True, True, True], [True, False, True, False], [False] * 4])
    result = hardest_sampled(costs, negatives, count, training=False)
    draws = [max(d) for d in itertools.product([0.5, 0.0, 2.0], repeat=count)]
    torch.testing.assert_close(result, torch.tensor([sum(draws) / len(draws), 1.0, 0.0]))


@pytest.mark.parametrize("count", [1, 4])
def test_draws_average_to_their_expectation_and_only_negatives_are_drawn(count: int) -> None:
    torch.manual_seed(0)
    costs, negatives = torch.rand(6, 6), torch.rand(6, 6) < 0.6
    negatives[3] = False
    draws = torch.stack([hardest_sampled(costs, negatives, count, training=True) for _ in range(4000)])
    for i in range(6):
        allowed = costs[i][negatives[i]].tolist() or [0.0]
        assert set(draws[:, i].tolist()) == set(allowed) or count > 1
        assert set(draws[:, i].tolist()) <= set(allowed)
    torch.testing.assert_close(
        draws.mean(0), hardest_sampled(costs, negatives, count, training=False), atol=0.03, rtol=0
    )


def test_a_learned_scale_stops_at_a_hundred_and_comes_back_from_there() -> None:
    scale = LogitScale(0.07, learn=True)
    assert float(scale().detach()) == pytest.approx(1 / 0.07)
    optimizer = torch.optim.SGD(scale.parameters(), lr=1.0)
    with torch.no_grad():
        scale.log.fill_(50.0)
    assert float(scale().detach()) == pytest.approx(100.0)
    scale().backward()
    optimizer.step()
    assert float(scale().detach()) < 100.0
    fixed = LogitScale(0.001, learn=False)
    assert float(fixed().detach()) == pytest.approx(1000.0)
    assert not fixed.log.requires_grad
    assert float(fixed.log.detach()) == pytest.approx(math.log(1000.0))
