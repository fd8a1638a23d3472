"""A model and a split to outputs, and outputs to metrics. No training code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vsebench.components.metric._answers import Answers
from vsebench.components.metric._sides import Gallery
from vsebench.components.metric.base import Predictions
from vsebench.components.reranker.base import Ranked
from vsebench.core.files import replacing
from vsebench.core.types import Output, Tokens
from vsebench.data.dataset import Dataset
from vsebench.distributed.gradient_sharing import SINGLE_PROCESS, ProcessGroup
from vsebench.engine.loader import Loader, to_device
from vsebench.engine.model import Model
from vsebench.engine.pair_scoring import ranking_of
from vsebench.ops.slices import Slices

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class SplitOutputs:
    """What a model said of a split, item by item.

    Args:
        logits: float32 (n, C); None without a head.
        embeddings: modality -> float32; image (n, E), text (captions, E). None of a modality that some item lacks:
            there would be nothing to rank of it.
        owner: int64 (captions,), the row of the item that a caption belongs to.
        sides: modality -> what a scorer of pairs keeps, in the order of ``embeddings``; empty without one.
    """

    logits: np.ndarray | None
    embeddings: Mapping[str, np.ndarray]
    owner: np.ndarray
    pair_inputs: Mapping[str, Tokens] = field(default_factory=dict)


@dataclass(frozen=True)
class RankedGallery:
    """What a model said of the items that queries are ranked against, where these are not the queries' own split.

    Args:
        outputs: of all of them.
        labels: int64 (m,), or 0/1 (m, C).
        groups: int64 (m,), as the dataset has them.
        positions: int64 (m,), in the dataset file.
    """

    outputs: SplitOutputs
    labels: np.ndarray
    groups: np.ndarray
    positions: np.ndarray


def autocast(precision: str, device: torch.device) -> Any:
    """Return the autocast context of a precision, or a null context for fp32."""
    return torch.autocast(device.type, AUTOCAST[precision]) if precision in AUTOCAST else nullcontext()


@torch.inference_mode()
def predict(
    model: Model,
    loader: Loader,
    *,
    device: torch.device,
    embeddings: bool = True,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> SplitOutputs:
    """Run the model over a split: the first caption of every item, then, for retrieval, the other captions too.

    Every batch is one process's, and every process of the team gets all outputs.
    """
    model.eval()
    count = len(loader)
    order = _by_length(loader, np.arange(count))

    def wanted(output: Output) -> Mapping[str, Any]:
        parts: dict[str, Any] = {} if output.logits is None else {"logits": output.logits}
        return {**parts, **(_retrieval_parts(output) if embeddings else {})}

    result = _run(model, loader, _batches(order, None, model), device, process_group, wanted)
    back = np.argsort(order)
    outputs = {name: _joined([output[name] for output in result])[back] for name in result[0]}
    owner = np.arange(count)
    if embeddings and "text" in model.encoders:
        others, owners = _other_captions(model, loader, device, process_group)
        for name in [n for n in outputs if n.split("/")[0] == "text"]:
            outputs[name] = _joined([outputs[name], *(output[name] for output in others)])
        owner = np.concatenate([owner, *owners])
    sides = {m: _side(outputs, m) for m in ("image", "text") if f"{m}/values" in outputs}
    vectors = {m: outputs[m] for m in model.encoders if m in outputs and m not in loader.missing}
    return SplitOutputs(outputs.get("logits"), vectors, owner, sides)


def _retrieval_parts(output: Output) -> dict[str, Any]:
    """Embeddings by modality; what a scorer keeps as ``image/values``, ``image/mask`` and the same of texts."""
    parts: dict[str, Any] = dict(output.embeddings)
    for modality, tokens in output.pair_inputs.items():
        parts |= {f"{modality}/values": tokens.values, f"{modality}/mask": tokens.mask}
    return parts


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Along the first dimension; sets padded to the longest of them."""
    if parts[0].ndim > 1 and len({part.shape[1] for part in parts}) > 1:
        longest = max(part.shape[1] for part in parts)
        parts = [np.pad(p, [(0, 0), (0, longest - p.shape[1])] + [(0, 0)] * (p.ndim - 2)) for p in parts]
    return np.concatenate(parts)


