"""A few items through a new model, before it is trained: what components return is what they promise."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vsebench.core.culprit import described
from vsebench.core.errors import ComponentError
from vsebench.core.types import Tokens
from vsebench.engine.evaluate import autocast
from vsebench.engine.loader import Loader, to_device
from vsebench.engine.model import Model, width_of

ITEMS = 4


def dry_run(model: Model, loader: Loader, *, device: torch.device) -> None:
    """Run the first items through a model in evaluation mode, and check the shape of what each component returns.

    Nothing that a run depends on changes: no gradients, no batch statistics, no random state. A fitter, which has
    learned nothing yet, is not called.

    Raises: ComponentError that names the component, and what it returned and should have; whatever it raises itself.
    """
    batch = to_device(loader.batch(np.arange(min(ITEMS, len(loader)))), device)
    with _unchanged(model, device), torch.no_grad(), autocast(model.system.train.precision, device), _checked(model):
        try:
            output = model.eval()(batch)
        except _Reached:
            return
        if model.scorer is not None:
            scores = model.scorer.score(output.pair_inputs["image"], output.pair_inputs["text"])
            _require(model.scorer, "score", scores, (len(batch), len(batch)), "each image with each text")


class _Reached(Exception):
    """The fitter would be called now."""


@contextmanager
def _unchanged(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Modes of all modules and the state of all random generators are afterwards what they were."""
    modes = {module: module.training for module in model.modules()}
    python, arrays = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _checked(model: Model) -> Iterator[None]:
    """Components are checked when they are called."""
    handles = []

    def after(module: nn.Module, check: Callable[[nn.Module, Any, Any], None]) -> None:
        handles.append(module.register_forward_hook(check))

    after(model.attention, lambda module, inputs, result: _check_tokens(model, inputs[0], result))
    for pool in model.pooling.values():
        after(pool, lambda module, inputs, result: _check_vector(module, len(inputs[0].values), result))
    if model.fusion is not None:
        after(model.fusion, lambda module, inputs, result: _check_vector(module, _count(inputs[0]), result))
    if model.head is not None:
        after(model.head, lambda module, inputs, result: _check_logits(module, _count(inputs[0]), result, model))
    if model.fitter is not None:
        handles.append(model.fitter.register_forward_pre_hook(_stop))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _stop(module: nn.Module, inputs: Any) -> None:
    raise _Reached


def _count(given: Any) -> int:
    """Items of a tensor, or of each of several."""
    return len(given) if isinstance(given, Tensor) else len(next(iter(given.values())))


def _check_tokens(model: Model, given: Mapping[str, Tokens], result: Any) -> None:
    for modality, tokens in given.items():
        encoder = model.encoders[modality]
        _require_tokens(encoder, tokens, None, width_of(encoder), f"its dim_out is {width_of(encoder)}")
    who: Any = model.attention
    if not isinstance(result, Mapping) or set(result) != set(given):
        shown = sorted(result) if isinstance(result, Mapping) else type(result).__name__
        raise _wrong(who, "forward", f"returns {shown}; it must return tokens of {', '.join(sorted(given))}")
    for modality, tokens in result.items():
        width = int(who.dims_out[modality])
        _require_tokens(who, tokens, len(given[modality].values), width, f"dims_out['{modality}'] is {width}")


def _require_tokens(who: nn.Module, tokens: Any, items: int | None, width: int, promise: str) -> None:
    if not isinstance(tokens, Tokens):
        raise _wrong(who, "forward", f"returns {type(tokens).__name__}; expected Tokens")
    shape, mask = tuple(tokens.values.shape), tuple(tokens.mask.shape)
    if len(shape) != 3 or shape[0] != (items or shape[0]) or shape[2] != width or mask != shape[:2]:
        count = items or "B"
        right = f"({count}, N, {width}) with a mask ({count}, N): {promise}"
        raise _wrong(who, "forward", f"returns tokens {shape} with a mask {mask}; expected {right}")


def _check_vector(who: nn.Module, items: int, result: Any) -> None:
    _require(who, "forward", result, (items, width_of(who)), f"{items} items, and its dim_out is {width_of(who)}")


def _check_logits(who: nn.Module, items: int, result: Any, model: Model) -> None:
    what = f"{items} items, {model.num_classes} classes"
    _require(who, "forward", result, (items, model.num_classes), what)


def _require(who: nn.Module, method: str, result: Any, shape: tuple[int, ...], what: str) -> None:
    if not isinstance(result, Tensor):
        raise _wrong(who, method, f"returns {type(result).__name__}; expected a tensor {shape}: {what}")
    if tuple(result.shape) != shape:
        raise _wrong(who, method, f"returns a tensor {tuple(result.shape)}; expected {shape}: {what}")
    if not result.is_floating_point():
        raise _wrong(who, method, f"returns a tensor of {result.dtype}; expected floating-point numbers")


def _wrong(who: nn.Module, method: str, what: str) -> ComponentError:
    return ComponentError(f"{described(who, method)} {what}.")
