"""What each process of a test of parallel training runs; a module of its own, so that spawned ones can import it."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vsebench.config.resolve import resolve
from vsebench.data.dataset import Dataset
from vsebench.distributed.gradient_sharing import ProcessGroup, TorchProcessGroup
from vsebench.distributed.sync_batch_norm import OverAllProcesses
from vsebench.engine.evaluate import predict
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.train import fit
from vsebench.sweeps.prepare import vocabulary_of

CPU = torch.device("cpu")
BASE: dict[str, Any] = {
    "dim": 8,
    "image_encoder": "features",
    "text_encoder": {"name": "lstm", "dim_word": 4, "dim_hidden": 4},
    "head": {"name": "mlp", "hidden": 8},
    # 36 items: a last batch of 3, so that the shares of both kinds of batches differ.
    "train": {"epochs": 3, "batch_size": 11, "eval_batch_size": 5, "optimizer": {"name": "sgd", "lr": 0.05}},
}
ADAM = {**BASE["train"], "grad_clip": 0.5, "optimizer": {"name": "adamw", "lr": 1e-2, "weight_decay": 0.5}}
OBJECTIVES: dict[str, Any] = {
    "cross_entropy": "cross_entropy",
    "info_nce": "info_nce",
    "hardest negative": {"name": "triplet", "negatives": "max"},
    "random negative": {"name": "triplet", "negatives": "random"},
    "supcon": "supcon",
    "sampled sum": {"name": "dan_ranking", "samples": 2, "reduction": "sum"},
    "own classifier": {"name": "modality_cross_entropy", "modality": "text"},
    "three": ["cross_entropy", {"name": "siglip", "weight": 0.5}, {"name": "cosine_alignment"}],
}
SYSTEMS: dict[str, Any] = {
    **{name: {**BASE, "objective": objective} for name, objective in OBJECTIVES.items()},
    "clipped adamw": {**BASE, "objective": ["info_nce", "cross_entropy"], "train": ADAM},
    "unused projection": {**BASE, "attention": "inter", "train": ADAM},
    "observing head": {**BASE, "head": {"name": "prototype_matching", "hidden": 8, "momentum": 0.5}},
    "hybrid head": {
        **BASE,
        "head": {"name": "hybrid", "hidden": 8},
        "objective": ["cross_entropy", "part_cross_entropy"],
    },
    "bf16": {**BASE, "objective": ["info_nce", "cross_entropy"], "train": {**BASE["train"], "precision": "bf16"}},
    "bucketed": {**BASE, "train": {**BASE["train"], "bucket_batches": 2}},
    "image alone": {**BASE, "text_encoder": "none"},
}
DROPPING = {**BASE, "dropout": 0.5}
#: A last batch of 2: fewer items than three processes.
SMALL = {**BASE, "objective": ["info_nce", "cross_entropy"], "train": {**BASE["train"], "batch_size": 17}}


class Rows:
    """Rows that evaluation asked of a feed, in order, with the captions that it took."""

    def __init__(self, loader: Loader) -> None:
        self.requested: list[tuple[int, int]] = []
        self.loader, self.batch = loader, loader.batch
        loader.batch = self  # type: ignore[assignment, method-assign]

    def __call__(self, rows: np.ndarray, captions: np.ndarray | None = None) -> Any:
        taken = np.zeros(len(rows), np.int64) if captions is None else captions
        self.requested += zip(rows.tolist(), taken.tolist(), strict=True)
        return self.batch(rows, captions)


def train(
    file: Path, system_plain: Mapping[str, Any], process_group: ProcessGroup, says: float = 0.0
) -> dict[str, Any]:
    """Train and evaluate; ``says`` is added to what this process's judge says."""
    torch.manual_seed(0)
    dataset, system = Dataset.open(file), resolve(dict(system_plain))
    model = Model(
        system,
        num_classes=dataset.num_classes,
        vocabulary=vocabulary_of(dataset) if "text" in system.modalities else None,
        feature_dims=dataset.feature_dims,
    )
    if not process_group.is_main_process:
        with torch.no_grad():  # the first process's parameters count
            model.projection["image"].weight.add_(1.0)
    loaders = {s: Loader(dataset, s, system, model.encoders, cache=False) for s in ("train", "val", "test")}
    message: list[float] = []

    def judge(model: Model, loader: Loader) -> tuple[float, dict[str, float]]:
        mean = float(predict(model, loader, device=CPU, process_group=process_group).logits.std())
        return mean + says, {"val/spread": mean}

    progress = fit(
        model,
        loaders["train"],
        loaders["val"],
        seed=0,
        validation_scorer=judge,
        device=CPU,
        on_epoch=lambda numbers: message.append(numbers["epoch"]),
        process_group=process_group,
    )
    watched = Rows(loaders["test"])
    outputs = predict(model, loaders["test"], device=CPU, process_group=process_group)
    return {
        "history": progress.history,
        "best": progress.best,
        "told": message,
        "state": {name: value.clone() for name, value in model.state_dict().items()},
        "asked": watched.requested,
        "outputs": {"logits": outputs.logits, "owner": outputs.owner, **outputs.embeddings},
    }


