"""What a trained model's head still fits to validation: a stack of its modalities' decisions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vsebench.components.head._stacking import FOLDS
from vsebench.components.head.decision import Decision
from vsebench.core.errors import ConfigError
from vsebench.distributed.gradient_sharing import ProcessGroup
from vsebench.engine.evaluate import autocast
from vsebench.engine.loader import Loader, to_device
from vsebench.engine.model import Model


def stack(
    model: Model, loader: Loader, *, device: torch.device, process_group: ProcessGroup
) -> tuple[np.ndarray | None, Sequence[str]]:
    """Fit the stack of a model that has one to the validation split, and keep it in the model's state.

    Returns: cross-fitted logits of the split, float32 (n, C), by which it is to be judged, and what a reader of results
    should know; None and nothing for any other model.

    Raises: ConfigError where validation is too small.
    """
    head = model.head
    if not isinstance(head, Decision) or head.combine != "stack":
        return None, ()
    parts, present = _said(model, loader, device)
    try:
        state, logits = process_group.broadcast(head.stack(parts, present, loader.labels, loader.groups))
    except ValueError as error:
        raise ConfigError(f"{error}. Choose another head.combine.", path=("head", "combine")) from None
    head.load_state_dict(state, strict=False)
    count = sum(tensor.numel() for tensor in state.values())
    message = (
        f"stack: a logistic regression of {count:,} numbers on {len(loader):,} validation items, fitted after "
        f"training; the validation numbers are cross-fitted ({FOLDS} folds)"
    )
    return logits.numpy(), [message]


@torch.no_grad()
def _said(model: Model, loader: Loader, device: torch.device) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Each modality's own logits of every item, with its first caption, and which items have it."""
    model.eval()
    outputs = []
    size = model.system.train.eval_batch_size
    for start in range(0, len(loader), size):
        rows = np.arange(start, min(start + size, len(loader)))
        with autocast(model.system.train.precision, device):
            outputs.append(model(to_device(loader.batch(rows), device)))
    parts = {m: torch.cat([o.parts[m].float().cpu() for o in outputs]) for m in outputs[0].parts}
    return parts, {m: torch.cat([o.present[m].cpu() for o in outputs]) for m in parts}
