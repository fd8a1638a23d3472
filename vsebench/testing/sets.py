"""What modules that read sets of tokens promise about padding, empty sets, order and the other modalities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vsebench.core.types import Tokens
from vsebench.ops.masking import blank
from vsebench.testing.probes import map_tokens, padded_with, tensors
from vsebench.testing.trial import Trial, gradients


def check_padding(trial: Trial) -> None:
    """Whatever stands at padded positions, and however many there are, results and gradients stay the same."""
    for value, what in ((1e3, "large numbers"), (float("nan"), "NaN")):
        padded = map_tokens(lambda t, value=value: padded_with(t, value), trial.arguments)  # type: ignore[misc]
        trial.require_equal(trial.say(*padded), trial.results, f"padding of {what} changes the result")
        trial.require_equal(
            gradients(trial, padded),
            gradients(trial, trial.arguments),
            f"padding of {what} changes the gradients (vsebench.ops.masking.blank removes it before a linear map)",
            tolerance=1e-4,
        )


def check_empty(trial: Trial) -> None:
    """Check that an item without a real token of a modality gives finite results, and zeros where that is pooled."""

    def emptied(tokens: Tokens) -> Tokens:
        mask = tokens.mask.clone()
        mask[0] = False
        return replace(tokens, mask=mask)

    arguments = map_tokens(emptied, trial.arguments)
    results = trial.say(*arguments)
    result = {**results, **gradients(trial, arguments)}
    if not all(bool(v.isfinite().all()) for v in result.values()):
        trial.fail("an item without any real token gives NaN or infinite results or gradients; zeros are right")
    if trial.component.kind == "pooling" and bool(results[""][0].any()):
        trial.fail("a set without any real token must be pooled to zeros")


def check_order(trial: Trial) -> None:
    """Where the registration says ``ordered=False``: permuted tokens give the same result, permuted likewise."""
    if trial.component.facts["ordered"]:
        return
    orders: dict[int, Tensor] = {}

    def shuffled(tokens: Tokens) -> Tokens:
        count = tokens.mask.shape[1]
        order = orders.setdefault(count, torch.randperm(count).to(trial.device))
        return replace(tokens, values=tokens.values[:, order], mask=tokens.mask[:, order])

    with torch.no_grad():
        moved = trial.module(*map_tokens(shuffled, trial.arguments))
        still = trial.module(*trial.arguments)
    # Tokens of a new number (one per item, say) have no order to follow.
    follow = map_tokens(lambda t: shuffled(t) if t.mask.shape[1] in orders else t, still)
    trial.require_equal(
        tensors(map_tokens(_blanked, moved)),
        tensors(map_tokens(_blanked, follow)),
        "it is registered with ordered=False, but the order of the tokens changes the result",
    )


def _blanked(tokens: Tokens) -> Tokens:
    return replace(tokens, values=blank(tokens.values, tokens.mask))


def check_alone(trial: Trial) -> None:
    """Unless registered ``cross_modal``, a modality's result does not depend on the others."""
    if trial.component.facts["cross_modal"]:
        return
    if trial.component.kind == "pooling":
        argument, context = trial.arguments
        checks: list[tuple[tuple[Any, ...], str]] = [((argument, map_tokens(_other_values, context)), "")]
    else:
        given = trial.arguments[0]
        checks = [(({k: v if k == m else _other_values(v) for k, v in given.items()},), m) for m in given]
    for arguments, modality in checks:
        mine = {k: v for k, v in trial.results.items() if k.startswith(modality)}
        results = {k: v for k, v in trial.say(*arguments).items() if k.startswith(modality)}
        trial.require_equal(
            results,
            mine,
            "one modality's result depends on another one; register it with cross_modal=True, "
            "or retrieval would rank by vectors that have seen their partner",
        )


def _other_values(tokens: Tokens) -> Tokens:
    return replace(tokens, values=torch.randn_like(tokens.values))