def joined_outputs(parts: Sequence[SplitOutputs]) -> SplitOutputs:
    """Concatenate outputs of several sets of items, in their order."""
    starts = np.cumsum([0, *(int(part.owner.max()) + 1 for part in parts)])  # every item owns its first caption
    everywhere = [m for m in parts[0].embeddings if all(m in part.embeddings for part in parts)]
    sides = {}
    for modality in parts[0].pair_inputs:
        tokens = [part.pair_inputs[modality] for part in parts]
        arrays = {
            f"{modality}/values": _joined([t.values.numpy() for t in tokens]),
            f"{modality}/mask": _joined([t.mask.numpy() for t in tokens]),
        }
        sides[modality] = _side(arrays, modality)
    return SplitOutputs(
        None if parts[0].logits is None else np.concatenate([p.logits for p in parts if p.logits is not None]),
        {m: np.concatenate([p.embeddings[m] for p in parts]) for m in everywhere},
        np.concatenate([part.owner + start for part, start in zip(parts, starts[:-1], strict=True)]),
        sides,
    )


def _side(arrays: Mapping[str, np.ndarray], modality: str) -> Tokens:
    values, mask = arrays[f"{modality}/values"], arrays[f"{modality}/mask"]
    return Tokens(torch.from_numpy(values), torch.from_numpy(mask > 0))


def _batches(rows: np.ndarray, captions: int | None, model: Model) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Cut rows into evaluation's batches. ``captions``: which of its captions each row takes; None for the first."""
    size = model.system.train.eval_batch_size
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [(part, None if captions is None else np.full(len(part), captions)) for part in parts]


def _run(
    model: Model,
    loader: Loader,
    batches: Sequence[tuple[np.ndarray, np.ndarray | None]],
    device: torch.device,
    process_group: ProcessGroup,
    wanted: Callable[[Output], Mapping[str, Any]],
) -> list[dict[str, np.ndarray]]:
    """Compute the requested outputs of every batch, in order."""
    results: list[tuple[int, dict[str, np.ndarray]]] = []
    for number in process_group.shard(range(len(batches))):
        rows, captions = batches[number]
        with autocast(model.system.train.precision, device):
            output = model(to_device(loader.batch(rows, captions), device))
        results.append((number, {name: values.float().cpu().numpy() for name, values in wanted(output).items()}))
    return [outputs for _, outputs in sorted(process_group.gather(results), key=lambda one: one[0])]


def _by_length(loader: Loader, rows: np.ndarray, captions: np.ndarray | None = None) -> np.ndarray:
    """Order the rows so that texts of similar length are side by side, and a batch has little padding."""
    lengths = loader.text_lengths(rows, captions)
    return rows if lengths is None else rows[np.argsort(lengths, kind="stable")]


def _other_captions(
    model: Model, loader: Loader, device: torch.device, process_group: ProcessGroup
) -> tuple[list[dict[str, np.ndarray]], list[np.ndarray]]:
    """Texts' parts of second and later captions. Paired with their own image; the embedding does not see it."""
    counts = loader.captions_per_item
    batches: list[tuple[np.ndarray, np.ndarray | None]] = []
    for number in range(1, int(counts.max(initial=1))):
        rows = np.flatnonzero(counts > number)
        batches += _batches(_by_length(loader, rows, np.full(len(rows), number)), number, model)

    def wanted(output: Output) -> Mapping[str, Any]:
        return {name: part for name, part in _retrieval_parts(output).items() if name.split("/")[0] == "text"}

    result = _run(model, loader, batches, device, process_group, wanted)
    return result, [rows for rows, _ in batches]


