"""Robustness and subsets of finished runs of three modalities, from their folders."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from board_texts import blocks_text
from sounding import CNN, LSTM, RNN, write
from swept import sweep_in

from vsebench.config.measures import Measures
from vsebench.data.dataset import Dataset
from vsebench.engine.feature_cache import entries
from vsebench.leaderboard.measured import measurement_sections
from vsebench.measurements import _inputs
from vsebench.measurements._evaluator import RunEvaluator
from vsebench.measurements.robustness import Robustness
from vsebench.measurements.subsets import Subsets
from vsebench.runs.load import LoadedRun, load_run
from vsebench.runs.snapshot import Snapshot, load, results_file
from vsebench.runs.store import Store
from vsebench.sweeps.measure import measure, measured, missing

SMALL: dict[str, Any] = {
    "robustness": {
        "image": {"noise": [0.2], "occlusion": [0.5]},
        "text": {"dropout": [0.5], "swap": [0.5]},
        "audio": {"snr": [0]},
        "repeats": 2,
    },
    "subsets": True,
}
ASKED = Measures.model_validate(SMALL).requested()


def robustness_of(run: LoadedRun, dataset: Dataset) -> Mapping[str, Any]:
    return Robustness(**ASKED["robustness"]).measure(run, dataset)


def subsets_of(run: LoadedRun, dataset: Dataset) -> Mapping[str, Any]:
    return Subsets().measure(run, dataset)


def systems(complete: bool) -> dict[str, Any]:
    three = {"dim": 8, "image_encoder": CNN, "text_encoder": LSTM, "audio_encoder": RNN}
    decision = {**three, "head": {"name": "decision", "hidden": None}}
    learned = {**three, "head": "linear", "fusion": "concat", "absent": "learned"}
    if not complete:
        return {"decides": decision, "learned": learned}
    two = {"dim": 8, "image_encoder": {**CNN, "finetune": "none"}, "text_encoder": LSTM}
    return {
        "decides": decision,
        "concat": {**three, "head": "linear", "fusion": "concat"},
        "learned": learned,
        "text": {"dim": 8, "text_encoder": LSTM, "head": "linear"},
        "ranks": {**two, "head": "none", "fusion": "none", "objective": "info_nce"},
    }


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Finished runs on items that have everything, and on items some of which lack a modality."""
    results = {}
    for whole in (True, False):
        folder = results[whole] = tmp_path_factory.mktemp("robust")
        write(folder / "toy.h5", complete=whole, n=100)
        rows = systems(whole)
        ranks = {"ranks": rows.pop("ranks")} if whole else {}
        plain = {
            "experiment": "toy",
            "dataset": str(folder / "toy.h5"),
            "metrics": ["accuracy", "average_precision", "nll", *(["recall@{1,5}"] if whole else [])],
            "train": {"epochs": 2, "batch_size": 16, "optimizer": {"name": "adamw", "lr": 1e-2}},
            "systems": rows,
        }
        sweep_in(folder, plain)
        if ranks:
            select = {"metric": "val/i2t/recall@5", "mode": "max"}
            sweep_in(folder, {**plain, "experiment": "ranked", "select": select, "systems": ranks})
    return results


