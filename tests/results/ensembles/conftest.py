"""The runs that are combined."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from combine_runs import do, experiment_of, write_dataset


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``pairs.yaml``, its runs and its board. Tests copy what they change."""
    folder = tmp_path_factory.mktemp("combine")
    torch.set_num_threads(1)
    before = {name: os.environ.get(name) for name in ("VSEBENCH_HOME", "WANDB_MODE")}
    os.environ |= {"VSEBENCH_HOME": str(folder / "home"), "WANDB_MODE": "offline"}
    try:
        write_dataset(folder / "pairs.h5")
        do(experiment_of(folder, folder / "pairs.h5"), folder)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    return folder
