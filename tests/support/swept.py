"""A sweep of a small experiment for tests, in a home of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
import yaml

import vsebench as vb


def sweep_in(folder: Path, plain: dict[str, Any]) -> None:
    """Do all runs of an experiment; they lie in ``runs``. What the caller's environment says is left as it was."""
    file = folder / f"{plain['experiment']}.yaml"
    file.write_text(yaml.safe_dump(plain, sort_keys=False))
    torch.set_num_threads(1)
    before = {name: os.environ.get(name) for name in ("VSEBENCH_HOME", "WANDB_MODE")}
    os.environ |= {"VSEBENCH_HOME": str(folder / "home"), "WANDB_MODE": "offline"}
    try:
        vb.sweep(file, runs=folder / "runs", board=folder / "board", workers=0, device="cpu", say=lambda _: None)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
