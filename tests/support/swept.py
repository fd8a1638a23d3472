"""A sweep of a small experiment for tests, in a home of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
import yaml

from vsebench.config.experiment import load_experiment
from vsebench.data.open import open_dataset
from vsebench.pipeline import sweep
from vsebench.sweeps.worker import Settings


def sweep_in(folder: Path, plain: dict[str, Any]) -> None:
    """Do all runs of an experiment; they lie in ``runs``. What the caller's environment says is left as it was."""
    file = folder / f"{plain['experiment']}.yaml"
    file.write_text(yaml.safe_dump(plain, sort_keys=False))
    torch.set_num_threads(1)
    before = {name: os.environ.get(name) for name in ("VSEBENCH_HOME", "WANDB_MODE")}
    os.environ |= {"VSEBENCH_HOME": str(folder / "home"), "WANDB_MODE": "offline"}
    try:
        experiment = load_experiment(file)
        dataset = open_dataset(experiment.spec.dataset)
        told = Settings(store_root=folder / "runs", dataset_path=dataset.path, device="cpu", wandb_mode="disabled")
        outcome = sweep(experiment, dataset, settings=told, workers=0, board_folder=folder / "board", command="sweep")
        assert not outcome.failed, [r.error for r in outcome.failed]
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
