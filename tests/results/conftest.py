"""Finished runs of a small experiment with their board."""

from __future__ import annotations

from pathlib import Path

import pytest
from swept import sweep_in

CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32}
BASE = {"system": "vse", "dim": 16, "image_encoder": CNN, "head": {"name": "mlp", "hidden": 16}}


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``home``, ``runs`` and ``board``; experiment ``tiny`` with two rows, one with two seeds.

    Tests copy what they change.
    """
    folder = tmp_path_factory.mktemp("results")
    lstm = {"name": "lstm", "dim_word": 8, "dim_hidden": 8}
    plain = {
        "experiment": "tiny",
        "dataset": {"name": "mmfrb", "edition": "single", "items": 60, "image_size": 32},
        "metrics": ["accuracy", "nll", "recall@{1,5}", "map"],
        "seeds": [0, 1],
        "train": {"epochs": 1, "batch_size": 16, "optimizer": {"name": "adamw", "lr": 2e-3}},
        "systems": {"both": {**BASE, "text_encoder": lstm}, "image only": {**BASE, "text_encoder": "none"}},
    }
    sweep_in(folder, plain)
    return folder
