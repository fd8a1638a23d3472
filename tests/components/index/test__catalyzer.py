"""Both losses are those of double loops, in value and gradient; neighbours those of a full comparison."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from vsebench.components.index import _catalyzer as module
from vsebench.components.index._catalyzer import LEAST, Recipe, drawn, embed, koleo, nearest_others, rank_loss, train
from vsebench.components.index.base import unit_rows
from vsebench.core.errors import TrainingError

QUICK = Recipe(epochs=4, batch_size=16, lr=0.1, koleo=0.01, k_pos=3, k_neg=6, seed=0)


def points(count: int, dim: int = 5, seed: int = 0) -> Tensor:
    rows = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(rows, dim=1)


def vectors(count: int, dim: int = 8, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, dim)))


def gap(one: np.ndarray, other: np.ndarray) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)


def slow_rank(anchors: np.ndarray, near: np.ndarray, far: np.ndarray) -> tuple[float, list[np.ndarray]]:
    """One triple at a time, with the gradients by hand."""
    value, grads = 0.0, [np.zeros_like(anchors) for _ in range(3)]
    for i in range(len(anchors)):
        to_near, to_far = gap(anchors[i], near[i]), gap(anchors[i], far[i])
        if to_near <= to_far:
            continue
        value += (to_near - to_far) / len(anchors)
        pull = (anchors[i] - near[i]) / to_near / len(anchors)
        push = (anchors[i] - far[i]) / to_far / len(anchors)
        grads[0][i] += pull - push
        grads[1][i] -= pull
        grads[2][i] += push
    return value, grads


def slow_koleo(rows: np.ndarray) -> tuple[float, np.ndarray]:
    value, grad = 0.0, np.zeros_like(rows)
    for i in range(len(rows)):
        least, which = min((gap(rows[i], rows[j]), j) for j in range(len(rows)) if j != i)
        value -= np.log(least) / len(rows)
        step = (rows[i] - rows[which]) / least**2 / len(rows)
        grad[i] -= step
        grad[which] += step
    return value, grad


def test_rank_loss_is_that_of_a_loop() -> None:
    three = [points(40, seed=seed).requires_grad_() for seed in range(3)]
    result = rank_loss(*three)
    result.backward()
    value, grads = slow_rank(*(rows.detach().numpy() for rows in three))
    assert 0.1 < value == pytest.approx(float(result.detach()), rel=1e-12)
    for rows, grad in zip(three, grads, strict=True):
        assert rows.grad is not None
        assert np.allclose(rows.grad.numpy(), grad, atol=1e-12)
        assert ((grad == 0).all(1)).any()  # some triples are in order already


def test_koleo_is_that_of_a_loop() -> None:
    rows = points(30).requires_grad_()
    result = koleo(rows)
    result.backward()
    value, grad = slow_koleo(rows.detach().numpy())
    assert float(result.detach()) == pytest.approx(value, rel=1e-12)
    assert rows.grad is not None
    assert np.allclose(rows.grad.numpy(), grad, atol=1e-10)


def test_gradients_are_those_of_differences() -> None:
    assert torch.autograd.gradcheck(koleo, (points(9).requires_grad_(),))
    assert torch.autograd.gradcheck(rank_loss, tuple(points(9, seed=s).requires_grad_() for s in range(3)))


def test_the_order_of_the_batch_does_not_matter() -> None:
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    three = [points(20, seed=seed) for seed in range(3)]
    assert float(koleo(three[0][order])) == pytest.approx(float(koleo(three[0])), rel=1e-12)
    assert float(rank_loss(*(t[order] for t in three))) == pytest.approx(float(rank_loss(*three)), rel=1e-12)


def test_spread_points_have_less_koleo() -> None:
    square = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    assert float(koleo(square)) == pytest.approx(-np.log(2) / 2, rel=1e-6)
    assert float(koleo(points(4, 2).float())) > float(koleo(square))


@pytest.mark.parametrize("count", [0, 1])
def test_koleo_of_one_point_is_refused(count: int) -> None:
    with pytest.raises(ValueError) as error:
        koleo(points(count))
    assert str(error.value) == (f"KoLeo is of the distances between points: it needs at least 2 of them. Got {count}.")


def test_equal_points_are_finite() -> None:
    rows = points(3)[[0, 0, 1, 1, 1, 2]].float().requires_grad_()
    loss = koleo(rows) + rank_loss(rows, rows, rows) + rank_loss(rows, rows.flip(0), rows)
    loss.backward()
    assert torch.isfinite(loss)
    assert rows.grad is not None
    assert torch.isfinite(rows.grad).all()
    assert float(koleo(torch.ones(4, 3))) == pytest.approx(-np.log(LEAST), rel=1e-6)


def test_half_precision_is_computed_in_single() -> None:
    three = [points(20, seed=seed).half() for seed in range(3)]
    assert koleo(three[0]).dtype == rank_loss(*three).dtype == torch.float32
    assert float(koleo(three[0])) == float(koleo(three[0].float()))
    assert float(rank_loss(*three)) == float(rank_loss(*(t.float() for t in three)))


@pytest.mark.parametrize("block", [1 << 24, 150])
def test_neighbours_are_those_of_a_full_comparison(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    rows = points(60).numpy() * np.random.default_rng(0).uniform(0.5, 2, (60, 1))  # lengths must count
    result = nearest_others(torch.from_numpy(rows), 7)
    for i in range(60):
        wanted = sorted((gap(rows[i], rows[j]), j) for j in range(60) if j != i)[:7]
        assert result[i].tolist() == [j for _, j in wanted]
    assert (nearest_others(torch.from_numpy(rows), 7, last=True) == result[:, -1:]).all()


def test_a_row_is_not_its_own_neighbour_among_equal_ones() -> None:
    result = nearest_others(torch.ones(5, 3), 4)
    assert all(sorted(row) == sorted(set(range(5)) - {i}) for i, row in enumerate(result.tolist()))


def test_outputs_lie_on_the_sphere_and_gradients_reach_everything() -> None:
    network = drawn(8, 5, 12, 0).train()
    rows = torch.from_numpy(vectors(30))
    out = network(rows)
    assert out.shape == (30, 5)
    assert torch.allclose(out.norm(dim=1), torch.ones(30), atol=1e-6)
    (rank_loss(out[:10], out[10:20], out[20:]) + koleo(out[:10])).backward()
    for name, weights in network.named_parameters():
        assert weights.grad is not None, name
        if name not in ("body.0.bias", "body.3.bias"):  # batch norm takes these away again
            assert weights.grad.abs().max() > 1e-6, name


def test_an_output_does_not_depend_on_its_batch() -> None:
    network, rows = drawn(8, 5, 12, 0), torch.from_numpy(vectors(30))
    assert not network.training
    assert torch.allclose(embed(network, rows)[:1], embed(network, rows[:1]), atol=1e-6)


def test_training_lowers_the_loss_and_every_parameter_moves() -> None:
    network = drawn(8, 5, 32, 0)
    before = {name: weights.clone() for name, weights in network.named_parameters()}
    losses = train(network, vectors(200), Recipe(12, 16, 0.1, 0.01, 3, 6, 0))
    assert len(losses) == 12
    assert losses[-1] < losses[0]
    assert not network.training
    for name, weights in network.named_parameters():
        assert (weights != before[name]).any(), name


def test_entropy_spreads() -> None:
    """Points of a narrow cap keep farther apart the more the entropy weighs."""
    rows = unit_rows(np.random.default_rng(0).normal(size=(200, 8)) * 0.1 + np.eye(8)[0])
    results = []
    for weight in (0.0, 0.3):
        network = drawn(8, 4, 32, 0)
        train(network, rows, Recipe(8, 16, 0.1, weight, 3, 6, 0))
        results.append(float(koleo(embed(network, torch.from_numpy(rows)))))
    assert results[1] < results[0] - 0.1


def test_a_seed_decides_and_nothing_else_is_drawn() -> None:
    def outputs(seed: int) -> Tensor:
        network = drawn(8, 5, 12, seed)
        train(network, vectors(40), Recipe(2, 16, 0.1, 0.01, 3, 6, seed))
        return embed(network, torch.from_numpy(vectors(5, seed=1)))

    torch.manual_seed(3)
    first, state = outputs(0), torch.get_rng_state()
    torch.manual_seed(4)
    assert (outputs(0) == first).all()
    assert (outputs(1) != first).any()
    torch.manual_seed(3)
    assert (torch.get_rng_state() == state).all()


def test_rates_fall_by_quarters(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    plain = torch.optim.SGD.step

    def step(self: torch.optim.SGD, closure: None = None) -> object:
        rates.append(self.param_groups[0]["lr"])
        return plain(self, closure)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    train(drawn(8, 5, 12, 0), vectors(40), Recipe(8, 40, 0.1, 0.01, 3, 6, 0))
    assert rates == pytest.approx([0.1] * 4 + [0.05] * 2 + [0.01] * 2)


def test_far_ones_are_looked_up_once_an_epoch_in_eval_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, bool]] = []
    plain = module.nearest_others
    network = drawn(8, 5, 12, 0)

    def spied(rows: Tensor, k: int, *, last: bool = False) -> Tensor:
        seen.append((k, network.training))
        return plain(rows, k, last=last)

    monkeypatch.setattr(module, "nearest_others", spied)
    train(network, vectors(40), QUICK)
    assert seen == [(3, False)] + [(6, False)] * 4


def test_a_loss_that_is_not_finite_ends_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "koleo", lambda rows: rows.sum() * torch.nan)
    with pytest.raises(TrainingError) as error:
        train(drawn(8, 5, 12, 0), vectors(40), QUICK)
    assert str(error.value) == "the loss of index 'spreading' is nan in epoch 1. Lower lr."
