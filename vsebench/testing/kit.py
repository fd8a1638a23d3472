"""One call that checks a registered component against everything its kind promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from vsebench.component import Component
from vsebench.errors import ConfigError
from vsebench.registry import registry_of
from vsebench.testing.functions import FUNCTION_CHECKS
from vsebench.testing.modules import (
    check_deterministic,
    check_finite,
    check_formats,
    check_gradients,
    check_items,
    check_saved,
    check_shape,
)
from vsebench.testing.pairs import check_blocks, check_pairs
from vsebench.testing.probes import cases
from vsebench.testing.sets import check_alone, check_empty, check_order, check_padding
from vsebench.testing.terms import check_terms
from vsebench.testing.trial import Trial
from vsebench.testing.written import check_docstring, check_options

_ALWAYS: tuple[Callable[[Trial], None], ...] = (check_finite, check_deterministic, check_gradients, check_saved)
_PER_ITEM = (check_shape, *_ALWAYS, check_items, check_formats)
#: Kind -> what is checked of a module of that kind, in this order.
MODULE_CHECKS: dict[str, tuple[Callable[[Trial], None], ...]] = {
    "attention": (*_PER_ITEM, check_padding, check_empty, check_order, check_alone),
    "pooling": (*_PER_ITEM, check_padding, check_empty, check_order, check_alone),
    "fusion": (*_PER_ITEM, check_padding, check_empty),
    "head": _PER_ITEM,
    "scorer": (check_pairs, *_ALWAYS, check_padding, check_empty, check_blocks),
    "reranker": _PER_ITEM,
    "objective": (*_ALWAYS, check_terms),
}


def check_component(
    kind: str, name: str, options: Mapping[str, Any] | None = None, *, device: torch.device | str = "cpu"
) -> None:
    """Check a component: docstring, options, shapes, masks, gradients, determinism, saving, number formats.

    A module is called as the model calls it, on a small random batch of every subset of the modalities that it accepts:
    padding must not change a result, an item's result must not depend on the rest of the batch, gradients must reach
    every parameter. Cases that the given options do not allow (ConfigError) are left out; one must remain.

    Args:
        kind: ``fusion``, ``pooling``, …
        name: its registered name; a plug-in must have been imported.
        options: as an experiment file would give them; the defaults without.
        device: where modules run.

    Raises: AssertionError with a sentence that says what is broken and how; UnknownComponent; ConfigError when no case
    allows the options.

    Example:
        >>> check_component("fusion", "gated", {"temperature": 0.5})
    """
    component = registry_of(kind).get(name)
    checked = check_options(component, options or {})
    with torch.random.fork_rng(devices=[]):
        for check_function in FUNCTION_CHECKS.get(kind, ()):
            check_function(component, checked)
        _check_module(component, checked, torch.device(device))
        # Last: its example fails too when the component does, and says less.
        check_docstring(component)


def _check_module(component: Component, options: Mapping[str, Any], device: torch.device) -> None:
    refused: ConfigError | None = None
    accepted = 0
    for case in cases(component, options):
        try:
            trial = Trial.of(component, case, device)
        except ConfigError as error:
            refused = error
            continue
        accepted += 1
        for check in MODULE_CHECKS[component.kind]:
            check(trial)
    if refused is not None and not accepted:
        raise refused
