"""What objectives promise."""

from __future__ import annotations

import torch

from vsebench.testing import probes
from vsebench.testing.probes import map_tensors
from vsebench.testing.trial import Trial


def check_terms(trial: Trial) -> None:
    """Check that an objective gives named finite float32 scalars, whatever the number format and the batch's order."""
    for name, term in trial.results.items():
        if not name or term.ndim:
            trial.fail(f"it must return named scalars {{name: ()}}; got {name!r} of {tuple(term.shape)}")
        if term.dtype != torch.float32:
            trial.fail(f"its term '{name}' is {term.dtype}, not float32")
    output, batch = trial.arguments
    order = torch.randperm(probes.ITEMS).to(trial.device)
    moved = map_tensors(lambda t: t[order], trial.arguments)
    trial.require_equal(trial.say(*moved), trial.results, "the order of the batch changes the loss")
    rounded = map_tensors(lambda t: t.half() if t.is_floating_point() else t, output)
    exact = map_tensors(lambda t: t.float() if t.is_floating_point() else t, rounded)
    wanted = trial.say(exact, batch)
    with torch.autocast(trial.device.type, torch.bfloat16):
        result = trial.say(rounded, batch)
    if any(t.dtype != torch.float32 for t in result.values()):
        trial.fail("of float16 outputs under autocast it must still return float32")
    trial.require_equal(
        result, wanted, "it is not computed in float32 under autocast; cast what comes in with .float()"
    )
    one = map_tensors(lambda t: t[:1], trial.arguments)
    if not all(bool(t.isfinite().all()) for t in trial.say(*one).values()):
        trial.fail("a batch of one item gives a NaN or infinite loss")
    live = map_tensors(lambda t: t.clone().requires_grad_(t.is_floating_point()), output)
    total = sum(trial.module(live, batch).values(), torch.zeros((), device=trial.device))
    if not total.requires_grad:
        trial.fail("its loss depends neither on the output nor on a parameter")
