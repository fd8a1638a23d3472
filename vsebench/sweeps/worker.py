"""What the workers of every executor share: what they are told, what they say, and one run from claim to result."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vsebench.core.types import Result
from vsebench.runs.store import Store
from vsebench.runs.tracking import NullTracker, Tracker, WandbTracker, wandb_id
from vsebench.runs.wandb_options import Wandb
from vsebench.sweeps.plan import Run

if TYPE_CHECKING:
    from vsebench.data.dataset import Dataset


@dataclass(frozen=True)
class Settings:
    """What every worker is told. Plain data.

    Args:
        store_root: folder of all runs.
        dataset_path: the dataset file.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        threads: of each worker, or of each process of a run that several do together.
        processes: that do one run together.
        wandb: what goes to W&B, and where.
        cache: keep frozen features on disk.
        plugins: files that register components, besides those that the experiment names.
    """

    store_root: Path
    dataset_path: Path
    device: str = "auto"
    threads: int = 1
    processes: int = 1
    wandb: Wandb = field(default_factory=Wandb)
    cache: bool = True
    plugins: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Event:
    """What a worker tells, and what is told of it.

    Args:
        kind: a run began, got on, or ended; its process was lost (``crash``); there is something to say (``note``);
            nothing is left for the worker (``over``); it cannot go on, and no other could (``halt``).
        status: of the run; of ``halt`` the name of the error.
    """

    kind: Literal["start", "progress", "end", "crash", "note", "over", "halt"]
    worker: int
    run_id: str = ""
    text: str = ""
    status: str = ""


#: Does runs and returns when each has a result in the store.
Execute = Callable[[Sequence[Run], Settings, Callable[[Event], None]], None]


def prepare(threads: int) -> None:
    """Give this process its number of threads, before anything is computed."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch

    torch.set_num_threads(threads)


def is_done(store: Store, run: Run) -> bool:
    """Return whether the store has a result of a run, whatever its status."""
    return store.read(run.run_id) is not None


def plugins_of(runs: Sequence[Run], settings: Settings) -> list[Path]:
    """Load the plug-ins of a worker before it begins, each once."""
    return list(dict.fromkeys([*(p for run in runs[:1] for p in run.plugins), *settings.plugins]))


def closing_line(result: Result) -> str:
    """Format the line that ends a run: its accuracies, or the last line of its error."""
    if result.error is not None:
        return result.error.strip().split("\n")[-1]
    if result.status == "pruned":
        return " · ".join([f"pruned at epoch {result.epochs}", *(f"{k} {v:.3f}" for k, v in result.metrics.items())])
    shown = [f"{k} {v:.3f}" for k, v in result.metrics.items() if k in ("val/accuracy", "test/accuracy")]
    return " · ".join(shown) or "finished"


def choose_device(wanted: str, worker: int) -> Any:
    """Return a torch device; ``auto`` gives each worker its own GPU where there are GPUs."""
    import torch

    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", worker % torch.cuda.device_count())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    return torch.device(wanted)


def make_tracker(run: Run, dataset: Dataset, store: Store, settings: Settings) -> Tracker:
    """Return the run's W&B run, or none."""
    from vsebench.sweeps.tracking_config import filed_config, filed_tags

    if settings.wandb.mode == "disabled":
        return NullTracker()
    return WandbTracker(
        settings.wandb,
        folder=store.folder,
        group=run.experiment,
        name=run.title,
        run_id=wandb_id(run.experiment, run.run_id),
        config={**filed_config(run), "fingerprint": dataset.fingerprint},
        tags=filed_tags(run),
        best=(run.select_metric, run.select_mode),
        files=store.run_folder(run.run_id),
        label_names=dataset.label_names,
    )
