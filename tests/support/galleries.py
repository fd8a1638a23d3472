"""A small run on the embedded dataset and galleries made with it, for tests; one of each per process."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from swept import sweep_in

from vsebench.retrieval.build import embed_split, make_collection
from vsebench.runs.find import find_run
from vsebench.runs.load import LoadedRun, load_run

CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32}
BASE: dict[str, Any] = {"system": "vse", "dim": 16, "image_encoder": CNN, "head": {"name": "mlp", "hidden": 16}}
LSTM = {"name": "lstm", "dim_word": 8, "dim_hidden": 8}
SYSTEMS: dict[str, Any] = {
    "both": {**BASE, "text_encoder": LSTM},
    "pretrained": {
        **BASE,
        "text_encoder": LSTM,
        "image_encoder": {**CNN, "weights": "pretrain", "pretrain_epochs": 1},
    },
    "image only": {**BASE, "text_encoder": "none"},
    "crossed": {**BASE, "text_encoder": LSTM, "attention": {"name": "inter"}},
    "again": {
        **BASE,
        "text_encoder": LSTM,
        "scorer": "scan",
        "rerank_top": 3,
        "objective": ["cross_entropy", {"name": "info_nce", "on": "embeddings"}, {"name": "triplet"}],
    },
}


@cache
def home() -> Path:
    """A folder that holds the runs and the dataset; what the caller's environment says is left as it was."""
    folder = Path(tempfile.mkdtemp(prefix="galleries-"))
    plain = {
        "experiment": "tiny",
        "dataset": {"name": "mmfrb", "edition": "single", "items": 60, "image_size": 32},
        "metrics": ["accuracy", "recall@{1,5}"],
        "seeds": [0, 1],
        "train": {"epochs": 1, "batch_size": 16, "optimizer": {"name": "adamw", "lr": 2e-3}},
        "systems": SYSTEMS,
    }
    sweep_in(folder, plain)
    return folder


def runs() -> Path:
    """Folder of the runs."""
    return home() / "runs"


def run_of(row: str) -> LoadedRun:
    """The best run of a row, loaded."""
    return load_run(find_run(f"tiny/{row}", runs()))


def gallery(modality: str = "image", index: str = "flat", row: str = "both") -> Path:
    """A gallery of the test split."""
    folder = home() / f"{modality}-{index}-{row}"
    if folder.exists():
        return folder
    run = run_of(row)
    make_collection(run, embed_split(run, "test", modality), modality, folder, index=index)
    return folder
