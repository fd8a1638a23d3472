"""``weights: pretrain``: an image encoder trained as a classifier on the training split, once, and kept.

For machines without pretrained weights. The encoder with mean pooling and a linear head is a system like any other,
trained by the same loop; validation chooses the epoch; the test split is never opened. All runs of all sweeps with
the same encoder options on the same dataset share the file.

The file's name is a digest of all that its numbers depend on; the file has the digest of its content; and a run records
which weights it had. On a processor one thread trains, so that the weights are those of any other machine.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vsebench.config.code_files import code_digest
from vsebench.config.identity import PRETRAIN_VERSION
from vsebench.config.resolve import resolve
from vsebench.config.schema import ENCODER_SLOTS, Spec, System
from vsebench.core.digests import digest
from vsebench.core.errors import DataError, Place
from vsebench.core.files import DAMAGED, locked, make_folder, require_writable, set_aside, write_atomically
from vsebench.core.home import pretrained_home
from vsebench.data.dataset import Dataset
from vsebench.engine.circumstances import circumstances
from vsebench.engine.evaluate import predict
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.train import fit, seed_of
from vsebench.ops.process_state import fixed_state
from vsebench.ops.weights import load_weights, save_weights, state_digest

SEED = 0
#: Which weights a run had, in its folder.
RECORD = "pretrained.json"
#: Options that only say what is trained afterwards: encoders that differ in them share their weights.
_LATER = ("finetune", "stages", "freeze_norm", "flip", "precision")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pretrained:
    """Weights of an encoder, trained here.

    Args:
        file: in safetensors.
        content: digest of the weights themselves.
        made_from: digest of what was asked for: the encoder's options and the dataset. Equal for runs whose weights
            should be the same.
        circumstances: what else the numbers depend on: device, code, versions.
    """

    file: Path
    content: str
    made_from: str
    circumstances: Mapping[str, Any]


def needed(system: System) -> list[str]:
    """Return the slots whose weights are to be trained first."""
    slots = [ENCODER_SLOTS[m] for m in system.modalities]
    return [s for s in slots if getattr(system, s).options.get("weights") == "pretrain"]


def ensure(
    system: System,
    dataset: Dataset,
    *,
    device: torch.device,
    on_epoch: Callable[[str], None] = lambda _: None,
) -> dict[str, Pretrained]:
    """Return the weights that a system needs, trained now if they are missing or damaged.

    Returns: slot -> the encoder's weights.
    """
    return {slot: _ensure(slot, getattr(system, slot), dataset, device, on_epoch) for slot in needed(system)}


def _ensure(
    slot: str, spec: Spec, dataset: Dataset, device: torch.device, on_epoch: Callable[[str], None]
) -> Pretrained:
    system = _system(slot, spec)
    source = made_from(spec, dataset.fingerprint)
    with _state(device):
        made_under = circumstances(device, code_digest(system, "vsebench.engine.pretrain"))
    file = pretrained_home() / f"{spec.name}-{digest([source, made_under])}.safetensors"
    content = _content(file)
    if content is None:
        make_folder(file.parent)
        with locked(file):
            content = _content(file)
            if content is None:
                require_writable(file)
                content = _train(slot, system, dataset, file, device, on_epoch)
    return Pretrained(file, content, source, made_under)


def made_from(spec: Spec, fingerprint: str) -> str:
    """Return the digest of what weights are made from: the encoder's options and the dataset."""
    return digest(
        {
            "version": PRETRAIN_VERSION,
            "seed": SEED,
            "encoder": spec.name,
            "options": {k: v for k, v in spec.options.items() if k not in _LATER},
            "dataset": fingerprint,
        }
    )


def _content(file: Path) -> str | None:
    """Digest of the weights in a file; None where there are none. What is damaged, or other weights, is set aside."""
    if not file.is_file():
        return None
    try:
        return state_digest(load_weights(file, owner=file.stem))
    except DataError as error:
        set_aside(file)
        log.warning("%s It is set aside as %s, and trained again.", error, file.name + DAMAGED)
        return None


def write_record(folder: Path, weights: Mapping[str, Pretrained]) -> None:
    """Record in a run's folder which weights it had; nothing for a run that had none."""
    if not weights:
        return
    plain = {
        slot: {
            "file": one.file.name,
            "sha256": one.content,
            "made_from": one.made_from,
            "circumstances": dict(one.circumstances),
        }
        for slot, one in weights.items()
    }
    write_atomically(folder / RECORD, json.dumps(plain, indent=1))


