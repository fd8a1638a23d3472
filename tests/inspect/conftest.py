"""A dataset of pictures with several captions each, and finished runs of systems that attend in every way."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from swept import sweep_in

from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter
from vsebench.runs.find import find_run
from vsebench.runs.load import LoadedRun, load_run

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
    "dan_r": {**BASE, "fusion": {"name": "dan_r", "hidden": 8}},
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
    sweep_in(folder, plain)
    return cache(lambda row: load_run(find_run(f"looks/{row}", folder / "runs")))
