"""A dataset of pictures with several captions each, and finished runs of systems that attend in every way."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from vsebench.config.experiment import load_experiment
from vsebench.data.item import Item
from vsebench.data.open import open_dataset
from vsebench.data.writer import DatasetWriter
from vsebench.load import LoadedRun, find_run, load_run
from vsebench.sweep.run import sweep
from vsebench.sweep.worker import Settings

CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 96}  # a grid of 3 x 3
VIT = {"name": "timm_vit", "model": "test_vit", "weights": "none", "image_size": 64, "finetune": "none"}
GRU = {"name": "gru", "dim_word": 8, "dim_hidden": 8}
CLS = {
    "name": "bert",
    "weights": "none",
    "finetune": "all",
    "config": {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
}
BASE: dict[str, Any] = {"system": "vse", "dim": 8, "image_encoder": CNN, "text_encoder": GRU}
RANKED = {**BASE, "fusion": "none", "head": "none", "objective": [{"name": "info_nce"}]}
PAIRS = {**RANKED, "objective": [{"name": "triplet", "on": "scores"}]}
SYSTEMS: dict[str, Any] = {
    "plain": {**BASE, "head": {"name": "mlp", "hidden": 8}},
    "cross": {**BASE, "attention": {"name": "cross", "project": True, "heads": 2}, "image_encoder": VIT},
    "intra": {**BASE, "attention": {"name": "intra", "heads": 2}, "text_encoder": CLS},
    "inter": {**BASE, "attention": {"name": "inter", "iterations": 2}},
    "dan_m": {**RANKED, "attention": {"name": "dan_m", "hidden": 8}, "pooling": "mean", "projection": "none"},
    "co_attention": {**BASE, "attention": {"name": "co_attention", "heads": 2}},
    "memory": {**RANKED, "attention": {"name": "self_memory", "heads": 2}},
    "t2i": {**PAIRS, "scorer": {"name": "scan"}},
    "i2t": {**PAIRS, "scorer": {"name": "scan", "direction": "i2t"}},
    "again": {
        **RANKED,
        "attention": {"name": "self", "heads": 2},
        "scorer": "cross",
        "rerank_top": 4,
        "objective": [{"name": "info_nce", "on": "embeddings"}, {"name": "triplet", "on": "scores"}],
    },
}


def write_dataset(file: Path) -> None:
    """48 pictures in 3 classes, one to three captions each; two items of each group show the same thing."""
    rng = np.random.default_rng(0)
    words = ("red", "green", "blue")
    shares = {"train": 0.5, "val": 0.25, "test": 0.25}
    with DatasetWriter(file, name="looks", title="Looks", fractions=shares, relevance="group") as out:
        for i in range(48):
            pixels = rng.integers(0, 80, (32, 48, 3), dtype=np.uint8)
            pixels[:, :, i % 3] += 150
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            texts = (f"a {words[i % 3]} <b>thing</b> & more", f"{words[i % 3]} number{i}", "one more")[: 1 + i % 3]
            item = Item(f"item-{i}", buffer.getvalue(), texts, words[i % 3], group=f"g{i // 6 * 3 + i % 3}")
            out.add(item)


@pytest.fixture(scope="session")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LoadedRun]:
    """The run of a row, loaded; all are trained when the first is asked for."""
    folder = tmp_path_factory.mktemp("looks")
    write_dataset(folder / "looks.h5")
    plain = {
        "experiment": "looks",
        "dataset": str(folder / "looks.h5"),
        "metrics": ["recall@{1,5}", "median_rank"],
        "select": {"metric": "val/i2t/recall@5"},
        "train": {"epochs": 1, "batch_size": 8, "eval_batch_size": 5, "optimizer": {"name": "adamw", "lr": 1e-3}},
        "systems": SYSTEMS,
    }
    (folder / "looks.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))
    torch.set_num_threads(1)
    before = {name: os.environ.get(name) for name in ("VSEBENCH_HOME", "WANDB_MODE")}
    os.environ |= {"VSEBENCH_HOME": str(folder / "home"), "WANDB_MODE": "offline"}
    try:
        experiment = load_experiment(folder / "looks.yaml")
        dataset = open_dataset(experiment.spec.dataset)
        told = Settings(store_root=folder / "runs", dataset_path=dataset.path, device="cpu", wandb_mode="disabled")
        outcome = sweep(experiment, dataset, settings=told, workers=1, board_folder=folder / "board", command="sweep")
        assert not outcome.failed, [r.error for r in outcome.failed]
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    return cache(lambda row: load_run(find_run(f"looks/{row}", folder / "runs")))
