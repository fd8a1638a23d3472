"""The recipes of deep hashing, from a file to a result and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vsebench.config.experiment import load_experiment
from vsebench.config.resolve import resolve, system_block
from vsebench.data.dataset import Dataset
from vsebench.data.open import open_dataset
from vsebench.engine.embed import embed
from vsebench.engine.evaluate import predict
from vsebench.engine.loader import Loader
from vsebench.pipeline import sweep_to_board
from vsebench.runs.load import load_run
from vsebench.runs.store import Store
from vsebench.sweeps.worker import Settings
from vsebench.testing.kit import check_component

CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32}
DCMH = {"bits": 8, "text_hidden": 16, "iterations": 8, "batch_size": 16, "lr": 0.3, "lr_end": 0.1}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dcmh", DCMH),
        ("dcmh", {**DCMH, "start": "normal", "first": "text", "text_hidden": None, "image_hidden": 9}),
        ("dsph", {"bits": 8, "epochs": 5}),
        ("dsph", {"bits": 8, "epochs": 5, "hidden": 9, "irrelevant": "all", "inputs": "center"}),
    ],
)
def test_contract(name: str, options: dict[str, Any]) -> None:
    check_component("fitter", name, options)


def test_recipes_are_fitted_stored_and_loaded(
    write_experiment: Callable[[Any], Path], tiny_file: Path, tmp_path: Path
) -> None:
    trained = {**CNN, "finetune": "last", "freeze_norm": True}
    experiment = load_experiment(
        write_experiment(
            {
                "experiment": "deep",
                "dataset": str(tiny_file),
                "metrics": ["map", "recall@1"],
                "select": {"metric": "val/t2i/map"},
                "systems": {
                    "DCMH": {"system": "dcmh", "image_encoder": trained, "fitter": {"name": "dcmh", **DCMH}},
                    "DSPH": {
                        "system": "dsph",
                        "image_encoder": CNN,
                        "text_encoder": {"name": "bow", "dim": None},
                        "fitter": {"name": "dsph", "bits": 8, "epochs": 20, "lr": 0.01, "inputs": "standardize"},
                    },
                },
            }
        )
    )
    message = Settings(store_root=tmp_path / "runs", dataset_path=open_dataset(str(tiny_file)).path, device="cpu")
    dataset = Dataset.open(tiny_file)
    done = sweep_to_board(
        experiment, dataset, settings=message, workers=0, board_folder=tmp_path / "board", command="x"
    )
    assert [run.error for run in done.failed] == []
    store = Store(tmp_path / "runs", "deep")
    results = {result.system: result for result in store.results()}
    assert {name: result.ranking["by"] for name, result in results.items()} == {
        "DCMH": "codes (hamming)",
        "DSPH": "codes (hamming)",
    }
    for result in results.values():
        loaded = load_run(store.run_folder(result.run_id))
        loader = Loader(dataset, "test", loaded.system, loaded.model.encoders)
        outputs = predict(loaded.model, loader, device=torch.device("cpu"))
        alone = embed(loaded.model, "image", loader.batch(np.arange(len(loader))).inputs["image"])
        assert set(np.unique(outputs.embeddings["text"])) <= {-1.0, 1.0}
        np.testing.assert_array_equal(alone.numpy(), outputs.embeddings["image"])
    history = (store.run_folder(results["DCMH"].run_id) / "history.jsonl").read_text().splitlines()
    assert len(history) == DCMH["iterations"] + 1
    assert all(word in history[0] for word in ("train/objective", "train/likelihood", "train/balance"))


def test_the_published_network_is_the_default() -> None:
    system = resolve(system_block({"system": "dcmh"}, {}))
    assert system.image_encoder is not None
    assert system.text_encoder is not None
    assert system.fitter is not None
    assert (system.image_encoder.name, system.text_encoder.name, system.similarity) == ("cnn_f", "bow", "hamming")
    assert system.fitter.options["text_hidden"] == 8192
    assert system.fitter.options["image_hidden"] is None
