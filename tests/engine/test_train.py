"""What the loop does for objectives: trains and resumes their parameters, tells them the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import vsebench.engine.train
from vsebench.components.objective.triplet import Triplet
from vsebench.config.resolve import resolve
from vsebench.core.errors import ConfigError
from vsebench.data.dataset import Dataset
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.train import Progress, build_objectives, build_optimizer, fit
from vsebench.runs.store import Store
from vsebench.runs.tracking import NullTracker
from vsebench.sweeps.plan import Run
from vsebench.sweeps.prepare import training_items, vocabulary_of
from vsebench.sweeps.run_one import execute

SYSTEM = {
    "dim": 8,
    "image_encoder": {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32},
    "text_encoder": {"name": "lstm", "dim_word": 4, "dim_hidden": 4},
    "objective": [
        {"name": "info_nce"},
        {"name": "siglip", "weight": 0.5},
        {"name": "triplet", "negatives": "random", "warmup_epochs": 1.0},
        {"name": "dan_ranking", "samples": 2, "weight": 0.01},
    ],
    "train": {"epochs": 3, "batch_size": 16, "optimizer": {"name": "adamw", "lr": 1e-2, "weight_decay": 0.1}},
}


class Stopped(Exception):
    """The machine went away."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def parts(tiny_file: Path) -> tuple[Model, dict[str, Loader]]:
    torch.manual_seed(0)
    dataset, system = Dataset.open(tiny_file), resolve(SYSTEM)
    model = Model(system, num_classes=dataset.num_classes, vocabulary=vocabulary_of(dataset))
    return model, {s: Loader(dataset, s, system, model.encoders, cache=False) for s in ("train", "val")}


def train(tiny_file: Path, folder: Path | None, stop_after: int | None = None) -> tuple[Model, Progress]:
    model, loaders = parts(tiny_file)

    def validation_scorer(model: Model, loader: Loader) -> tuple[float, Mapping[str, float]]:
        return 0.0, {}

    def on_epoch(numbers: dict[str, float]) -> None:
        if numbers["epoch"] == stop_after:
            raise Stopped

    device = torch.device("cpu")
    if folder is not None:
        folder.mkdir(exist_ok=True)
    progress = fit(
        model,
        loaders["train"],
        loaders["val"],
        seed=0,
        validation_scorer=validation_scorer,
        device=device,
        folder=folder,
        on_epoch=on_epoch,
    )
    return model, progress


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[nn.ModuleList]:
    """The objectives of each training, as it leaves them."""
    made: list[nn.ModuleList] = []

    def build(*args: Any) -> nn.ModuleList:
        made.append(build_objectives(*args))
        return made[-1]

    monkeypatch.setattr(vsebench.engine.train, "build_objectives", build)
    return made


def test_parameters_of_objectives_reach_the_optimizer_without_decay(tiny_file: Path) -> None:
    model, _ = parts(tiny_file)
    objectives = build_objectives(model, multi_label=False)
    groups = build_optimizer(model, objectives).param_groups
    for parameter in (objectives[0].scale.log, objectives[1].log_scale, objectives[1].bias):  # type: ignore[union-attr]
        (group,) = [g for g in groups if any(p is parameter for p in g["params"])]
        assert group["weight_decay"] == 0.0


def test_a_learned_temperature_survives_an_interruption(
    tiny_file: Path, tmp_path: Path, built: list[nn.ModuleList], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vsebench.engine.train, "CHECKPOINT_EVERY_S", 0.0)
    whole, whole_progress = train(tiny_file, None)
    with pytest.raises(Stopped):
        train(tiny_file, tmp_path, stop_after=3)  # the checkpoint is that of epoch 2
    learned = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["objectives"]
    assert {"0.scale.log", "1.log_scale", "1.bias"} <= set(learned)
    assert float(learned["0.scale.log"]) != pytest.approx(-np.log(0.07), abs=1e-4)
    resumed, resumed_progress = train(tiny_file, tmp_path)
    assert_same(whole.state_dict(), resumed.state_dict())
    assert_same(built[0].state_dict(), built[-1].state_dict())
    assert whole_progress.history == resumed_progress.history


def test_the_scale_of_fp16_survives_an_interruption(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vsebench.engine.train, "CHECKPOINT_EVERY_S", 0.0)
    monkeypatch.setitem(SYSTEM, "train", {**SYSTEM["train"], "precision": "fp16"})  # type: ignore[dict-item]
    monkeypatch.setitem(SYSTEM, "text_encoder", {"name": "mean_words", "dim_word": 4})  # no LSTM in fp16 on the CPU
    train(tiny_file, tmp_path / "whole")
    with pytest.raises(Stopped):
        train(tiny_file, tmp_path / "killed", stop_after=3)
    train(tiny_file, tmp_path / "killed")
    whole, resumed = (
        torch.load(tmp_path / folder / "checkpoint.pt", weights_only=True) for folder in ("whole", "killed")
    )
    assert whole["scaler"]["_growth_tracker"] + (whole["scaler"]["scale"] < 65536.0) > 0
    assert resumed["scaler"] == whole["scaler"]
    assert_same(resumed["model"], whole["model"])


