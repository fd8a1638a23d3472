"""Sounds, and items that lack a modality, through whole runs: swept, loaded, embedded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sounding import AUDIO_CNN, CNN, LSTM, RNN, write
from swept import sweep_in

from vsebench.core.errors import ConfigError
from vsebench.engine.evaluate import predict
from vsebench.engine.loader import Loader
from vsebench.retrieval.build import embed_split, refuse_modality
from vsebench.runs.find import find_run
from vsebench.runs.load import load_run
from vsebench.runs.store import Store

TRAIN = {"epochs": 2, "batch_size": 16, "optimizer": {"name": "adamw", "lr": 1e-2}}
ROWS = {
    "audio": {"audio_encoder": {**RNN, "max_seconds": 0.06}, "head": "decision"},
    "all, decided": {"image_encoder": CNN, "text_encoder": LSTM, "audio_encoder": AUDIO_CNN, "head": "decision"},
    "all, fused": {"image_encoder": CNN, "text_encoder": LSTM, "audio_encoder": RNN, "absent": "learned"},
    "refused": {"image_encoder": CNN, "text_encoder": LSTM},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    write(folder / "sounding.h5", n=125)
    rows = {name: {"dim": 16, **row} for name, row in ROWS.items()}
    plain = {"experiment": "sounds", "dataset": str(folder / "sounding.h5"), "train": TRAIN, "systems": rows}
    with pytest.raises(ConfigError, match=r"items of the train split have no image .* head: decision would allow it"):
        sweep_in(folder, {**plain, "metrics": ["accuracy", "recall@1"]})
    del rows["refused"]
    sweep_in(folder, {**plain, "metrics": ["accuracy", "recall@1"]})
    return folder


@pytest.mark.parametrize("row", [name for name in ROWS if name != "refused"])
def test_a_run_predicts_what_it_stored(folder: Path, row: str) -> None:
    result = next(r for r in Store(folder / "runs", "sounds").results() if r.system == row)
    assert result.status == "finished"
    assert not any("recall" in name for name in result.metrics), "nothing to rank where items lack a side"
    run = load_run(find_run(f"sounds/{row}", folder / "runs"))
    outputs = predict(run.model, Loader(run.open_dataset(), "test", run.system, run.model.encoders), device=run.device)
    with np.load(run.folder / "predictions-test.npz", allow_pickle=False) as stored:
        assert np.allclose(outputs.logits, stored["logits"], atol=1e-5)
    assert any("sounds were cut to 0.06 s" in note for note in result.notes) == (row == "audio")


def test_a_gallery_leaves_out_what_is_not_there(folder: Path) -> None:
    run = load_run(find_run("sounds/all, fused", folder / "runs"))
    dataset = run.open_dataset()
    result = embed_split(run, "test", "image")
    images = [dataset.ids[p] for p in dataset.splits["test"] if dataset.image_bytes(int(p)) is not None]
    assert [item.id for item in result.items] == images
    assert len(result.vectors) == len(images)
    missing = len(dataset.splits["test"]) - len(images)
    assert missing > 0
    assert f"{missing} items without image were left out" in result.notes
    with pytest.raises(ConfigError, match="has no audio encoder. It reads: image, text"):
        refuse_modality(run, "audio")
