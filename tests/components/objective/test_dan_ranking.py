from __future__ import annotations

import itertools

import pytest
import torch
from pairs import GROUPS, INDEX, batch_of, check_gradient, check_promises, dot, is_negative, random_pairs, table, value

from vsebench.components.objective.dan_ranking import DANRanking
from vsebench.components.objective.triplet import Triplet
from vsebench.core.types import Batch, Output


def slow(output: Output, batch: Batch, margin: float, samples: int, mask: bool) -> float:
    """The mean over all ways to draw; summed over the batch."""
    scores, total = table(output, dot), 0.0
    for i in range(len(batch)):
        others = [j for j in range(len(batch)) if is_negative(batch, i, j, mask)]
        for row in ([scores[i][j] for j in others], [scores[j][i] for j in others]):
            draws = [
                max(max(0.0, margin - scores[i][i] + s) for s in d) for d in itertools.product(row, repeat=samples)
            ]
            total += sum(draws) / len(draws)
    return total


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("samples", [1, 2, 3])
@pytest.mark.parametrize("margin", [0.5, 100.0])
def test_in_eval_mode_it_is_the_mean_over_all_draws(margin: float, samples: int, mask: bool) -> None:
    batch, output = batch_of(GROUPS, INDEX), random_pairs()
    wanted = slow(output, batch, margin, samples, mask)
    for reduction, parts in (("sum", 1), ("mean", 8)):
        objective = DANRanking(margin=margin, samples=samples, reduction=reduction, mask_same_group=mask)  # type: ignore[arg-type]
        assert value(objective.eval(), output, batch) == pytest.approx(wanted / parts, rel=1e-5)


@pytest.mark.parametrize("samples", [1, 3])
def test_in_training_draws_repeat_with_the_seed_and_average_to_eval_mode(samples: int) -> None:
    batch, output, objective = batch_of(GROUPS, INDEX), random_pairs(), DANRanking(margin=2.0, samples=samples)
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append([value(objective, output, batch) for _ in range(3000)])
    assert drawn[0] == drawn[1]
    assert sum(drawn[0]) / 3000 == pytest.approx(value(objective.eval(), output, batch), rel=0.02)


def test_promises_gradient_and_one_item() -> None:
    check_promises(DANRanking(samples=2))
    check_gradient(DANRanking(margin=1.0, samples=2).eval(), batch_of(GROUPS, INDEX))
    for training in (True, False):
        assert value(DANRanking().train(training), random_pairs(1), batch_of([3])) == 0.0
        assert value(DANRanking().train(training), random_pairs(3), batch_of([3, 3, 3])) == 0.0


def test_is_the_triplet_loss_with_random_negatives_and_the_hardest_with_many_draws() -> None:
    batch, output = batch_of(GROUPS, INDEX), random_pairs()
    triplet = Triplet(margin=100.0, negatives="random", similarity="dot").eval()
    assert value(DANRanking().eval(), output, batch) == pytest.approx(value(triplet, output, batch), rel=1e-6)
    hardest = value(Triplet(margin=100.0, negatives="max", similarity="dot"), output, batch)
    assert value(DANRanking(samples=2000), output, batch) == pytest.approx(hardest, rel=1e-6)


def test_the_margin_is_on_the_scale_of_the_inner_product() -> None:
    far = Output(embeddings={m: 11 * torch.eye(3) for m in ("image", "text")})
    assert value(DANRanking(), far, batch_of(range(3))) == 0.0
    near = Output(embeddings={m: 5 * torch.eye(3) for m in ("image", "text")})
    assert value(DANRanking(), near, batch_of(range(3))) == pytest.approx(150.0)
