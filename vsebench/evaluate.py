"""A model and a split to outputs, and outputs to metrics. No training code."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vsebench.feed import Feed, to_device
from vsebench.model import Model

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class SplitOutputs:
    """What a model said of a split, item by item.

    Args:
        logits: float32 (n, C).
        embeddings: modality -> float32; image (n, E), text (captions, E).
        owner: int64 (captions,), the row of the item that a caption belongs to.
    """

    logits: np.ndarray
    embeddings: Mapping[str, np.ndarray]
    owner: np.ndarray


def autocast(precision: str, device: torch.device) -> Any:
    """The autocast context of a precision, or a null context for fp32."""
    return torch.autocast(device.type, AUTOCAST[precision]) if precision in AUTOCAST else nullcontext()


@torch.inference_mode()
def predict(model: Model, feed: Feed, *, device: torch.device, embeddings: bool = True) -> SplitOutputs:
    """Run the model over a split: the first caption of every item, then, for retrieval, the other captions too."""
    model.eval()
    train = model.system.train
    count = len(feed)
    logits: list[np.ndarray] = []
    kept: dict[str, list[np.ndarray]] = {m: [] for m in model.encoders}
    for start in range(0, count, train.eval_batch_size):
        rows = np.arange(start, min(start + train.eval_batch_size, count))
        with autocast(train.precision, device):
            output = model(to_device(feed.batch(rows), device))
        logits.append(output.logits.float().cpu().numpy())
        if embeddings:
            for modality, values in output.embeddings.items():
                kept[modality].append(values.float().cpu().numpy())
    found = {m: np.concatenate(v) for m, v in kept.items() if v}
    owner = np.arange(count)
    if embeddings and "text" in found:
        extra, extra_owner = _other_captions(model, feed, device)
        found["text"] = np.concatenate([found["text"], *extra])
        owner = np.concatenate([owner, *extra_owner])
    return SplitOutputs(np.concatenate(logits), found, owner)


def _other_captions(model: Model, feed: Feed, device: torch.device) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Text embeddings of second and later captions. Paired with their own image; the embedding does not see it."""
    train = model.system.train
    counts = feed.captions_per_item
    values: list[np.ndarray] = []
    owners: list[np.ndarray] = []
    for number in range(1, int(counts.max(initial=1))):
        rows_left = np.flatnonzero(counts > number)
        for start in range(0, len(rows_left), train.eval_batch_size):
            rows = rows_left[start : start + train.eval_batch_size]
            with autocast(train.precision, device):
                output = model(to_device(feed.batch(rows, np.full(len(rows), number)), device))
            values.append(output.embeddings["text"].float().cpu().numpy())
            owners.append(rows)
    return values, owners
