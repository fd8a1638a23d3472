from __future__ import annotations

import numpy as np
import pytest
import torch
from codes import fitted, keeps_its_word, ranks, views
from materials import Arrays

from vsebench.components.fitter.cmfh import CMFH
from vsebench.core.errors import ConfigError, TrainingError


@pytest.mark.parametrize("bits", [3, 16])
def test_keeps_its_word(bits: int) -> None:
    keeps_its_word("cmfh", bits=bits)


@pytest.mark.parametrize("options", [{}, {"alpha": 0.1, "mu": 0.5, "gamma": 1.0}, {"bits": 12, "gamma": 1e-3}])
def test_the_objective_never_grows(options: dict[str, float]) -> None:
    data = views(100, seed=1)
    fitted("cmfh", data, **{"bits": 4, "tolerance": 0.0, **options})
    values = [numbers["objective"] for _, numbers in data.reported]
    assert [step for step, _ in data.reported] == list(range(1, 26))
    assert all(b <= a * (1 + 1e-9) for a, b in zip(values[:-1], values[1:], strict=True))
    assert values[-1] < 0.99 * values[0]


def test_a_turn_that_gains_little_is_the_last() -> None:
    data = views(100, seed=1)
    fitted("cmfh", data, bits=4, tolerance=0.05)
    values = [numbers["objective"] for _, numbers in data.reported]
    falls = [(a - b) / b for a, b in zip(values[:-1], values[1:], strict=True)]
    assert len(values) < 25
    assert falls[-1] < 0.05 <= min(falls[:-1])


def test_equals_plain_turns() -> None:
    data = views(30, seed=1)
    fitter = fitted("cmfh", data, bits=4, iterations=3, alpha=0.3, mu=7.0, gamma=0.2)
    views_ = [data.vectors(m).double().numpy() for m in ("image", "text")]
    views_ = [x - x.mean(0) for x in views_]
    v = torch.randn(30, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    values = []
    for _ in range(3):
        us = [np.linalg.inv(v.T @ v + 0.2 * np.eye(4)) @ v.T @ x for x in views_]
        ps = [np.linalg.inv(x.T @ x + 0.2 / 7.0 * np.eye(x.shape[1])) @ x.T @ v for x in views_]
        rows = np.zeros((30, 4))
        for i in range(30):  # the best row of V for the others, one by one
            pulled, square = np.zeros(4), np.zeros((4, 4))
            for a, x, u, p in zip((0.3, 0.7), views_, us, ps, strict=True):
                pulled += a * (u @ x[i] + 7.0 * p.T @ x[i])
                square += a * (u @ u.T + 7.2 * np.eye(4))
            rows[i] = np.linalg.solve(square, pulled)
        v, value = rows, 0.0
        for a, x, u, p in zip((0.3, 0.7), views_, us, ps, strict=True):
            for i in range(30):
                value += a * (((x[i] - v[i] @ u) ** 2).sum() + 7.0 * ((v[i] - x[i] @ p) ** 2).sum())
                value += a * 0.2 * (v[i] ** 2).sum()
            value += a * 0.2 * ((u**2).sum() + (p**2).sum())
        values.append(value)
    assert [numbers["objective"] for _, numbers in data.reported] == pytest.approx(values, rel=1e-9)
    for modality, x in zip(("image", "text"), views_, strict=True):
        p = np.linalg.inv(x.T @ x + 0.2 / 7.0 * np.eye(x.shape[1])) @ x.T @ v
        assert (fitter.embed(modality, data.vectors(modality)).numpy() == np.where(x @ p > 0, 1, -1)).all()


@pytest.mark.parametrize("factor", ["shared", "bases", "weights"])
def test_each_step_is_the_best_for_the_other_factors(factor: str) -> None:
    generator = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    fitter = CMFH({"image": 5, "text": 3}, bits=2, mu=3.0, gamma=0.4, alpha=0.2)
    x = (draw(20, 5), draw(20, 3))
    v, us, ps = draw(20, 2), [draw(2, 5), draw(2, 3)], [draw(5, 2), draw(3, 2)]
    if factor == "shared":
        v = fitter._shared(x, us, ps)
    eye = torch.eye(2, dtype=torch.float64)
    if factor == "bases":
        us = [torch.linalg.solve(v.T @ v + 0.4 * eye, v.T @ rows) for rows in x]
    if factor == "weights":
        ps = [torch.linalg.solve(r.T @ r + 0.4 / 3.0 * torch.eye(r.shape[1], dtype=torch.float64), r.T @ v) for r in x]
    best = fitter.objective(x, v, us, ps)
    for _ in range(20):
        for k in range(2):
            near = [list(us), list(ps)]
            near[0][k] = us[k] + (1e-3 * draw(*us[k].shape) if factor == "bases" else 0)
            near[1][k] = ps[k] + (1e-3 * draw(*ps[k].shape) if factor == "weights" else 0)
            other = v + (1e-3 * draw(*v.shape) if factor == "shared" else 0)
            assert fitter.objective(x, other, *near) > best


def test_finds_the_class_of_the_other_modality() -> None:
    assert min(ranks("cmfh", bits=16)) > 0.2


def test_a_seed_decides_the_start() -> None:
    data, other = views(60, seed=1), views(60, seed=1)
    other.seed = 7
    first = fitted("cmfh", data, bits=8).state_dict()
    assert any(
        not torch.equal(value, first[name]) for name, value in fitted("cmfh", other, bits=8).state_dict().items()
    )


def test_misuse_is_refused() -> None:
    for option, value in (("alpha", 1.0), ("alpha", 0.0), ("mu", 0.0), ("gamma", 0.0), ("iterations", 0)):
        with pytest.raises(ConfigError, match=f"option '{option}' of fitter 'cmfh'"):
            CMFH({"image": 4, "text": 4}, **{option: value})
    same = {"image": torch.ones(5, 2), "text": torch.randn(5, 2)}
    with pytest.raises(TrainingError, match="all image vectors of the training items are the same"):
        fitted("cmfh", Arrays(same), bits=2)
    with pytest.raises(RuntimeError, match="'CMFH' has not been fitted"):
        CMFH({"image": 4, "text": 4}).embed("image", torch.ones(1, 4))
