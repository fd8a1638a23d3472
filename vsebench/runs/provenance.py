"""What is written of a run besides its numbers: what it is, and where and with what it was computed."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import vsebench
from vsebench.config import document
from vsebench.config.code_files import code_digest
from vsebench.core.files import write_atomically
from vsebench.core.types import Result
from vsebench.data.dataset import Dataset

if TYPE_CHECKING:
    from vsebench.sweeps.plan import Run


def write_run_file(file: Path, run: Run, dataset: Dataset, hub: Mapping[str, Mapping[str, str]] | None = None) -> None:
    """Say what a run is: its resolved system, data, plug-ins, and the commits of the models that the hub gave."""
    plain = {
        "run_id": run.run_id,
        "experiment": run.experiment,
        "row": run.name,
        "seed": run.seed,
        "metrics": list(run.metrics),
        "select": {"metric": run.select_metric, "mode": run.select_mode},
        "gallery": run.gallery,
        "dataset": {"spec": run.dataset, "path": str(dataset.path), "fingerprint": dataset.fingerprint},
        "code": code_digest(run.system),
        "plugins": [str(p) for p in run.plugins],
        **({"hub": {slot: dict(origin) for slot, origin in hub.items()}} if hub else {}),
        "system": run.system.model_dump(mode="json"),
    }
    write_atomically(file, document.dump(plain))


def result_of(run: Run, dataset: Dataset, status: str, **parts: Any) -> Result:
    """Add to a result its provenance: the run, the data and the machine."""
    parts.setdefault("hardware", hardware())
    return Result(
        run_id=run.run_id,
        experiment=run.experiment,
        system=run.name,
        seed=run.seed,
        status=status,
        config=run.system.model_dump(mode="json"),
        dataset=dataset.describe(),
        versions=library_versions(),
        commit=commit(),
        code=code_digest(run.system),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        **parts,
    )


@cache
def library_versions() -> dict[str, str]:
    """Versions of what the numbers come from."""
    results = {"vsebench": vsebench.__version__, "python": platform.python_version()}
    for name in ("torch", "torchvision", "timm", "transformers", "torchmetrics", "numpy"):
        try:
            results[name] = version(name)
        except PackageNotFoundError:
            continue
    return results


@cache
def hardware() -> dict[str, Any]:
    """Return the GPU or kind of processor, the number of threads that a run has, the processor's name and its cores."""
    return {
        "device": device_name(),
        "threads": torch.get_num_threads(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
    }


def processor_name() -> str:
    """Return the processor's name in the system's words, ``Intel(R) Xeon(R) ...``; its kind where that is not known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (" ".join(line.partition(":")[2].split()) for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def device_name() -> str:
    """Return the first GPU, or the kind of processor."""
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else platform.machine()


@cache
def commit() -> str | None:
    """Return the commit of the working copy that vsebench runs from, if it does."""
    root = Path(vsebench.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    completed = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=root, capture_output=True, text=True)
    return completed.stdout.strip() or None
