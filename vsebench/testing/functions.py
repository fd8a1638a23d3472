"""What kinds that are no modules promise, by kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from vsebench.core.component import Component
from vsebench.testing.corruptions import check_corruption
from vsebench.testing.fitters import check_fitter
from vsebench.testing.indexes import check_index
from vsebench.testing.measurements import check_executor, check_measured, check_measurement
from vsebench.testing.written import require


def check_optimizer(component: Component, options: Mapping[str, Any]) -> None:
    """Check that ``lr_scale`` and ``decay`` of every group are honoured, and that a step goes downhill.

    Raises: AssertionError.
    """
    who = f"optimizer '{component.name}'"
    weight, bias = torch.ones(3, 2, requires_grad=True), torch.ones(2, requires_grad=True)
    groups = [
        {"params": [weight], "lr_scale": 1.0, "decay": True},
        {"params": [bias], "lr_scale": 0.1, "decay": False},
    ]
    optimizer = component.build(options, parameters=groups)
    made_one = isinstance(optimizer, torch.optim.Optimizer)
    require(made_one, f"{who} returns {type(optimizer).__name__}, not an Optimizer")
    made = optimizer.param_groups
    held = [id(p) for g in made for p in g["params"]]
    require(held == [id(weight), id(bias)], f"{who} does not hold the parameters of every group")
    require(math.isclose(made[1]["lr"], 0.1 * made[0]["lr"]), f"{who} ignores a group's lr_scale")
    require(not made[1].get("weight_decay"), f"{who} decays the weights of a group with decay: False")

    def loss() -> torch.Tensor:
        return (weight**2).sum() + (bias**2).sum()

    before = loss()
    before.backward()
    optimizer.step()
    require(loss() < before, f"{who}: one step on x² does not go downhill")


def check_schedule(component: Component, options: Mapping[str, Any]) -> None:
    """Its factor is finite and not negative over the whole training.

    Raises: AssertionError.
    """
    for step in range(101):
        factor = component.build(options, progress=step / 100)
        good = isinstance(factor, float) and math.isfinite(factor) and factor >= 0
        where = f"at progress {step / 100}; a factor is a number >= 0"
        require(good, f"schedule '{component.name}' gives {factor!r} {where}")


def check_augmentation(component: Component, options: Mapping[str, Any]) -> None:
    """Check that pixels keep their shape and type, the given batch stays as it is, and the seed fixes the result.

    Raises: AssertionError.
    """
    who = f"augmentation '{component.name}'"
    for dtype in (torch.uint8, torch.float32):
        pixels = torch.randint(256, (16, 3, 24, 20), generator=torch.Generator().manual_seed(0)).to(dtype)
        before, results = pixels.clone(), []
        for _ in range(2):
            torch.manual_seed(1)
            results.append(component.build(options, pixels=pixels))
        first, second = results
        require(torch.equal(pixels, before), f"{who} changes the batch that it is given; change a copy")
        same = isinstance(first, torch.Tensor) and first.shape == pixels.shape and first.dtype == dtype
        what = f"{tuple(first.shape)} of {first.dtype}" if isinstance(first, torch.Tensor) else repr(first)
        require(same, f"{who} makes {what} of {tuple(pixels.shape)} of {dtype}")
        drawn = "draw from torch's default generator, which the epoch's seed sets"
        require(torch.equal(first, second), f"{who} gives two results after one torch.manual_seed; {drawn}")
        require(bool(first.isfinite().all()), f"{who} gives pixels that are no finite numbers")


def check_ensemble(component: Component, options: Mapping[str, Any]) -> None:
    """Check that scores stay finite and in their order, each query's by themselves, and equal scores stay equal.

    Raises: AssertionError.
    """
    who = f"ensemble '{component.name}'"
    scores = np.random.default_rng(0).normal(size=(6, 9))
    scores[0] = 0.1  # all alike
    scores[1, 3:6] = scores[1, 2]
    before = scores.copy()
    made = component.build(options, scores=scores)
    require(np.array_equal(scores, before), f"{who} changes the scores that it is given; change a copy")
    shape = getattr(made, "shape", None)
    require(shape == scores.shape, f"{who} returns {shape} instead of {scores.shape}")
    require(made.dtype == np.float64 and np.isfinite(made).all(), f"{who} returns {made.dtype} or infinite scores")
    for query, (given, result) in enumerate(zip(scores, made, strict=True)):
        order = np.argsort(given, kind="stable")
        rises = bool((np.diff(result[order]) >= -1e-12).all())
        require(rises, f"{who} ranks an item above one with a higher score; larger must stay better")
        alone = component.build(options, scores=scores[query : query + 1])[0]
        require(np.allclose(alone, result, rtol=1e-12), f"{who}: a query's scores depend on the other queries")
        equal = np.diff(given[order]) == 0
        require(np.allclose(np.diff(result[order])[equal], 0), f"{who} gives items of equal scores different ones")


FUNCTION_CHECKS: dict[str, tuple[Callable[[Component, Mapping[str, Any]], None], ...]] = {
    "optimizer": (check_optimizer,),
    "schedule": (check_schedule,),
    "index": (check_index,),
    "fitter": (check_fitter,),
    "augmentation": (check_augmentation,),
    "ensemble": (check_ensemble,),
    "corruption": (check_corruption,),
    "measurement": (check_measurement, check_measured),
    "executor": (check_executor,),
}
