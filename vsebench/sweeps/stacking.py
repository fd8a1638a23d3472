"""What a trained model's head still fits to validation: a stack of its modalities' decisions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vsebench.components.head._stacking import FOLDS
from vsebench.components.head.decision import Decision
from vsebench.core.errors import ConfigError
from vsebench.distributed.gradient_sharing import Team
from vsebench.engine.evaluate import autocast
from vsebench.engine.loader import Feed, to_device
from vsebench.engine.model import Model


def stack(model: Model, feed: Feed, *, device: torch.device, team: Team) -> tuple[np.ndarray | None, Sequence[str]]:
    """Fit the stack of a model that has one to the validation split, and keep it in the model's state.

    Returns: cross-fitted logits of the split, float32 (n, C), by which it is to be judged, and what a reader of results
    should know; None and nothing for any other model.

    Raises: ConfigError where validation is too small.
    """
    head = model.head
    if not isinstance(head, Decision) or head.combine != "stack":
        return None, ()
    parts, present = _said(model, feed, device)
    try:
        state, logits = team.agree(head.stack(parts, present, feed.labels, feed.groups))
    except ValueError as error:
        raise ConfigError(f"{error}. Choose another head.combine.", path=("head", "combine")) from None
    head.load_state_dict(state, strict=False)
    count = sum(tensor.numel() for tensor in state.values())
    said = (
        f"stack: a logistic regression of {count:,} numbers on {len(feed):,} validation items, fitted after training; "
        f"the validation numbers are cross-fitted ({FOLDS} folds)"
    )
    return logits.numpy(), [said]


@torch.no_grad()
def _said(model: Model, feed: Feed, device: torch.device) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Each modality's own logits of every item, with its first caption, and which items have it."""
    model.eval()
    outputs = []
    size = model.system.train.eval_batch_size
    for start in range(0, len(feed), size):
        rows = np.arange(start, min(start + size, len(feed)))
        with autocast(model.system.train.precision, device):
            outputs.append(model(to_device(feed.batch(rows), device)))
    parts = {m: torch.cat([o.parts[m].float().cpu() for o in outputs]) for m in outputs[0].parts}
    return parts, {m: torch.cat([o.present[m].cpu() for o in outputs]) for m in parts}
