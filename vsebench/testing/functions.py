"""What kinds that are no modules promise: optimisers, schedules, indexes, fitters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from vsebench.core.component import Component
from vsebench.testing.fitters import check_fitter
from vsebench.testing.indexes import check_index
from vsebench.testing.written import require


def check_optimizer(component: Component, options: Mapping[str, Any]) -> None:
    """It honours ``lr_scale`` and ``decay`` of every group, and a step goes downhill.

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


FUNCTION_CHECKS: dict[str, tuple[Callable[[Component, Mapping[str, Any]], None], ...]] = {
    "optimizer": (check_optimizer,),
    "schedule": (check_schedule,),
    "index": (check_index,),
    "fitter": (check_fitter,),
}
