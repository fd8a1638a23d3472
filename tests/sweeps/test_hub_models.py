"""A run says at which commit it had the hub's models, and comes back with that commit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tiny_models import bert_folder, clip_folder, in_hub_cache

from vsebench.config.experiment import load_experiment
from vsebench.config.hub_commits import pinned
from vsebench.config.resolve import resolve
from vsebench.core.errors import ConfigError
from vsebench.core.registry import IMAGE_ENCODERS, TEXT_ENCODERS
from vsebench.core.types import Result
from vsebench.data.dataset import Dataset
from vsebench.results.carry_over import completed
from vsebench.runs.load import load_run
from vsebench.runs.store import Store
from vsebench.runs.tracking import NullTracker
from vsebench.sweeps.plan import Run, make_plan
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


def planned_in(folder: Path, block: dict[str, object]) -> Run:
    """The one run of an experiment with one system."""
    file = folder / "e.yaml"
    file.write_text(
        yaml.safe_dump(
            {"experiment": "e", "dataset": "d", "metrics": ["accuracy"], "seeds": [0], "systems": {"A": block}}
        )
    )
    data = {"fingerprint": "f", "splits": {"train": 9, "val": 9, "test": 9}, "num_classes": 2, "multi_label": False}
    (run,) = make_plan(load_experiment(file), data, Store(folder / "runs", "e")).runs
    return run


def test_a_moved_branch_is_another_run(cache: Path, tmp_path: Path) -> None:
    block = {"image_encoder": "none", "text_encoder": {"name": "bert", "model": NAME}}
    first = planned_in(tmp_path, block)
    assert planned_in(tmp_path, block).run_id == first.run_id
    assert first.system.text_encoder is not None
    assert first.system.text_encoder.options["revision"] == FIRST  # it loads what its id says
    by_commit = {**block, "text_encoder": {"name": "bert", "model": NAME, "revision": FIRST}}
    assert planned_in(tmp_path, by_commit).run_id == first.run_id
    move(cache, SECOND)
    assert planned_in(tmp_path, block).run_id != first.run_id
    assert planned_in(tmp_path, by_commit).run_id == first.run_id
    by_branch = {**block, "text_encoder": {"name": "bert", "model": NAME, "revision": "next"}}
    assert planned_in(tmp_path, by_branch).run_id == planned_in(tmp_path, block).run_id


@pytest.mark.parametrize(
    ("slot", "encoder", "repository"),
    [
        ("image_encoder", {"name": "timm_cnn", "model": "test_resnet"}, "timm/test_resnet.r160_in1k"),
        ("image_encoder", {"name": "timm_vit", "model": "hf-hub:some/vit"}, "some/vit"),
        ("image_encoder", {"name": "timm_cnn", "model": "hf-hub:some/net@next"}, "some/net"),
        ("image_encoder", {"name": "clip_image", "model": "some/clip"}, "some/clip"),
        ("text_encoder", {"name": "clip_text", "model": "some/clip"}, "some/clip"),
        ("text_encoder", {"name": "bert_bow", "model": "some/bert"}, "some/bert"),
        ("audio_encoder", {"name": "audio_transformer", "model": "some/ast"}, "some/ast"),
        ("audio_encoder", {"name": "audio_transformer", "model": "some/ast", "weights": "none"}, "some/ast"),
    ],
)
def test_every_encoder_of_the_hub_has_its_commit(
    slot: str, encoder: dict[str, str], repository: str, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for branch, commit in (("main", FIRST), ("next", SECOND)):
        in_hub_cache(cache, repository, tmp_path / "empty", commit, branch)
    block = dict.fromkeys(("image_encoder", "text_encoder"), "none") | {slot: encoder}
    system = resolve(block)
    wanted = SECOND if "@next" in encoder["model"] else FIRST
    assert getattr(pinned(system), slot).options["revision"] == wanted
    (cache / f"models--{repository.replace('/', '--')}" / "refs" / "main").unlink()
    assert wanted == SECOND or pinned(system) == system  # neither the cache nor the hub, which is off, says


@pytest.mark.parametrize("weights", ["none", "embedded", "pretrain"])
def test_what_does_not_come_from_the_hub_is_left_alone(weights: str, cache: Path) -> None:
    name = "test_resnet" if weights != "embedded" else "scenes_cnn"
    system = resolve({"image_encoder": {"name": "timm_cnn", "model": name, "weights": weights}, "text_encoder": "none"})
    assert pinned(system) is system
    local = resolve({"image_encoder": "none", "text_encoder": {"name": "bert", "model": bert_folder()}})
    assert pinned(local) is local


def test_an_earlier_run_has_the_commit_that_it_recorded(cache: Path, tiny_file: Path, tmp_path: Path) -> None:
    result = run_in(tmp_path, tiny_file, "one")
    system = resolve({"text_encoder": {"name": "bert", "model": NAME}, "dim": 8})
    assert completed(system, result) == pinned(system)
    move(cache, SECOND)
    assert completed(system, result) != pinned(system)
    assert completed(system, replace(result, hub={})) == system  # it did not record one
