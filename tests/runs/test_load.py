"""A run comes back as it ended; what is missing or does not fit has one clear message."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from galleries import home, run_of, runs
from safetensors.torch import load_file, save_file

from vsebench.core.errors import DataError
from vsebench.engine.evaluate import predict
from vsebench.engine.loader import Loader
from vsebench.runs.find import find_run
from vsebench.runs.load import load_run
from vsebench.runs.store import Store

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(home() / "home"))


@pytest.mark.parametrize("row", ["both", "pretrained", "image only", "crossed"])
def test_predicts_what_the_run_stored(row: str) -> None:
    run = run_of(row)
    loader = Loader(run.open_dataset(), "test", run.system, run.model.encoders)
    outputs = predict(run.model, loader, device=run.device)
    with np.load(run.folder / "predictions-test.npz", allow_pickle=False) as stored:
        assert np.allclose(outputs.logits, stored["logits"], atol=1e-5)


def test_names_of_a_run() -> None:
    store = Store(runs(), "tiny")
    both = [r for r in store.results() if r.system == "both"]
    best = max(both, key=lambda r: (r.metrics["val/accuracy"], -r.seed))
    folder = find_run("tiny/both", runs())
    assert folder == store.run_folder(best.run_id)
    for message in (str(folder), best.run_id, best.run_id[:10], f"tiny/{best.run_id}", f"tiny/{best.run_id[:10]}"):
        assert find_run(message, runs()).resolve() == folder.resolve()


def test_unknown_runs() -> None:
    for text, message in {
        "nothing": "there is no run 'nothing' in",
        "tiyn/both": "Did you mean 'tiny'? Experiments there: tiny.",
        "tiny/boht": "has no finished run of a row 'boht'. Did you mean 'both'?",
        "": "there is no run ''",
    }.items():
        with pytest.raises(DataError) as error:
            find_run(text, runs())
        assert message in str(error.value)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(find_run("tiny/both", runs()), tmp_path / "run"))


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:40])


def _other_weights(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    state.pop(sorted(state)[0])
    save_file(state, folder / "model.safetensors")


def _status(folder: Path, **changes: str) -> None:
    file = folder / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def _system(folder: Path) -> None:
    message = yaml.safe_load((folder / "run.yaml").read_text())
    message["system"]["dimm"] = 3
    (folder / "run.yaml").write_text(yaml.safe_dump(message))


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda f: (f / "run.yaml").unlink(), "not the folder of a run: it has no run.yaml"),
        (lambda f: (f / "run.yaml").write_text("a: [1"), "run.yaml:1: cannot be read (not valid YAML"),
        (lambda f: (f / "run.yaml").write_text("run_id: x"), "it lacks 'experiment', 'row', 'seed'"),
        (lambda f: (f / "result.json").unlink(), "is not finished; it has no whole result.json"),
        (lambda f: _status(f, status="failed", error="it\nburst"), "is not finished; it failed: burst"),
        (lambda f: (f / "model.safetensors").unlink(), "the run's weights are missing"),
        (lambda f: _cut(f / "model.safetensors"), "not a whole safetensors file"),
        (_other_weights, "do not fit what the system is today"),
        (lambda f: (f / "vocabulary.json").unlink(), "the run reads text, but this file"),
        (lambda f: (f / "vocabulary.json").write_text("{}"), "not a whole vocabulary"),
        (_system, "does not understand its system (dimm"),
    ],
)
def test_what_is_broken_is_said(copy: Path, spoil: Callable[[Path], None], text: str) -> None:
    load_run(copy)
    spoil(copy)
    with pytest.raises(DataError) as error:
        load_run(copy)
    assert text in str(error.value)


def test_results_from_before_datasets_had_features(copy: Path) -> None:
    result = json.loads((copy / "result.json").read_text())
    del result["dataset"]["features"]
    (copy / "result.json").write_text(json.dumps(result))
    assert load_run(copy).model is not None


def test_a_changed_dataset_is_refused(copy: Path) -> None:
    message = yaml.safe_load((copy / "run.yaml").read_text())
    message["dataset"]["fingerprint"] = "0" * 16
    (copy / "run.yaml").write_text(yaml.safe_dump(message))
    with pytest.raises(DataError, match="has changed: its fingerprint is"):
        load_run(copy).open_dataset()


def test_frozen_pretrained_weights_come_from_their_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of("pretrained")
    copied = tmp_path / "run"
    copied.mkdir()
    for file in run.files:
        shutil.copy(file, copied)
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path / "elsewhere"))
    assert load_run(copied).checkpoints["image_encoder"].parent == copied
    with pytest.raises(DataError, match="was pretrained to are missing"):
        load_run(run.folder)