@pytest.fixture(params=[True, False], ids=["complete", "incomplete"])
def whole(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def folder(swept: dict[bool, Path], whole: bool) -> Path:
    return swept[whole]


@pytest.fixture(autouse=True)
def _home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("VSEBENCH_HOME", str(folder / "home"))
    monkeypatch.setattr(_inputs, "_MEMORY", {})
    return


def board(folder: Path, name: str = "toy") -> Snapshot:
    return load(results_file(folder / "board", name))


def opened(folder: Path, row: str, name: str = "toy") -> tuple[LoadedRun, Dataset]:
    runs = next(r.runs for r in board(folder, name).rows if r.name == row)
    run = load_run(Store(folder / "runs", name).run_folder(runs["0"]))
    return run, run.open_dataset()


def test_every_number_of_a_decision(folder: Path, whole: bool) -> None:
    run, dataset = opened(folder, "decides")
    before = {entry.key for entry in entries()}
    result = robustness_of(run, dataset)
    assert "stored" not in result, "as it is, a run gives what it stored"
    selected = {"accuracy", "average_precision"}
    if whole:
        selected |= {f"{d}/recall@{k}" for d in ("i2t", "t2i") for k in (1, 5)}
    for key in selected:
        assert result["clean"][key] == pytest.approx(run.result.metrics[f"test/{key}"], abs=1e-6)
    assert result["clean"].keys() == selected
    assert result["needed"] == {}
    for part in ("shuffled", "dropped"):
        assert list(result[part]) == ["image", "text", "audio"]
        assert all(numbers.keys() == {"accuracy", "average_precision"} for numbers in result[part].values())
    assert {m: list(kinds) for m, kinds in result["damaged"].items()} == {
        "image": ["noise", "occlusion"], "text": ["dropout", "swap"], "audio": ["snr"],
    }  # fmt: skip
    for kinds in result["damaged"].values():
        assert all(numbers.keys() == selected for points in kinds.values() for _, numbers in points)
    assert result == robustness_of(run, dataset), "the same draws each time"
    assert {entry.key for entry in entries()} == before, "nothing of it is in the cache"


def test_all_seven_subsets_evaluate(folder: Path, whole: bool) -> None:
    run, dataset = opened(folder, "decides")
    result = subsets_of(run, dataset)
    modalities = ("image", "text", "audio")
    wanted = ["+".join(s) for size in (1, 2, 3) for s in itertools.combinations(modalities, size)]
    assert list(result["subsets"]) == wanted
    assert result["subsets"]["image+text+audio"] == robustness_of(run, dataset)["clean"]
    dropped = robustness_of(run, dataset)["dropped"]
    for gone, left in (("image", "text+audio"), ("text", "image+audio"), ("audio", "image+text")):
        alone = {k: v for k, v in result["subsets"][left].items() if "recall" not in k}
        assert alone == pytest.approx(dropped[gone])
    ranked = {name for name, numbers in result["subsets"].items() if "i2t/recall@1" in numbers}
    assert ranked == ({"image+text", "image+text+audio"} if whole else set())


@pytest.mark.parametrize("whole", [True], indirect=True)
def test_a_subset_is_what_the_classifiers_that_are_left_decide(folder: Path) -> None:
    run, dataset = opened(folder, "decides")
    result = subsets_of(run, dataset)["subsets"]
    evaluator = RunEvaluator(run, dataset)
    with torch.no_grad():
        output = run.model(evaluator.loader.batch(np.arange(len(evaluator.loader))))
    labels = evaluator.loader.labels
    for name, numbers in result.items():
        mean = sum(output.parts[m].softmax(-1) for m in name.split("+"))
        assert float((mean.argmax(-1) == labels).float().mean()) == pytest.approx(numbers["accuracy"], abs=1e-6)


def test_who_cannot_lack_a_modality_says_why(folder: Path, whole: bool) -> None:
    run, dataset = opened(folder, "learned")
    result = robustness_of(run, dataset)
    if not whole:
        assert list(result["dropped"]) == ["image", "text", "audio"]
        assert result["needed"] == {}
        assert len(subsets_of(run, dataset)["subsets"]) == 7
        return
    assert result["dropped"] == {}
    assert result["needed"]["audio"] == "its vector of an absent audio was never trained: no training item lacks it"
    run, dataset = opened(folder, "concat")
    assert "absent: learned or head: decision" in robustness_of(run, dataset)["needed"]["image"]
    assert list(subsets_of(run, dataset)["subsets"]) == ["image+text+audio"]
    run, dataset = opened(folder, "text")
    result = robustness_of(run, dataset)
    assert result["needed"] == {"text": "it reads nothing else"}
    assert list(result["shuffled"]) == list(result["damaged"]) == ["text"]


@pytest.mark.parametrize("whole", [True], indirect=True)
def test_what_is_not_used_costs_nothing(folder: Path) -> None:
    run, dataset = opened(folder, "concat")
    with torch.no_grad():
        for parameter in run.model.projection["image"].parameters():
            parameter.zero_()
    result = robustness_of(run, dataset)
    assert result["shuffled"]["image"] == pytest.approx({k: result["clean"][k] for k in result["shuffled"]["image"]})
    for points in result["damaged"]["image"].values():
        assert points[0][1]["accuracy"] == result["clean"]["accuracy"]
    assert result["stored"], "and that this is no longer the run's model is told"


@pytest.mark.parametrize("whole", [True], indirect=True)
def test_a_ranking_is_damaged_and_neither_shuffled_nor_halved(folder: Path) -> None:
    run, dataset = opened(folder, "ranks", "ranked")
    result = robustness_of(run, dataset)
    assert result["shuffled"] == result["dropped"] == result["needed"] == {}
    assert "stored" not in result
    assert result["clean"].keys() == {f"{d}/recall@{k}" for d in ("i2t", "t2i") for k in (1, 5)}
    assert not Subsets.applies(run.result.config)
    assert not Robustness.applies({k: v for k, v in run.result.config.items() if k != "train"})


def test_measured_runs_are_on_the_board(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "runs", tmp_path / "runs")
    snapshot, store = board(folder), Store(tmp_path / "runs", "toy")
    jobs = missing(snapshot, store, ASKED)
    assert len(jobs) == len(snapshot.rows)
    assert measure(jobs) == []
    assert missing(snapshot, store, ASKED) == []
    sections = measurement_sections(replace(snapshot, measures=measured(snapshot, store, ASKED)))
    titles = [section.title for section in sections]
    assert titles == ["Use of each modality", "Robustness", "One model, evaluated with fewer modalities"]
    assert "Check" not in blocks_text(sections)
