"""The cost of small runs: a classifier, two that rank, one whose pairs are scored; beside counts by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from swept import sweep_in

from vsebench.cli.measure import complete
from vsebench.core.registry import MEASUREMENTS
from vsebench.measurements import _timing
from vsebench.measurements._cost import Calls, cost_of, parameter_parts
from vsebench.measurements._queries import Search
from vsebench.measurements.cost import Cost
from vsebench.runs.energy import ENERGY
from vsebench.runs.load import LoadedRun, load_run
from vsebench.runs.snapshot import Snapshot, load, results_file
from vsebench.runs.store import Store

WORDS = {"name": "lstm", "dim_word": 8, "dim_hidden": 8}
PIXELS = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32}
RANKED = {"text_encoder": WORDS, "image_encoder": PIXELS, "head": "none", "dim": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_file: Path) -> Path:
    folder = tmp_path_factory.mktemp("cost")
    contrast = {"name": "info_nce"}
    sweep_in(
        folder,
        {
            "experiment": "small",
            "dataset": str(tiny_file),
            "metrics": ["recall@1"],
            "select": {"metric": "val/i2t/recall@1", "mode": "max"},
            "seeds": [0],
            "train": {"epochs": 1, "batch_size": 32},
            "systems": {
                "features": {
                    "dim": 4,
                    "image_encoder": {"name": "features"},
                    "text_encoder": {"name": "features"},
                    "fusion": "concat",
                    "head": {"name": "mlp", "hidden": 16, "layers": 1},
                },
                "dual": {**RANKED, "objective": contrast},
                "pairs": {"system": "scan_t2i", "dim": 8, "image_encoder": PIXELS, "text_encoder": WORDS},
                "again": {
                    "system": "scan_t2i",
                    "dim": 8,
                    "image_encoder": PIXELS,
                    "text_encoder": WORDS,
                    "rerank_top": 3,
                    "objective": [{**contrast, "on": "scores"}, {**contrast, "on": "embeddings"}],
                },
            },
        },
    )
    return folder


def loaded(folder: Path, row: str) -> LoadedRun:
    snapshot = board(folder)
    run_id = next(r.runs["0"] for r in snapshot.rows if r.name == row)
    return load_run(Store(folder / "runs", "small").run_folder(run_id))


def board(folder: Path) -> Snapshot:
    return load(results_file(folder / "board", "small"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_timing, "BUDGET_S", 0.0)


def measured(folder: Path, row: str) -> Mapping[str, Any]:
    run = loaded(folder, row)
    return cost_of(run, run.open_dataset())


def test_classifier_of_features(folder: Path) -> None:
    run = loaded(folder, "features")
    result = cost_of(run, run.open_dataset())
    classes, dim, hidden = 3, 4, 16
    by_hand = 6 * dim + 5 * dim + 2 * dim * hidden + hidden * classes  # projections of 6 and 5 numbers, two layers
    assert result["gflops"]["item"] == pytest.approx(2 * by_hand / 1e9)
    assert result["answer"] == "item"
    assert result["inputs"]["image"].startswith("precomputed features")
    assert set(result["latency_ms"]) == {f"{n}@{b}" for n in ("item", "image", "text") for b in (1, 64)}
    for one in result["latency_ms"].values():
        assert 0 < one["low"] <= one["median"] <= one["high"]
    assert result["hardware"]["threads"] >= 1
    parts = parameter_parts(run.model)
    assert parts["projection"]["total"] == (6 + 1) * dim + (5 + 1) * dim
    assert parts["head"]["total"] == (2 * dim + 1) * hidden + (hidden + 1) * classes
    assert (run.folder / ENERGY).is_file(), "the sweep has metered its training"
    assert "not metered" not in str(result.get("energy_missing", {}))


@pytest.mark.parametrize("row", ["features", "dual", "pairs", "again"])
def test_parts_are_the_whole(folder: Path, row: str) -> None:
    model = loaded(folder, row).model
    parts = parameter_parts(model).values()
    assert {n: sum(part[n] for part in parts) for n in ("total", "trained")} == model.parameter_counts()


def test_dual_encoder_answers_queries(folder: Path) -> None:
    result = measured(folder, "dual")
    assert result["answer"] == "query"
    assert {"i2t@1", "t2i@1", "i2t@64", "t2i@64", "image@1", "text@1"} == set(result["latency_ms"])
    ranking = 2 * result["gallery"] * 8 / 1e9
    assert result["gflops"]["i2t"] == pytest.approx(result["gflops"]["image"] + ranking)
    assert result["gflops"]["t2i"] == pytest.approx(result["gflops"]["text"] + ranking)
    assert result["memory_bytes"]["item@64"] > result["memory_bytes"]["item@1"] > 0


def test_scorer_pays_for_every_pair(folder: Path) -> None:
    every, few = measured(folder, "pairs"), measured(folder, "again")
    assert "pair" in every["latency_ms"]
    ranking = 2 * few["gallery"] * 8 / 1e9
    all_pairs = every["gflops"]["i2t"] - every["gflops"]["image"]
    three_pairs = few["gflops"]["i2t"] - few["gflops"]["image"] - ranking
    assert 0 < 20 * three_pairs < all_pairs


def test_search_finds_what_the_model_ranks_first(folder: Path) -> None:
    """The gallery is the drawn items again and again: an image's best captions are copies of one."""
    for row in ("dual", "pairs", "again"):
        run = loaded(folder, row)
        calls = Calls(run, run.open_dataset())
        assert isinstance(calls.search, Search)
        rows = calls.items.rows[:3]
        for direction in ("i2t", "t2i"):
            result = calls.search.ask(direction, rows)  # type: ignore[arg-type]
            assert result.shape == (3, 3 if row == "again" else 10)
            assert int(result.max()) < 1000


def test_metered_energy_is_the_runs(folder: Path) -> None:
    run = loaded(folder, "dual")
    (run.folder / ENERGY).write_text(
        f'{{"joules": {{"processor": 7.5}}, "why": {{}}, "seconds": {run.result.train_s}}}'
    )
    assert cost_of(run, run.open_dataset())["energy_j"] == {"processor": 7.5}


def test_combinations_have_no_model() -> None:
    assert not Cost.applies({"objective": [], "fusion": {"name": "gated + concat", "options": {}}})
    assert Cost.applies({"train": {}, "fusion": None})
    assert MEASUREMENTS.get("cost").facts["alone"]


@pytest.mark.slow
def test_command_measures_alone_and_writes_the_board(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = {"runs": folder / "runs", "board": folder / "board"}
    complete("small", {"cost": {}}, **places, workers=2, threads=1, device="cpu")
    assert "measured 4 of 4" in capsys.readouterr().out
    assert all("cost" in parts for parts in board(folder).measures.values())
    text = (folder / "board" / "small.md").read_text()
    assert "<b>Cost</b>" in text
    assert (folder / "board" / "plots" / "small-cost-time.svg").is_file()
    complete("small", {"cost": {}}, **places, workers=2, threads=1, device="cpu")
    assert "measured" not in capsys.readouterr().out
