from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from vsebench.components.fitter import _logistic
from vsebench.components.fitter._logistic import logistic_weights
from vsebench.core.errors import TrainingError


def case() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 3, generator=generator)
    features = torch.exp(-(torch.cdist(x, x[:20]) ** 2) / 4)  # neighbouring columns are much alike
    codes = torch.where(
        x @ torch.randn(3, 4, generator=generator) + torch.randn(60, 4, generator=generator) > 0, 1.0, -1.0
    )
    codes[:, 3] = 1  # a bit that is always the same
    return torch.cat([features, torch.ones(60, 1)], dim=1), codes


@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_every_bit_equals_scikit_learns(penalty: float) -> None:
    features, codes = case()
    result = logistic_weights(features, codes, penalty).numpy()
    phi = features.double().numpy()
    for bit in range(3):
        one = LogisticRegression(C=1 / (2 * penalty), fit_intercept=False, tol=1e-10, max_iter=100_000)
        one.fit(phi, codes[:, bit].numpy())
        assert phi @ result[:, bit] == pytest.approx(phi @ one.coef_[0], rel=1e-3, abs=1e-3)
    assert (phi @ result[:, 3] > 0).all()


def test_the_gradient_is_0() -> None:
    features, codes = case()
    weights = logistic_weights(features, codes, 0.01).requires_grad_()
    loss = torch.nn.functional.softplus(-codes * (features.double() @ weights)).sum() + 0.01 * weights.square().sum()
    (slope,) = torch.autograd.grad(loss, weights)
    start = torch.zeros_like(weights, requires_grad=True)
    (first,) = torch.autograd.grad(torch.nn.functional.softplus(-codes * (features.double() @ start)).sum(), start)
    assert float(slope.abs().max()) < 1e-4 * float(first.abs().max())


def test_bits_do_not_touch_each_other() -> None:
    features, codes = case()
    together = logistic_weights(features, codes, 0.1)
    alone = torch.cat([logistic_weights(features, codes[:, [bit]], 0.1) for bit in range(4)], dim=1)
    assert np.allclose(features.double() @ together, features.double() @ alone, atol=1e-3)


def test_too_few_steps_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_logistic, "STEPS", 2)
    with pytest.raises(TrainingError, match="4 bits on 21 features did not converge in 2 steps"):
        logistic_weights(*case(), 0.01)
