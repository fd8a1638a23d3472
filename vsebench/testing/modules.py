"""What modules promise: shapes, gradients, independence of the batch, saving and loading, number formats."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from vsebench.components.reranker.base import Ranked
from vsebench.testing import probes
from vsebench.testing.probes import map_tensors, tensors
from vsebench.testing.trial import Trial, gradients, meaning


def check_shape(trial: Trial) -> None:
    """Check that the result has the kind's type and the width that the module declares."""
    if trial.component.kind == "attention":
        _check_attention_shape(trial)
        return
    items = probes.ITEMS
    if trial.component.kind == "reranker":
        wanted: tuple[int, ...] = tuple(trial.arguments[0].scores.shape)
    elif trial.component.kind == "head":
        wanted = (items, probes.CLASSES)
    else:
        if not isinstance(getattr(trial.module, "dim_out", None), int):
            trial.fail("it must set dim_out, the width of its result, to a whole number")
        wanted = (items, int(trial.module.dim_out))  # type: ignore[arg-type]
    if list(trial.results) != [""] or tuple(trial.results[""].shape) != wanted:
        results = {k: tuple(v.shape) for k, v in trial.results.items()}
        trial.fail(f"it returns {results.get('', results)} instead of one tensor of {wanted}")


def _check_attention_shape(trial: Trial) -> None:
    given = trial.arguments[0]
    dims = getattr(trial.module, "dims_out", None)
    if not isinstance(dims, Mapping) or set(dims) != set(given):
        trial.fail(f"dims_out must give the token size of {', '.join(given)}; it is {dims}")
    with torch.no_grad():
        result = trial.module(*trial.arguments)
    if set(result) != set(given):
        trial.fail(f"it returns {sorted(result)} instead of {sorted(given)}")
    for modality, tokens in result.items():
        shape = tuple(tokens.values.shape)
        if len(shape) != 3 or shape[::2] != (probes.ITEMS, dims[modality]) or tuple(tokens.mask.shape) != shape[:2]:
            trial.fail(
                f"its {modality} tokens are {shape} with a mask of {tuple(tokens.mask.shape)}; "
                f"({probes.ITEMS}, N, {dims[modality]}) and ({probes.ITEMS}, N) are right"
            )


def check_finite(trial: Trial) -> None:
    """Results are finite, in training mode too."""
    noisy = trial.say(*trial.arguments, module=copy.deepcopy(trial.module).train())
    for mode, results in (("eval", trial.results), ("training", noisy)):
        if not all(bool(r.isfinite().all()) for r in results.values()):
            trial.fail(f"its result has NaN or infinite entries in {mode} mode")


def check_deterministic(trial: Trial) -> None:
    """In eval mode the same input gives the same result; the same seed gives the same weights."""
    trial.require_equal(trial.say(*trial.arguments), trial.results, "in eval mode two calls differ", tolerance=0.0)
    again = trial.rebuilt(1)
    state = trial.module.state_dict()
    if any(not torch.equal(v, state[k]) for k, v in again.state_dict().items()):
        trial.fail("built twice after the same torch.manual_seed, it has different weights")


def check_items(trial: Trial) -> None:
    """Check that an item alone gives what it gives in a batch."""
    for item in (0, 1, probes.ITEMS - 1):
        rows = slice(item, item + 1)
        if trial.component.kind == "reranker":
            ranked: Ranked = trial.arguments[0]
            alone: tuple[Any, ...] = (
                replace(
                    ranked,
                    scores=ranked.scores[rows],
                    query=ranked.query[rows],
                    query_logits=ranked.query_logits[rows],
                ),
            )
        else:
            alone = map_tensors(lambda t, rows=rows: t[rows], trial.arguments)  # type: ignore[misc]
        with torch.no_grad():
            single = trial.module(*alone)
            batch = trial.module(*trial.arguments)
        wanted = map_tensors(lambda t, rows=rows: t[rows], batch)  # type: ignore[misc]
        trial.require_equal(meaning(single), meaning(wanted), "an item's result depends on the rest of the batch")


def check_gradients(trial: Trial) -> None:
    """Gradients reach every parameter and every modality that is given."""
    arguments = map_tensors(lambda t: t.clone().requires_grad_(t.is_floating_point()), trial.arguments)
    result = gradients(trial, arguments)
    for name, gradient in result.items():
        if not bool(gradient.any()):
            trial.fail(f"no gradient reaches its parameter '{name}'")
    if trial.component.kind in ("objective", "reranker"):
        return
    checked = arguments[:1] if trial.component.kind == "pooling" else arguments
    reached: dict[str, bool] = {}
    for path, tensor in tensors(checked).items():
        modality = next((m for m in probes.TOKEN_DIMS if f".{m}" in path), "its input")
        given = tensor.grad is not None and bool(tensor.grad.any())
        reached[modality] = reached.get(modality, False) or given
    for modality, given in reached.items():
        if not given:
            trial.fail(f"its result does not depend on {modality}")


def check_saved(trial: Trial) -> None:
    """Another instance that loads its state gives the same result."""
    module = copy.deepcopy(trial.module)
    if trial.component.kind == "head":
        for multi_label in (False, True):
            labels = probes.random_batch(multi_label).labels.to(trial.device)
            module.observe(trial.arguments[0], labels)  # type: ignore[operator]
    other = trial.rebuilt(3)
    other.load_state_dict(module.state_dict())
    trial.require_equal(
        trial.say(*trial.arguments, module=other),
        trial.say(*trial.arguments, module=module),
        "its state dict does not hold everything: a second instance that loads it differs",
        tolerance=0.0,
    )


def check_formats(trial: Trial) -> None:
    """bf16 weights and inputs give bf16 results near the fp32 ones; under autocast they are near too."""
    half = copy.deepcopy(trial.module).to(torch.bfloat16)
    arguments = map_tensors(lambda t: t.bfloat16() if t.is_floating_point() else t, trial.arguments)
    try:
        results = trial.say(*arguments, module=half)
    except RuntimeError as error:
        trial.fail(f"it cannot run in bf16: {error}")
    wrong = {str(r.dtype) for r in results.values() if r.is_floating_point() and r.dtype != torch.bfloat16}
    if wrong:
        trial.fail(f"with bf16 weights and inputs it returns {', '.join(sorted(wrong))}")
    trial.require_equal(results, trial.results, "in bf16 the result is far from fp32", tolerance=0.1)
    with torch.autocast(trial.device.type, torch.bfloat16):
        results = trial.say(*trial.arguments)
    trial.require_equal(results, trial.results, "under bf16 autocast the result is far from fp32", tolerance=0.1)