def read_record(folder: Path) -> dict[str, Any]:
    """Return which weights a run had: slot -> ``file``, ``sha256``, ``made_from``, ``circumstances``; empty where it
    had none, or was made before this was recorded.

    Raises: DataError for a damaged record.
    """
    file = folder / RECORD
    if not file.is_file():
        return {}
    try:
        plain: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        for one in plain.values():
            if not all(isinstance(one[key], str) for key in ("file", "sha256", "made_from")):
                raise TypeError("a field is no text")
            if Path(one["file"]).name != one["file"]:
                raise ValueError("a file's name leads elsewhere")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(f"not a whole record of pretrained weights ({error}).", place=Place(str(file))) from None
    return plain


def _system(slot: str, spec: Spec) -> System:
    """Build the classifier that an encoder is trained in."""
    options = spec.options
    return resolve(
        {
            slot: {"name": spec.name, **options, "finetune": "all", "freeze_norm": False},
            "projection": "none",
            "head": "linear",
            "objective": {"name": "cross_entropy", "label_smoothing": 0.1},
            "train": {
                "epochs": options["pretrain_epochs"],
                "batch_size": options["pretrain_batch_size"],
                "optimizer": {"name": "adamw", "lr": options["pretrain_lr"], "weight_decay": 0.05},
                "warmup_epochs": min(2.0, options["pretrain_epochs"] / 4),
                "augment": "flip_shift",
                "grad_clip": 1.0,
            },
        }
    )


def _train(
    slot: str,
    system: System,
    dataset: Dataset,
    file: Path,
    device: torch.device,
    on_epoch: Callable[[str], None],
) -> str:
    """Train an encoder and keep it. Returns the digest of its weights."""
    with _state(device):
        encoder = _trained(slot, system, dataset, device, on_epoch)
        return save_weights(file, encoder.backbone_state(), owner=file.stem)


def _state(device: torch.device) -> AbstractContextManager[None]:
    """Set the same circumstances whatever the run: one thread on a processor, deterministic algorithms."""
    threads = 1 if device.type == "cpu" else None
    return fixed_state(
        seed=seed_of("pretrain", SEED), deterministic=True, warn_only=device.type == "cuda", threads=threads
    )


def _trained(slot: str, system: System, dataset: Dataset, device: torch.device, on_epoch: Callable[[str], None]) -> Any:
    spec: Spec = getattr(system, slot)
    torch.manual_seed(seed_of("pretrain", SEED))
    model = Model(system, num_classes=dataset.num_classes, multi_label=dataset.multi_label).to(device)
    loaders = {split: Loader(dataset, split, system, model.encoders) for split in ("train", "val")}

    def validation_scorer(model: Model, loader: Loader) -> tuple[float, dict[str, float]]:
        outputs = predict(model, loader, device=device, embeddings=False)
        assert outputs.logits is not None, "a classifier is what is trained here"
        logits = torch.from_numpy(outputs.logits)
        if dataset.multi_label:
            loss = float(torch.nn.functional.binary_cross_entropy_with_logits(logits, loader.labels))
            return -loss, {"val/loss": loss}
        # Ties in accuracy go to the lower loss, so that a longer training is not cut at its first lucky epoch.
        loss = float(torch.nn.functional.cross_entropy(logits, loader.labels))
        accuracy = float(np.mean(outputs.logits.argmax(1) == loader.labels.numpy()))
        return accuracy - 1e-3 * loss, {"val/accuracy": accuracy, "val/loss": loss}

    def tell(numbers: dict[str, float]) -> None:
        key = "loss" if dataset.multi_label else "accuracy"
        on_epoch(
            f"pretrain {spec.name} {spec.options.get('model', '')}: "
            f"epoch {numbers['epoch']:.0f}/{system.train.epochs}, val {key} {numbers[f'val/{key}']:.3f}"
        )

    fit(
        model,
        loaders["train"],
        loaders["val"],
        seed=SEED,
        validation_scorer=validation_scorer,
        device=device,
        on_epoch=tell,
    )
    return model.encoders[slot.removesuffix("_encoder")]
