"""``weights: pretrain``: an image encoder trained as a classifier on the training split, once, and kept.

For machines without pretrained weights. The encoder with mean pooling and a linear head is a system like any other,
trained by the same loop; validation chooses the epoch; the test split is never opened. All runs of all sweeps with
the same encoder options on the same dataset share the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from safetensors.torch import save_file

from vsebench.config.identity import digest
from vsebench.config.resolve import resolve
from vsebench.config.schema import ENCODER_SLOTS, Spec, System
from vsebench.data.dataset import Dataset
from vsebench.evaluate import predict
from vsebench.feed import Feed
from vsebench.home import pretrained_home
from vsebench.model import Model
from vsebench.train import fit, seed_of

VERSION = 1
SEED = 0


def needed(system: System) -> list[str]:
    """The slots whose weights are to be trained first."""
    slots = [ENCODER_SLOTS[m] for m in system.modalities]
    return [s for s in slots if getattr(system, s).options.get("weights") == "pretrain"]


def checkpoint_file(spec: Spec, fingerprint: str) -> Path:
    """Where the weights of an encoder lie, trained on the dataset of that fingerprint.

    Options that only say what is trained afterwards share a file.
    """
    later = ("finetune", "stages", "freeze_norm", "flip", "precision")
    parts = {
        "version": VERSION,
        "seed": SEED,
        "encoder": spec.name,
        "options": {k: v for k, v in spec.options.items() if k not in later},
        "dataset": fingerprint,
    }
    return pretrained_home() / f"{spec.name}-{digest(parts)}.safetensors"


def ensure(
    system: System,
    dataset: Dataset,
    *,
    device: torch.device,
    on_epoch: Callable[[str], None] = lambda _: None,
) -> dict[str, Path]:
    """The weights that a system needs, trained now where nobody has before.

    Returns: slot -> file of the encoder's weights.
    """
    found = {}
    for slot in needed(system):
        spec = getattr(system, slot)
        file = checkpoint_file(spec, dataset.fingerprint)
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{file}.lock"):
            if not file.is_file():
                _train(slot, spec, dataset, file, device, on_epoch)
        found[slot] = file
    return found


def _train(
    slot: str, spec: Spec, dataset: Dataset, file: Path, device: torch.device, on_epoch: Callable[[str], None]
) -> None:
    options = spec.options
    system = resolve(
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
    torch.manual_seed(seed_of("pretrain", SEED))
    model = Model(system, num_classes=dataset.num_classes).to(device)
    feeds = {split: Feed(dataset, split, system, model.encoders) for split in ("train", "val")}

    def judge(model: Model, feed: Feed) -> tuple[float, dict[str, float]]:
        outputs = predict(model, feed, device=device, embeddings=False)
        assert outputs.logits is not None, "a classifier is what is trained here"
        logits = torch.from_numpy(outputs.logits)
        # Ties in accuracy go to the lower loss, so that a longer training is not cut at its first lucky epoch.
        loss = float(torch.nn.functional.cross_entropy(logits, feed.labels))
        accuracy = float(np.mean(outputs.logits.argmax(1) == feed.labels.numpy()))
        return accuracy - 1e-3 * loss, {"val/accuracy": accuracy, "val/loss": loss}

    def tell(numbers: dict[str, float]) -> None:
        on_epoch(
            f"pretrain {spec.name} {options.get('model', '')}: epoch {numbers['epoch']:.0f}/{system.train.epochs}, "
            f"val accuracy {numbers['val/accuracy']:.3f}"
        )

    partial = file.with_suffix(f".partial-{os.getpid()}")
    fit(model, feeds["train"], feeds["val"], seed=SEED, judge=judge, device=device, on_epoch=tell)
    modality = slot.removesuffix("_encoder")
    encoder: Any = model.encoders[modality]
    state = encoder.backbone_state()
    save_file({k: v.detach().cpu().contiguous() for k, v in state.items()}, partial)
    os.replace(partial, file)
