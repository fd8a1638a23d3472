"""Where a training stands, on disk: written whole, and believed only when it is whole and this training's."""

from __future__ import annotations

import contextlib
import copy
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import Tensor, nn

from vsebench.core.digests import digest
from vsebench.core.files import DAMAGED, is_sealed, replacing, sealing, set_aside
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model

CHECKPOINT = "checkpoint.pt"
log = logging.getLogger(__name__)


@dataclass
class Progress:
    """Where a training stands. All of it goes into the checkpoint."""

    epoch: int = 0  # epochs done
    best_epoch: int = 0
    best: float = -math.inf
    best_state: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the state without frozen encoders: what a run has learned."""
    frozen = tuple(f"encoders.{m}." for m in model.frozen) if isinstance(model, Model) else ()
    return {k: v for k, v in model.state_dict().items() if not (frozen and k.startswith(frozen))}


def owner_of(model: Model, loader: Loader, seed: int) -> str:
    """Digest of what a training is of: a checkpoint of another one is none of this."""
    return digest([model.system.model_dump(mode="json"), seed, loader.dataset.fingerprint, len(loader)])


@dataclass(frozen=True)
class Trained:
    """What training changes.

    Args:
        model: the system.
        objectives: the terms of its loss, in the system's order.
        optimizer: of the parameters of both.
        scaler: of the loss in half precision.
    """

    model: Model
    objectives: nn.ModuleList
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler

    def state(self) -> dict[str, dict[str, Any]]:
        """Return its state by part, without frozen encoders."""
        return {
            "model": trained_state(self.model),
            "objectives": self.objectives.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),  # a new one would begin at its initial scale and skip other steps
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take what :meth:`state` returned."""
        self.model.load_state_dict(state["model"], strict=False)
        self.objectives.load_state_dict(state["objectives"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])


def save_checkpoint(file: Path, owner: str, progress: Progress, trained: Trained) -> None:
    """Write where a training stands, whole or not at all, with the digest of its bytes.

    Raises: DiskError.
    """
    state = {"owner": owner, "progress": vars(progress), **trained.state()}
    with replacing(file) as partial, sealing(partial) as stream:
        torch.save(state, cast(IO[bytes], stream))


def resume(folder: Path | None, owner: str, trained: Trained) -> Progress:
    """Return where the training stood at its checkpoint; at its beginning where there is none, or none that can be
    used.
    """
    if folder is None or not (folder / CHECKPOINT).is_file():
        return Progress()
    file = folder / CHECKPOINT
    begin = copy.deepcopy(trained.state())
    try:
        if not is_sealed(file):
            raise ValueError("it is cut short or its bytes have changed")
        state = torch.load(file, map_location="cpu", weights_only=True)
        if state["owner"] != owner:
            raise ValueError("it is another training's")
        trained.load(state)
        return Progress(**state["progress"])
    except Exception as error:  # whatever a damaged file makes of unpickling; the run begins anew
        trained.load(begin)
        with contextlib.suppress(FileNotFoundError):  # another process of the run was quicker
            set_aside(file)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        log.warning(
            "%s cannot be used: %s. It is set aside as %s; the run begins anew.", file, reason, file.name + DAMAGED
        )
        return Progress()
