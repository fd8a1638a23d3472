"""What pairwise scorers promise."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vsebench.core.types import Tokens
from vsebench.testing import probes
from vsebench.testing.trial import Trial


def check_pairs(trial: Trial) -> None:
    """One score per pair, the same whatever other pairs are scored with it and in which order."""
    images, texts = trial.arguments
    wanted = (probes.ITEMS, probes.ITEMS)
    results = {k: tuple(v.shape) for k, v in trial.results.items()}
    if list(results) != [""] or results[""] != wanted:
        trial.fail(f"it returns {results.get('', results)} instead of one tensor of {wanted}")
    scores = trial.results[""]
    for row, column in ((0, 0), (1, 0), (0, 1), (2, probes.ITEMS - 1)):
        pair = (_rows(images, slice(row, row + 1)), _rows(texts, slice(column, column + 1)))
        alone = scores[row : row + 1, column : column + 1]
        trial.require_equal(trial.say(*pair), {"": alone}, "a pair's score depends on the other pairs of the batch")
    order = torch.randperm(probes.ITEMS, device=trial.device)
    moved = trial.say(_rows(images, order), texts)
    trial.require_equal(moved, {"": scores[order]}, "the order of the images changes their scores")


def check_blocks(trial: Trial) -> None:
    """Blocks of any size give the same scores; a side without a real token gives 0; numbers are float32 at least."""
    images, texts = trial.arguments
    mask = texts.mask.clone()
    mask[0] = False
    texts = replace(texts, mask=mask)
    wanted = trial.say(images, texts)
    if bool(wanted[""][:, 0].any()):
        trial.fail("a caption without any real word must score 0")
    scorer = trial.module
    with torch.no_grad():
        sides = scorer.embed("image", images), scorer.embed("text", texts)  # type: ignore[operator]
    for budget in (1, 10_000, 10**9):
        result = scorer.score_all(*sides, budget=budget)  # type: ignore[operator]
        trial.require_equal({"": result}, wanted, f"blocks of {budget} bytes change the scores")
    with torch.autocast(trial.device.type, torch.bfloat16):
        result = trial.say(images, texts)
    if result[""].dtype != torch.float32:
        trial.fail(f"under autocast its scores are {result[''].dtype}, not float32")
    # Not all of them: a norm over the one word of a caption keeps but the sign of an affinity, which rounding turns.
    share = float(((result[""] - wanted[""]).abs() > 0.1).float().mean())
    if share > 0.01:
        trial.fail(f"under bf16 autocast {share:.0%} of its scores are more than 0.1 from those in fp32")


def _rows(tokens: Tokens, rows: slice | Tensor) -> Tokens:
    return replace(tokens, values=tokens.values[rows], mask=tokens.mask[rows])