def run(number: int, size: int, folder: str, file: str, small: bool) -> None:
    """One process; writes what it found for each system."""
    torch.set_num_threads(1)
    process_group = TorchProcessGroup(number, size, Path(folder) / "meeting", cpu=True)
    systems = {"small": SMALL} if small else SYSTEMS
    result: dict[str, Any] = {name: train(Path(file), system, process_group) for name, system in systems.items()}
    if not small:
        result["dropping"] = train(Path(file), DROPPING, process_group)
        result["draws"] = draws(process_group)
        result["disagreeing"] = train(Path(file), BASE, process_group, says=float(number))
        result["norm"] = norm(*halves(number, size), add=process_group.add)
    torch.save(result, Path(folder) / f"{number}.pt")
    assert "accelerate" in sys.modules
    process_group.gather([0])  # nobody leaves while another still talks
    sys.stdout.flush()
    os._exit(0)  # as the processes of a run end: PyTorch 2.14 sometimes aborts in destroy_process_group


def draws(process_group: ProcessGroup) -> list[float]:
    """What a process draws at work, and what after it."""
    torch.manual_seed(random.Random(3).getrandbits(32))
    with process_group.batch_shard(4, seed=7).at_work():
        inside = float(torch.rand(()))
    return [inside, float(torch.rand(()))]


def halves(number: int, size: int) -> tuple[Tensor, Tensor]:
    """This process's part of some images and of what they are weighed with; the parts differ in size."""
    generator = torch.Generator().manual_seed(1)
    images = 3 + torch.randn(7, 3, 4, 2, generator=generator, dtype=torch.float64)
    weights = torch.randn(7, 3, 4, 2, generator=generator, dtype=torch.float64)
    rows = slice(number * 7 // size, (number + 1) * 7 // size)
    return images[rows], weights[rows]


def norm(images: Tensor, weights: Tensor, add: Any = None) -> dict[str, Tensor]:
    """Values, gradients and running statistics of two layers of batch normalisation, the second without parameters."""
    torch.manual_seed(2)
    first, second = nn.BatchNorm2d(3).double(), nn.BatchNorm2d(3, affine=False, momentum=None).double()
    with torch.no_grad():
        first.weight.copy_(torch.randn(3))
        first.bias.copy_(torch.randn(3))
    images = images.clone().requires_grad_()

    def forward() -> Tensor:
        result: Tensor = second(first(images).square())
        return result

    if add is None:
        results = forward()
    else:
        with OverAllProcesses(add):
            results = forward()
    (results * weights).sum().backward()
    states = {"first": first.state_dict(), "second": second.state_dict()}
    statistics = {f"{layer} {name}": value for layer, state in states.items() for name, value in state.items()}
    assert images.grad is not None
    return {
        "values": results.detach(),
        "images": images.grad,
        "w": first.weight.grad,
        "b": first.bias.grad,
        **statistics,
    }  # type: ignore[dict-item]
