"""Pairs of directions solve the generalised eigenproblem as it is written."""

from __future__ import annotations

import pytest
import scipy.linalg
import torch

from vsebench.components.fitter import _canonical
from vsebench.components.fitter._canonical import canonical_pairs, strongest_pair, whitening


def covariances() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 6, generator=generator, dtype=torch.float64)
    y = x[:, :4] @ torch.randn(4, 4, generator=generator, dtype=torch.float64) + torch.randn(
        50, 4, generator=generator, dtype=torch.float64
    )
    return x.T @ x, y.T @ y, x.T @ y


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 0.5])
def test_pairs_solve_the_eigenproblem_of_scipy(ridge: float) -> None:
    xx, yy, xy = covariances()
    result = canonical_pairs(xy, whitening(xx, ridge), whitening(yy, ridge))
    a = (xx + ridge * xx.trace() / 6 * torch.eye(6, dtype=torch.float64)).numpy()
    b = (yy + ridge * yy.trace() / 4 * torch.eye(4, dtype=torch.float64)).numpy()
    values, vectors = scipy.linalg.eigh(xy.numpy() @ scipy.linalg.solve(b, xy.numpy().T), a)
    assert result.strength.square().numpy() == pytest.approx(values[::-1][:4], rel=1e-9)
    for k in range(4):
        wanted = vectors[:, -1 - k]
        wanted = wanted * (1 if wanted[abs(wanted).argmax()] > 0 else -1)
        assert result.x[:, k].numpy() == pytest.approx(wanted, rel=1e-6, abs=1e-9)
        other = scipy.linalg.solve(b, xy.numpy().T @ wanted) / values[-1 - k] ** 0.5
        assert result.y[:, k].numpy() == pytest.approx(other, rel=1e-6, abs=1e-9)


def test_whitened_directions_are_uncorrelated_and_as_many_as_the_rank() -> None:
    xx, _, _ = covariances()
    twice = torch.block_diag(xx, torch.zeros(2, 2, dtype=torch.float64))
    twice[:, 7] = twice[:, 0]
    twice[7] = twice[0]
    twice[7, 7] = twice[0, 0]  # the eighth feature repeats the first, the seventh is constant
    white = whitening(twice, 0.0)
    assert white.shape == (8, 6)
    assert torch.allclose(white.T @ twice @ white, torch.eye(6, dtype=torch.float64), atol=1e-9)


def test_pairs_without_strength_are_left_out() -> None:
    xx, yy, xy = covariances()
    rank_one = torch.outer(xy[:, 0], torch.ones(4, dtype=torch.float64))
    assert len(canonical_pairs(rank_one, whitening(xx, 0), whitening(yy, 0)).strength) == 1
    assert len(canonical_pairs(0 * xy, whitening(xx, 0), whitening(yy, 0)).strength) == 0


@pytest.mark.parametrize("turned", [False, True])
def test_lanczos_finds_what_the_whole_decomposition_does(turned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = torch.randn(30, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrix = matrix.T if turned else matrix
    u, v, strength = strongest_pair(matrix)
    monkeypatch.setattr(_canonical, "DENSE_SIDE", 5)
    by_steps = strongest_pair(matrix)
    assert by_steps[2] == pytest.approx(strength, rel=1e-10)
    assert torch.allclose(torch.outer(by_steps[0], by_steps[1]), torch.outer(u, v), atol=1e-8)
    assert torch.equal(strongest_pair(matrix)[0], by_steps[0])
