"""Systems that nothing trains: from the file to the board, and what they may not have."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import clip_folder, siglip_folder
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from vsebench.config.experiment import load_experiment
from vsebench.config.resolve import resolve, system_block
from vsebench.core.errors import ConfigError
from vsebench.core.types import Preprocessing
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.open import open_dataset
from vsebench.data.vocabulary import Vocabulary
from vsebench.data.writer import DatasetWriter
from vsebench.engine.evaluate import predict
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.pipeline import Outcome, sweep_to_board
from vsebench.runs.load import load_run
from vsebench.runs.store import Store
from vsebench.sweeps.run_untrained import refuse_unfit
from vsebench.sweeps.worker import Settings

Write = Callable[[Any], Path]
METRICS = ["recall@{1,5}", "map", "median_rank"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def towers(folder: str) -> dict[str, Any]:
    return {"image_encoder": {"model": folder}, "text_encoder": {"model": folder}}


def do(file: Path, folder: Path) -> Outcome:
    experiment = load_experiment(file)
    dataset = open_dataset(experiment.spec.dataset)
    message = Settings(store_root=folder / "runs", dataset_path=dataset.path, device="cpu")
    return sweep_to_board(experiment, dataset, settings=message, workers=0, board_folder=folder / "board", command="x")


def test_zero_shot_rows_from_file_to_board(write_experiment: Write, tiny_file: Path, tmp_path: Path) -> None:
    file = write_experiment(
        {
            "experiment": "zero",
            "dataset": str(tiny_file),
            "metrics": METRICS,
            "select": {"metric": "val/i2t/map"},
            "train": {"epochs": 7, "optimizer": {"name": "adamw", "lr": 1e-3}},
            "systems": {
                "CLIP": {"system": "clip", **towers(clip_folder())},
                "SigLIP": {"system": "siglip", **towers(siglip_folder())},
            },
        }
    )
    assert [r.error for r in do(file, tmp_path).failed] == []
    results = {r.system: r for r in Store(tmp_path / "runs", "zero").results()}
    for name in ("CLIP", "SigLIP"):
        result = results[name]
        assert (result.epochs, result.best_epoch, result.train_s) == (0, 0, 0.0)
        assert result.parameters["trained"] == 0
        assert result.test_evaluations == 1
        assert {"val/i2t/map", "test/i2t/recall@5", "test/t2i/chance/map"} <= set(result.metrics)
        loaded = load_run(Store(tmp_path / "runs", "zero").run_folder(result.run_id))
        assert loaded.model.encoders["image"].dim_out == (16 if name == "CLIP" else 32)
    page = (tmp_path / "board" / "zero.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith(("| CLIP", "| SigLIP"))]
    assert sum("zero-shot" in row for row in rows) == 2
    assert do(file, tmp_path).failed == []


def test_items_that_match_by_shared_labels_are_ranked(write_experiment: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ("red", "green", "blue")
    with DatasetWriter(
        tmp_path / "shared.h5", name="shared", title="Shared", multi_label=True, relevance="label", label_names=names
    ) as writer:
        for i in range(40):
            buffer = io.BytesIO()
            Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(buffer, "PNG")
            labels = tuple(name for bit, name in enumerate(names) if i >> bit & 1) or ("red",)
            writer.add(Item(f"item-{i}", buffer.getvalue(), (f"number {i}",), labels))
    file = write_experiment(
        {
            "experiment": "shared",
            "dataset": str(tmp_path / "shared.h5"),
            "metrics": ["map", "map@5:found", "ndcg@5"],
            "select": {"metric": "val/i2t/map@5:found"},
            "systems": {"CLIP": {"system": "clip", **towers(clip_folder())}},
        }
    )
    assert [r.error for r in do(file, tmp_path).failed] == []
    (result,) = Store(tmp_path / "runs", "shared").results()
    assert {"val/i2t/map@5:found", "test/i2t/map", "test/t2i/ndcg@5"} <= set(result.metrics)
    assert 0 < result.metrics["test/i2t/chance/ndcg@5"] < 1
    assert result.ranking == {"by": "embeddings (cosine)"}
    page = (tmp_path / "board" / "shared.md").read_text()
    assert "i→t MAP@5:found" in page
    assert "a match is any of the captions of items that share a label with it" in page


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize(("family", "folder"), [("clip", clip_folder), ("siglip", siglip_folder)])
def test_embeddings_of_a_split_are_the_models_own(
    family: str, folder: Callable[[], str], cache: bool, tiny_file: Path
) -> None:
    """Item by item, by transformers' own model, tokenizer and processor; float32 all the way, cached or not."""
    dataset = Dataset.open(tiny_file)
    system = resolve(system_block({"system": family, **towers(folder())}, {}))
    model = Model(system, num_classes=3)
    loader = Loader(dataset, "test", system, model.encoders, cache=cache)
    result = predict(model, loader, device=torch.device("cpu"))
    whole, tokenizer = AutoModel.from_pretrained(folder()).eval(), AutoTokenizer.from_pretrained(folder())
    processor = AutoImageProcessor.from_pretrained(folder())
    length = whole.config.text_config.max_position_embeddings
    native = Preprocessing((32, 32), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    with torch.no_grad():
        for row, position in enumerate(dataset.splits["test"]):
            image = Image.fromarray(dataset.image(int(position), native).transpose(1, 2, 0))
            current = whole.get_image_features(**processor(image, return_tensors="pt")).pooler_output[0]
            np.testing.assert_allclose(result.embeddings["image"][row], current.numpy(), atol=1e-5)
        texts = [list(captions) for captions in dataset.all_texts("test")]
        for column, row in enumerate(result.owner):
            text = texts[row][0 if column < len(texts) else 1]
            words = tokenizer([text], padding="max_length", truncation=True, max_length=length, return_tensors="pt")
            selected = ("input_ids", "attention_mask") if family == "clip" else ("input_ids",)
            current = whole.get_text_features(**{name: words[name] for name in selected}).pooler_output[0]
            np.testing.assert_allclose(result.embeddings["text"][column], current.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"objective": "info_nce", "train": {"epochs": 0}}, "epochs: 0 trains nothing. Write objective: none"),
        ({"head": "mlp", "fusion": "concat"}, "nothing trains head 'mlp'"),
        ({"projection": "linear"}, "nothing trains projection 'linear'"),
        ({"scorer": "scan"}, "nothing trains scorer 'scan'"),
    ],
)
def test_what_nothing_would_train_is_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        resolve(system_block({"system": "clip", **change}, {}))


def test_epochs_of_the_experiment_are_for_other_rows() -> None:
    assert resolve(system_block({"system": "clip"}, {"epochs": 30})).train.epochs == 0
    assert resolve(system_block({"system": "clip", "objective": "info_nce", "projection": "linear"}, {})).train.epochs


def test_models_that_would_train_are_refused() -> None:
    block = {"system": "clip", **towers(clip_folder())}
    open_one = resolve(system_block({**block, "text_encoder": {"name": "gru", "dim_hidden": 8, "dim_word": 8}}, {}))
    model = Model(open_one, num_classes=0, vocabulary=Vocabulary.build(["a hat"]))
    with pytest.raises(ConfigError, match=r"parameters would, the first is 'encoders\.text\."):
        refuse_unfit(model)
    mixed = resolve(system_block({**block, "text_encoder": {"model": siglip_folder()}}, {}))
    with pytest.raises(ConfigError, match="image 16, text 32. Give both encoders one model"):
        refuse_unfit(Model(mixed, num_classes=0))
    refuse_unfit(Model(resolve(system_block(block, {})), num_classes=0))
