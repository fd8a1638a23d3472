"""A run says at which commit it had the hub's models, and comes back with that commit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tiny_models import bert_folder, clip_folder, in_hub_cache

from vsebench.config.resolve import resolve
from vsebench.core.errors import ConfigError
from vsebench.core.registry import IMAGE_ENCODERS, TEXT_ENCODERS
from vsebench.core.types import Result
from vsebench.data.dataset import Dataset
from vsebench.runs.load import load_run
from vsebench.runs.store import Store
from vsebench.runs.tracking import NullTracker
from vsebench.sweeps.plan import Run
from vsebench.sweeps.run_one import execute

FIRST, SECOND = "a" * 40, "b" * 40
NAME = "some/bert"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the hub with two commits of a model: the main branch is at the first, ``next`` at the second."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    other = Path(shutil.copytree(bert_folder(), tmp_path / "other"))
    state = {k: v + 0.5 * torch.randn_like(v) for k, v in load_file(other / "model.safetensors").items()}
    save_file(state, other / "model.safetensors", metadata={"format": "pt"})
    in_hub_cache(tmp_path / "hub", NAME, bert_folder(), FIRST)
    in_hub_cache(tmp_path / "hub", NAME, other, SECOND, "next")
    return tmp_path / "hub"


def move(cache: Path, commit: str) -> None:
    (cache / "models--some--bert" / "refs" / "main").write_text(commit)


def run_in(folder: Path, file: Path, run_id: str, **options: str) -> Result:
    system = resolve(
        {"text_encoder": {"name": "bert", "model": NAME, **options}, "dim": 8, "train": {"epochs": 1, "batch_size": 16}}
    )
    run = Run(run_id, "e", "row", "systems", system, 0, ("accuracy",), "val/accuracy", "max", "tiny")
    store = Store(folder, "e")
    return execute(run, Dataset.open(file), store, device=torch.device("cpu"), tracker=lambda _: NullTracker())


def test_a_moved_branch_is_another_commit(cache: Path, tiny_file: Path, tmp_path: Path) -> None:
    first = run_in(tmp_path, tiny_file, "one")
    assert first.status == "finished", first.error
    assert first.hub == {"text_encoder": {"model": NAME, "commit": FIRST}}
    move(cache, SECOND)
    second = run_in(tmp_path, tiny_file, "two")
    assert second.hub["text_encoder"]["commit"] == SECOND
    for run_id, commit in (("one", FIRST), ("two", SECOND)):
        folder = tmp_path / "e" / run_id
        assert yaml.safe_load((folder / "run.yaml").read_text())["hub"]["text_encoder"]["commit"] == commit
        assert json.loads((folder / "result.json").read_text())["hub"]["text_encoder"]["commit"] == commit
        back = load_run(folder)
        assert back.model.origins == {"text_encoder": {"model": NAME, "commit": commit}}
        state = load_file(cache / "models--some--bert" / "snapshots" / commit / "model.safetensors")
        table = back.model.encoders["text"].bert.get_input_embeddings().weight
        assert torch.equal(table, state["embeddings.word_embeddings.weight"])
    pinned = run_in(tmp_path, tiny_file, "three", revision=FIRST)
    assert pinned.hub == first.hub
    assert pinned.metrics == first.metrics


@pytest.mark.parametrize(("revision", "commit"), [("next", SECOND), (SECOND, SECOND), (FIRST, FIRST), (None, FIRST)])
def test_a_revision_is_a_branch_or_a_commit(revision: str | None, commit: str, cache: Path) -> None:
    encoder = TEXT_ENCODERS.build("bert", {"model": NAME, "revision": revision})
    assert encoder.origin == {"model": NAME, "commit": commit}


def test_both_towers_have_a_revision(cache: Path) -> None:
    in_hub_cache(cache, "some/clip", clip_folder(), FIRST)
    for registry, name in ((IMAGE_ENCODERS, "clip_image"), (TEXT_ENCODERS, "clip_text")):
        assert registry.build(name, {"model": "some/clip"}).origin == {"model": "some/clip", "commit": FIRST}
        with pytest.raises(ConfigError, match="cannot load 'some/clip' at revision 'v9'"):
            registry.build(name, {"model": "some/clip", "revision": "v9"})


def test_what_has_no_revision(cache: Path) -> None:
    with pytest.raises(ConfigError, match="'revision' goes with a model of the hub; '.*' is a local folder"):
        TEXT_ENCODERS.build("bert", {"model": bert_folder(), "revision": FIRST})
    with pytest.raises(ConfigError, match="'revision' goes with weights: hub"):
        TEXT_ENCODERS.build("bert", {"weights": "none", "revision": FIRST}, vocabulary=None)
    assert TEXT_ENCODERS.build("bert", {"model": bert_folder()}).origin is None