def predictions_of(
    outputs: SplitOutputs,
    loader: Loader,
    model: Model,
    *,
    device: torch.device,
    rerank: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    ranked_gallery: RankedGallery | None = None,
) -> Predictions:
    """Combine a split's outputs with its labels and groups, as metrics want them; pairs are scored here.

    Args:
        outputs: of the split.
        loader: of the dataset.
        model: in eval mode.
        device: where pairs are scored.
        rerank: reorders the best of each query; None leaves the ranking as it is.
        ranked_gallery: what the split's items are ranked against, where that is not the split.
    """
    dataset = loader.dataset
    gallery, pairs, embeddings = None, None, dict(outputs.embeddings)
    if ranked_gallery is None:
        scored, candidates = ranking_of(model, outputs.embeddings, outputs.pair_inputs, device=device)
        pairs = scored.get("i2t")
    else:
        other = ranked_gallery.outputs
        embeddings = {m: values for m, values in embeddings.items() if m in other.embeddings}
        scored, candidates = ranking_of(
            model,
            outputs.embeddings,
            outputs.pair_inputs,
            device=device,
            ranked_gallery=(other.embeddings, other.pair_inputs),
        )
        gallery = Gallery(
            ranked_gallery.labels.astype(np.int64),
            other.embeddings,
            other.owner,
            _groups(dataset, ranked_gallery.labels, ranked_gallery.groups),
            scored,
            ranked_gallery.positions,
        )
    unranked = None
    if dataset.relevance == "label" and dataset.multi_label:
        unranked = "items match by any shared label here; ranks of the first match by group do not apply."
    answers = dataset.answers(loader.positions) if dataset.has_answers else None
    return Predictions(
        outputs.logits,
        loader.labels.numpy().astype(np.int64) if dataset.num_classes else np.full(len(loader), -1),
        multi_label=dataset.multi_label,
        label_names=tuple(dataset.label_names),
        embeddings=embeddings,
        owner=outputs.owner,
        groups=_groups(dataset, loader.labels.numpy(), loader.groups.numpy()),
        similarity=model.system.similarity,
        pairs=pairs,
        candidates=candidates,
        rerank=rerank,
        unranked=unranked,
        gallery=gallery,
        answers=None if answers is None else Answers.of(answers, dataset.label_names),
    )


def _groups(dataset: Dataset, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the relevance group of each item: the item itself, its group or its class. Shape: int64 (n,)"""
    if dataset.relevance == "group":
        return groups
    if dataset.relevance == "label" and not dataset.multi_label:
        return labels.astype(np.int64)
    return np.arange(len(labels))


def reranker_of(
    model: Model,
    train: SplitOutputs,
    train_labels: np.ndarray,
    outputs: SplitOutputs,
    ranked_gallery: RankedGallery | None = None,
) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    """Return the system's re-ranker of one split's images against those offered, as a function of scores. Class queries
    come from training.
    """
    if model.reranker is None or "image" not in outputs.embeddings or outputs.logits is None:
        return None
    prototypes = class_means(train.embeddings["image"], train_labels, model.num_classes)
    images = torch.from_numpy(outputs.embeddings["image"])
    gallery = images if ranked_gallery is None else torch.from_numpy(ranked_gallery.outputs.embeddings["image"])
    logits = torch.from_numpy(outputs.logits)

    def rerank(rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
        index = torch.from_numpy(rows)
        ranked = Ranked(torch.from_numpy(scores), images[index], gallery, logits[index], prototypes)
        changed: np.ndarray = model.reranker(ranked).numpy()  # type: ignore[misc]
        return changed

    return rerank


def class_means(embeddings: np.ndarray, labels: np.ndarray, num_classes: int) -> torch.Tensor:
    """Mean unit embedding of every class; zeros for a class without items. Shape: (n, E), labels -> (C, E)."""
    values = torch.nn.functional.normalize(torch.from_numpy(embeddings), dim=-1)
    member = torch.from_numpy(labels).float() if labels.ndim > 1 else torch.eye(num_classes)[torch.from_numpy(labels)]
    return member.T @ values / member.sum(0).clamp(min=1)[:, None]


def save_predictions(file: Path, predictions: Predictions, loader: Loader, slices: Slices | None = None) -> None:
    """Save the predictions: ids' positions, logits, labels, ranks per query; every metric can be recomputed from
    them.

    Args:
        file: an ``.npz``.
        predictions: of one split.
        loader: the split's; says which items the predictions are of.
        slices: of the items, where metrics are given by them too.
    """
    arrays: dict[str, np.ndarray] = {
        "positions": loader.positions,
        "labels": predictions.labels,
        "groups": predictions.groups,
        "owner": predictions.owner,
        **({} if slices is None else slices.arrays()),
    }
    if predictions.gallery is not None:
        arrays |= {"gallery/positions": predictions.gallery.positions, "gallery/owner": predictions.gallery.owner}
    arrays |= {} if predictions.answers is None else predictions.answers.arrays()
    arrays |= {f"thresholds/{key}": np.array(value) for key, value in predictions.thresholds.items()}
    if predictions.logits is not None:
        arrays["logits"] = predictions.logits
    if predictions.retrieval and predictions.unranked is None:
        for direction, ranks in predictions.ranks.items():
            for part in ("above", "tied", "tied_relevant", "relevant"):
                arrays[f"{direction}/{part}"] = getattr(ranks, part)
    with replacing(file) as partial:
        np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
