"""Where the time of a run goes, for one system of each family, on the embedded data.

    python benchmarks/profile_run.py [--items 1000] [--epochs 3]

Shares of a run's time from the first epoch to the last, one thread: making batches (with decoding, tokenising and
copying, where a family does that for each batch), forward, backward, optimiser, and what is beside them: objectives and
Python. Validation is left out. A profiler's own cost falls on Python code, so that share is an upper bound.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
from collections.abc import Mapping
from typing import Any

import torch

from vsebench.config.resolve import resolve
from vsebench.data.open import open_dataset
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.train import fit
from vsebench.sweeps.prepare import vocabulary_of

CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 64}
SMALL_BERT = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 256}
FAMILIES: dict[str, dict[str, Any]] = {
    "frozen CNN + LSTM, concat": {"image_encoder": CNN, "text_encoder": "lstm"},
    "frozen CNN + TF-IDF, concat": {"image_encoder": CNN, "text_encoder": "bow"},
    "frozen CNN + LSTM, intra-attention": {"image_encoder": CNN, "text_encoder": "lstm", "attention": "intra"},
    "last stage trained + LSTM": {"image_encoder": {**CNN, "finetune": "last"}, "text_encoder": "lstm"},
    "whole CNN trained + LSTM": {"image_encoder": {**CNN, "finetune": "all"}, "text_encoder": "lstm"},
    "frozen CNN + BERT trained": {
        "image_encoder": CNN,
        "text_encoder": {"name": "bert", "weights": "none", "config": SMALL_BERT, "finetune": "all"},
    },
    "SCAN, pairs": {
        "image_encoder": CNN,
        "text_encoder": {"name": "bigru", "dim_hidden": 256},
        "scorer": "scan",
        "head": "none",
        "fusion": "none",
        "objective": "triplet",
    },
}
#: Part -> functions whose whole time it is.
PARTS = {
    "batches": [("loader.py", "batch")],
    "forward": [("model.py", "forward")],
    "backward": [("gradient_sharing.py", "backward")],
    "optimiser": [("optimizer.py", "wrapper")],
}


def profiled(block: dict[str, Any], items: int, epochs: int) -> tuple[float, dict[str, float], int]:
    """Seconds of the training, the share of each part in it, and the number of steps."""
    torch.manual_seed(0)
    dataset = open_dataset({"name": "mmfrb", "edition": "single", "items": items})
    train = {"epochs": epochs, "batch_size": 64, "optimizer": {"name": "adamw", "lr": 1e-3}}
    system = resolve({"dim": 256, **block, "train": train})
    model = Model(system, num_classes=dataset.num_classes, vocabulary=vocabulary_of(dataset))
    loaders = {split: Loader(dataset, split, system, model.encoders) for split in ("train", "val")}

    profiler = cProfile.Profile()
    profiler.enable()
    fit(
        model,
        loaders["train"],
        loaders["val"],
        seed=0,
        validation_scorer=lambda *_: (0.0, {}),
        device=torch.device("cpu"),
    )
    profiler.disable()
    result: Any = pstats.Stats(profiler)
    times = dict(result.stats)
    whole = next(value[3] for key, value in times.items() if key[2] == "fit")
    spent = {name: sum(_time(times, file, function) for file, function in which) for name, which in PARTS.items()}
    steps = next(value[1] for key, value in times.items() if key[2] == "_step")
    return whole, {name: seconds / whole for name, seconds in spent.items()}, steps


def _time(times: Mapping[Any, Any], file: str, function: str) -> float:
    result = (value[3] for (where, _, name), value in times.items() if name == function and where.endswith(f"/{file}"))
    return float(sum(result))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=3)
    message = parser.parse_args()
    torch.set_num_threads(1)
    print("| family | ms/step | " + " | ".join(PARTS) + " | rest |")
    print("|--|--:|" + "--:|" * (len(PARTS) + 1))
    for name, block in FAMILIES.items():
        whole, shares, steps = profiled(block, message.items, message.epochs)
        cells = [f"{100 * share:.0f} %" for share in (*shares.values(), 1 - sum(shares.values()))]
        print(f"| {name} | {1e3 * whole / steps:.0f} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
