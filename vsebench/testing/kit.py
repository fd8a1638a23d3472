"""One call that checks a registered component against everything its kind promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from vsebench.core.component import Component
from vsebench.core.culprit import in_one_line
from vsebench.core.errors import ConfigError
from vsebench.core.registry import registry_of
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
    "projection": _PER_ITEM,
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


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Args:
        check: its name, such as ``gradients``.
        promise: what it checks, in a sentence.
        fault: what is broken and how; empty when nothing is.
    """

    check: str
    promise: str
    fault: str = ""


def findings(
    kind: str, name: str, options: Mapping[str, Any] | None = None, *, device: torch.device | str = "cpu"
) -> Iterator[Finding]:
    """Yield the checks one by one, all of them, whichever fail; what cannot be built and called gets no further.

    Raises: UnknownComponent; ConfigError when no case allows the options.
    """
    component = registry_of(kind).get(name)
    with torch.random.fork_rng(devices=[]):
        yield _finding(check_options, component, options or {})
        checked = component.validate(options or {})
        for function in FUNCTION_CHECKS.get(kind, ()):
            yield _finding(function, component, checked)
        trials: list[Trial] = []
        if kind in MODULE_CHECKS:
            built = _finding(_check_built, component, checked, torch.device(device), trials)
            yield built
            for check in () if built.fault else MODULE_CHECKS[kind]:
                yield next((f for f in (_finding(check, trial) for trial in trials) if f.fault), _finding(check))
        yield _finding(check_docstring, component)


def _finding(check: Callable[..., Any], *arguments: Any) -> Finding:
    """Of a check that is called with these arguments; without any, that it found nothing."""
    promise = (check.__doc__ or "").strip().split("\n", 1)[0].split(". ")[0].rstrip(".") + "."
    title = check.__name__.removeprefix("_").removeprefix("check_").replace("_", " ")
    try:
        if arguments:
            check(*arguments)
    except ConfigError:
        raise
    except AssertionError as error:
        return Finding(title, promise, str(error))
    except Exception as error:  # whatever a component does
        return Finding(title, promise, in_one_line(error))
    return Finding(title, promise)


def _check_built(component: Component, options: Mapping[str, Any], device: torch.device, trials: list[Trial]) -> None:
    """Check that the component can be built and called in every case that its options allow."""
    refused: ConfigError | None = None
    for case in cases(component, options):
        try:
            trials.append(Trial.of(component, case, device))
        except ConfigError as error:
            refused = error
    if refused is not None and not trials:
        raise refused


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
