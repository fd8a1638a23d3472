"""A model and a split to outputs, and outputs to metrics. No training code."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vsebench.feed import Feed, to_device
from vsebench.metrics.base import Predictions
from vsebench.model import Model
from vsebench.rerankers.base import Ranked

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
    order = _by_length(feed, np.arange(count))
    for start in range(0, count, train.eval_batch_size):
        rows = order[start : start + train.eval_batch_size]
        with autocast(train.precision, device):
            output = model(to_device(feed.batch(rows), device))
        logits.append(output.logits.float().cpu().numpy())
        if embeddings:
            for modality, values in output.embeddings.items():
                kept[modality].append(values.float().cpu().numpy())
    back = np.argsort(order)
    found = {m: np.concatenate(v)[back] for m, v in kept.items() if v}
    owner = np.arange(count)
    if embeddings and "text" in found:
        extra, extra_owner = _other_captions(model, feed, device)
        found["text"] = np.concatenate([found["text"], *extra])
        owner = np.concatenate([owner, *extra_owner])
    return SplitOutputs(np.concatenate(logits)[back], found, owner)


def _by_length(feed: Feed, rows: np.ndarray, captions: np.ndarray | None = None) -> np.ndarray:
    """The rows with texts of similar length side by side, so that a batch has little padding."""
    lengths = feed.text_lengths(rows, captions)
    return rows if lengths is None else rows[np.argsort(lengths, kind="stable")]


def _other_captions(model: Model, feed: Feed, device: torch.device) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Text embeddings of second and later captions. Paired with their own image; the embedding does not see it."""
    train = model.system.train
    counts = feed.captions_per_item
    values: list[np.ndarray] = []
    owners: list[np.ndarray] = []
    for number in range(1, int(counts.max(initial=1))):
        rows_left = np.flatnonzero(counts > number)
        rows_left = _by_length(feed, rows_left, np.full(len(rows_left), number))
        for start in range(0, len(rows_left), train.eval_batch_size):
            rows = rows_left[start : start + train.eval_batch_size]
            with autocast(train.precision, device):
                output = model(to_device(feed.batch(rows, np.full(len(rows), number)), device))
            values.append(output.embeddings["text"].float().cpu().numpy())
            owners.append(rows)
    return values, owners


def predictions_of(
    outputs: SplitOutputs, feed: Feed, rerank: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
) -> Predictions:
    """A split's outputs beside its labels and groups, as metrics want them."""
    dataset = feed.dataset
    groups = np.arange(len(feed))
    if dataset.relevance == "group":
        groups = feed.groups.numpy()
    elif dataset.relevance == "label" and not dataset.multi_label:
        groups = feed.labels.numpy().astype(np.int64)
    unranked = None
    if dataset.relevance == "label" and dataset.multi_label:
        unranked = "items match by any shared label here; ranks of the first match by group do not apply."
    return Predictions(
        outputs.logits,
        feed.labels.numpy().astype(np.int64),
        multi_label=dataset.multi_label,
        label_names=tuple(dataset.label_names),
        embeddings=outputs.embeddings,
        owner=outputs.owner,
        groups=groups,
        rerank=rerank,
        unranked=unranked,
    )


def reranker_of(
    model: Model, train: SplitOutputs, train_labels: np.ndarray, outputs: SplitOutputs
) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    """The system's re-ranker over one split's images, as a function of scores. Class queries come from training."""
    if model.reranker is None or "image" not in outputs.embeddings:
        return None
    prototypes = class_means(train.embeddings["image"], train_labels, model.num_classes)
    gallery = torch.from_numpy(outputs.embeddings["image"])
    logits = torch.from_numpy(outputs.logits)

    def rerank(rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
        index = torch.from_numpy(rows)
        ranked = Ranked(torch.from_numpy(scores), gallery[index], gallery, logits[index], prototypes)
        changed: np.ndarray = model.reranker(ranked).numpy()  # type: ignore[misc]
        return changed

    return rerank


def class_means(embeddings: np.ndarray, labels: np.ndarray, num_classes: int) -> torch.Tensor:
    """Mean unit embedding of every class; zeros for a class without items. Shape: (n, E), labels -> (C, E)."""
    values = torch.nn.functional.normalize(torch.from_numpy(embeddings), dim=-1)
    member = torch.from_numpy(labels).float() if labels.ndim > 1 else torch.eye(num_classes)[torch.from_numpy(labels)]
    return member.T @ values / member.sum(0).clamp(min=1)[:, None]


def save_predictions(file: Path, predictions: Predictions, feed: Feed) -> None:
    """What every number can be computed from again: ids' positions, logits, labels, ranks per query."""
    arrays: dict[str, np.ndarray] = {
        "positions": feed.positions,
        "logits": predictions.logits,
        "labels": predictions.labels,
        "groups": predictions.groups,
        "owner": predictions.owner,
    }
    if predictions.retrieval and predictions.unranked is None:
        for direction, ranks in predictions.ranks.items():
            for part in ("above", "tied", "tied_relevant", "relevant"):
                arrays[f"{direction}/{part}"] = getattr(ranks, part)
    partial = file.with_suffix(".partial.npz")
    np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
    os.replace(partial, file)
