"""Plans and results without any training, for tests of what is told of a sweep."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from vsebench.config.resolve import resolve
from vsebench.core.types import Result
from vsebench.runs.store import Store
from vsebench.sweeps.plan import Plan, Run, Status

DATA = {"name": "d", "title": "Data", "fingerprint": "f1", "splits": {"train": 100, "val": 10, "test": 10}}


def run(name: str, seed: int = 0, status: Status = "waiting", fusion: str = "concat", **train: Any) -> Run:
    encoders = {
        "image_encoder": {"name": "timm_cnn", "model": "test_resnet", "weights": "none"},
        "text_encoder": "lstm",
    }
    system = resolve({**encoders, "fusion": fusion, "train": {"epochs": 10, **train}})
    return Run(
        f"{name}{seed}", "e", name, "systems", system, seed, ("accuracy",), "val/accuracy", "max", "d", status=status
    )


def plan(*runs: Run, data: Any = DATA) -> Plan:
    experiment: Any = SimpleNamespace(name="e")
    return Plan(experiment, runs, data)


def record(root: Path, of: Run, *, value: float = 0.5, data: Any = DATA, **parts: Any) -> Result:
    """A finished result of a run in its store, with a folder of 1,000 bytes beside it."""
    message: dict[str, Any] = {
        "run_id": of.run_id,
        "experiment": of.experiment,
        "system": of.name,
        "seed": of.seed,
        "status": "finished",
        "config": of.system.model_dump(mode="json"),
        "dataset": data,
        "metrics": {"val/accuracy": value},
        "train_s": 20.0,
        "other_s": 3.0,
        "epochs": 10,
        "best_epoch": 10,
        "hardware": {"device": "cpu"},
    }
    result = Result(**{**message, **parts})
    store = Store(root, of.experiment)
    store.write(result)
    (store.run_folder(of.run_id) / "model.safetensors").write_bytes(b"x" * 1_000)
    return result
