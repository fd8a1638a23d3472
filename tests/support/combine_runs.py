"""Finished runs that rank the same captions in every way, for combining them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from vsebench.config.experiment import load_experiment
from vsebench.data.item import Item
from vsebench.data.open import open_dataset
from vsebench.data.writer import DatasetWriter
from vsebench.pipeline import sweep_to_board
from vsebench.sweeps.worker import Settings

CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 64}
GRU = {"name": "gru", "dim_word": 8, "dim_hidden": 8}
BASE: dict[str, Any] = {"dim": 8, "image_encoder": CNN, "text_encoder": GRU, "fusion": "none", "head": "none"}
SYSTEMS: dict[str, Any] = {
    "words": {**BASE, "text_encoder": {"name": "mean_words", "dim_word": 8, "max_length": 4}, "objective": "info_nce"},
    "gru": {**BASE, "objective": "info_nce"},
    "scan": {**BASE, "scorer": "scan", "objective": "triplet"},
    "again": {
        **BASE,
        "scorer": {"name": "scan", "direction": "i2t"},
        "rerank_top": 4,
        "objective": [{"name": "info_nce", "on": "embeddings"}, {"name": "triplet", "on": "scores"}],
    },
}


WORDS = ("a", "red", "green", "blue", "thing", "very", "small", "round", "old", "with", "dots", "here")


def write_dataset(file: Path, *, seed: int = 0) -> None:
    """32 pictures of three classes with one to three captions of different lengths."""
    rng = np.random.default_rng(seed)
    colours = ("red", "green", "blue")
    shares = {"train": 0.5, "val": 0.25, "test": 0.25}
    with DatasetWriter(file, name="pairs", title="Pairs", fractions=shares, relevance="item") as out:
        for i in range(32):
            pixels = rng.integers(0, 80, (32, 32, 3), dtype=np.uint8)
            pixels[:, :, i % 3] += 150
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            # Words of one list: texts that differ in unknown words alone would be tied, up to rounding.
            texts = tuple(" ".join(rng.choice(WORDS, rng.integers(3, 9))) for _ in range(1 + i % 3))
            slices = {"half": ("first", "second")[i // 16]}
            out.add(Item(f"item-{i}", buffer.getvalue(), texts, colours[i % 3], slices=slices))


def experiment_of(folder: Path, dataset: Path, name: str = "pairs", **changes: Any) -> Path:
    file = folder / f"{name}.yaml"
    plain = {
        "experiment": name,
        "dataset": str(dataset),
        "metrics": ["recall@{1,5}", "median_rank", "rsum", "map"],
        "select": {"metric": "val/i2t/recall@5"},
        "seeds": [0, 1],
        "train": {"epochs": 1, "batch_size": 8, "eval_batch_size": 5, "optimizer": {"name": "adamw", "lr": 1e-3}},
        "systems": SYSTEMS,
        **changes,
    }
    file.write_text(yaml.safe_dump(plain, sort_keys=False))
    return file


def do(file: Path, folder: Path) -> None:
    experiment = load_experiment(file)
    dataset = open_dataset(experiment.spec.dataset)
    message = Settings(store_root=folder / "runs", dataset_path=dataset.path, device="cpu")
    outcome = sweep_to_board(
        experiment, dataset, settings=message, workers=0, board_folder=folder / "board", command="sweep"
    )
    assert not outcome.failed, [r.error for r in outcome.failed]