def assert_same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def test_objectives_hear_the_epoch_before_every_step_also_after_an_interruption(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vsebench.engine.train, "CHECKPOINT_EVERY_S", 0.0)
    heard: list[float] = []
    monkeypatch.setattr(Triplet, "set_progress", lambda self, epoch: heard.append(epoch))
    train(tiny_file, None)
    whole = heard.copy()
    assert len(whole) == 9  # 3 epochs of 36 items in steps of 16
    assert whole == pytest.approx([i / 3 for i in range(9)])
    heard.clear()
    with pytest.raises(Stopped):
        train(tiny_file, tmp_path, stop_after=2)
    heard.clear()
    train(tiny_file, tmp_path)
    assert heard == whole[3:]


def test_buckets_change_the_order_alone(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []
    batch = Loader.batch

    def watched(self: Loader, rows: np.ndarray, captions: np.ndarray | None = None) -> Any:
        seen.append(sorted(rows.tolist()))
        return batch(self, rows, captions)

    monkeypatch.setattr(Loader, "batch", watched)
    epochs = []
    for batches in (None, 2):
        settings = {"epochs": 1, "batch_size": 6, "bucket_batches": batches}
        monkeypatch.setitem(SYSTEM, "train", settings)  # type: ignore[arg-type]
        seen.clear()
        train(tiny_file, None)
        epochs.append([rows for rows in seen if rows])
    plain, bucketed = epochs
    assert plain != bucketed
    for start in range(0, len(plain), 2):  # the same items in every two batches
        one, other = (sorted(chain(*order[start : start + 2])) for order in (plain, bucketed))
        assert one == other


@pytest.mark.slow
def test_a_compiled_step_gives_the_same_losses(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = []
    for compile in (False, True):
        monkeypatch.setitem(SYSTEM, "text_encoder", {"name": "mean_words", "dim_word": 4})
        monkeypatch.setitem(SYSTEM, "train", {"epochs": 2, "batch_size": 16, "compile": compile})
        _, progress = train(tiny_file, None)
        losses.append([h["train/loss"] for h in progress.history])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_a_missing_compiler_is_told(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoCompilerError(RuntimeError):
        __module__ = "torch._inductor.exc"

    def broken(model: Any, dynamic: bool) -> Any:
        def forward(batch: Any) -> Any:
            raise NoCompilerError("no C++ compiler was found\nset CXX")

        return forward

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setitem(SYSTEM, "train", {"epochs": 1, "compile": True})
    with pytest.raises(
        vsebench.engine.train.TrainingError, match=r"no C\+\+ compiler was found\); set train.compile: false"
    ):
        train(tiny_file, None)


def gradients(tiny_file: Path, on: str, **keys: Any) -> set[str]:
    """The parts of a model in which one step of training by a contrast alone changes something."""
    torch.manual_seed(0)
    block = {**SYSTEM, "head": "linear", "objective": {"name": "cosine_alignment", "on": on}, **keys}
    dataset, system = Dataset.open(tiny_file), resolve(block)
    model = Model(system, num_classes=dataset.num_classes, vocabulary=vocabulary_of(dataset))
    loaders = {s: Loader(dataset, s, system, model.encoders, cache=False) for s in ("train", "val")}
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    fit(
        model,
        loaders["train"],
        loaders["val"],
        seed=0,
        validation_scorer=lambda m, f: (0.0, {}),
        device=torch.device("cpu"),
    )
    decayed = {name for name, p in model.named_parameters() if p.grad is None}
    changed = {n for n, p in model.named_parameters() if n not in decayed and not torch.equal(p, before[n])}
    return {name.partition(".")[0] for name in changed}


def test_a_contrast_of_vectors_trains_what_the_head_sees(tiny_file: Path) -> None:
    """Of embeddings it trains a branch beside attention and projection, where one modality sees the other."""
    train = {"epochs": 1, "batch_size": 16, "optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0.0}}
    keys = {"attention": "inter", "train": train}
    assert gradients(tiny_file, "embeddings", **keys) == {"encoders", "own_projection"}
    assert gradients(tiny_file, "vectors", **keys) == {"encoders", "attention", "projection"}


def test_a_contrast_needs_vectors_of_one_size(tiny_file: Path) -> None:
    with pytest.raises(ConfigError, match="those of image and text have 96 and 4 numbers"):
        gradients(tiny_file, "vectors", projection="none")


def test_a_run_trains_on_a_part_of_the_items(tiny_file: Path, tmp_path: Path) -> None:
    """Whole groups, drawn by the seed; the result says how many."""
    dataset = Dataset.open(tiny_file)
    system = resolve({**SYSTEM, "objective": "cross_entropy", "train": {**SYSTEM["train"], "epochs": 1, "items": 20}})
    drawn = [training_items(system, dataset, seed) for seed in (0, 0, 1)]
    assert drawn[0].tolist() == drawn[1].tolist() != drawn[2].tolist()
    assert set(drawn[0]) <= set(dataset.splits["train"])
    run = Run("part", "e", "row", "systems", system, 0, ("accuracy",), "val/accuracy", "max", "tiny")
    store = Store(tmp_path, "e")
    result = execute(run, dataset, store, device=torch.device("cpu"), tracker=lambda _: NullTracker(), cache=False)
    assert result.status == "finished", result.error
    assert any(f"trained on {len(drawn[0])} of {len(dataset.splits['train'])} items" in n for n in result.notes)
