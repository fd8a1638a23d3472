"""W&B: what an offline run wrote is read back; losing it loses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from wandb_files import read_back

from vsebench.config.experiment import load_experiment
from vsebench.config.schema import Prune
from vsebench.core.errors import ConfigError, Place
from vsebench.data.open import open_dataset
from vsebench.pipeline import sweep_to_board
from vsebench.runs.schemas.result import parse_result
from vsebench.runs.store import Store, read_history
from vsebench.runs.tracking import RESULT_FILE, ROW_KEY, WandbTracker
from vsebench.runs.wandb_options import Wandb, parse_tags, resolve_mode
from vsebench.sweeps.plan import make_plan
from vsebench.sweeps.run_one import execute
from vsebench.sweeps.worker import Settings

Write = Callable[[Any], Path]


def run(file: Path, folder: Path) -> None:
    experiment = load_experiment(file)
    dataset = open_dataset(experiment.spec.dataset)
    settings = Settings(
        folder / "runs",
        dataset.path,
        device="cpu",
        wandb=Wandb("offline", system=False, artifacts=True, tags=("mine",)),
    )
    sweep_to_board(experiment, dataset, settings=settings, workers=0, board_folder=folder / "board", command="x")


@pytest.mark.slow
def test_an_offline_run_is_read_back(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    tiny_experiment["systems"].pop("image only")
    tiny_experiment["select"] = {"metric": "val/t2i/recall@1"}
    run(write_experiment(tiny_experiment), tmp_path)
    (result,) = Store(tmp_path / "runs", "tiny").results()
    (file,) = (tmp_path / "runs" / "tiny").rglob("run-*.wandb")
    results = read_back(file)
    assert results.about["group"] == "tiny"
    assert results.about["name"] == "both · seed 0"
    assert results.about["id"] == f"tiny-{result.run_id}"
    assert results.config["seed"] == 0
    slots = {"image_encoder": "timm_cnn", "text_encoder": "lstm", "audio_encoder": "none", "pooling": "mean / last"}
    assert {slot: results.config[slot] for slot in slots} == slots
    assert results.about["job_type"] == "train"
    assert {"dataset:tiny", "text_encoder:lstm", "fusion:concat", "systems"} <= set(results.tags)
    assert results.metrics["val/t2i/recall@1"] == ("epoch", {"max"})
    assert "*" in results.metrics
    assert results.config["system"]["text_encoder"]["options"]["dim_hidden"] == 8
    history = read_history(Store(tmp_path / "runs", "tiny").run_folder(result.run_id))
    epochs = [step for step in results.history if "train/loss" in step]
    assert [step["epoch"] for step in epochs] == [1, 2]
    for sent, selected in zip(epochs, history, strict=True):
        assert {"val/accuracy", "val/average_precision", "val/i2t/recall@5"} <= sent.keys(), "what metrics ask for"
        assert not any("/chance/" in key for key in sent)
        assert sent["train/loss"] == pytest.approx(selected["train/loss"])
        assert sent["val/accuracy"] == pytest.approx(selected["val/accuracy"])
    for key, value in result.metrics.items():
        assert results.summary[key] == pytest.approx(value), key
    # What is synced later is complete: the whole result, with all its digits, and where it stands on the board.
    files = file.parent / "files"
    assert RESULT_FILE in results.files
    assert parse_result(json.loads((files / RESULT_FILE).read_text()), Place(RESULT_FILE)) == result
    assert max(len(str(value)) for value in results.summary.values() if not isinstance(value, dict)) < 100
    facts = {"best_epoch": result.best_epoch, "commit": result.commit, "fingerprint": result.dataset["fingerprint"]}
    assert {name: results.config[name] for name in facts} == facts
    assert results.config["hardware"]["processor"] == result.hardware["processor"]
    assert "mine" in results.tags
    charts = set(results.config["_wandb"]["visualize"])
    assert charts == {"test/confusion_matrix", "test/precision_recall"}
    confusion = json.loads(next((files / "media" / "table").rglob("confusion_matrix_table*.json")).read_text())
    counts = np.array([line[2] for line in confusion["data"]])
    assert counts.sum() == result.dataset["splits"]["test"]
    assert all(not Path(name).is_absolute() and (files / name).is_file() for name in results.files)
    kinds = {name.split("-")[0]: {Path(path).name for path, _ in some} for name, some in results.artifacts.items()}
    assert kinds["model"] >= {"model.safetensors", "run.yaml"}
    assert kinds["predictions"] == {"predictions-val.npz", "predictions-test.npz"}
    assert kinds["dataset"] == {"dataset-card.md"}
    assert results.config[ROW_KEY]["section"] == "systems"
    assert results.config[ROW_KEY]["select"] == {"metric": "val/t2i/recall@1", "mode": "max"}


class _Lost:
    """A W&B run whose connection breaks after the first epoch."""

    resumed = False
    project_url = "https://w/team/p"

    def __init__(self) -> None:
        self.logged = 0
        self.summary: dict[str, Any] = {}

    def define_metric(self, name: str, **how: Any) -> None:
        pass

    def log(self, numbers: Any) -> None:
        self.logged += 1
        if self.logged > 1:
            raise ConnectionError("the network is gone")

    def finish(self, exit_code: int = 0) -> None:
        raise AssertionError("a lost tracker is not asked again")


def test_losing_wandb_loses_nothing(
    write_experiment: Write, tiny_experiment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    import wandb

    monkeypatch.setattr(wandb, "init", lambda **_: _Lost())
    run(write_experiment(tiny_experiment), tmp_path)
    results = list(Store(tmp_path / "runs", "tiny").results())
    assert [r.status for r in results] == ["finished", "finished"]
    assert all(len(read_history(Store(tmp_path / "runs", "tiny").run_folder(r.run_id))) == 2 for r in results)
    assert "the network is gone" in caplog.text


def test_a_tracker_that_cannot_start_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    import wandb

    def refuse(**_: Any) -> None:
        raise OSError("no disk")

    monkeypatch.setattr(wandb, "init", refuse)
    tracker = WandbTracker(
        Wandb("offline"), folder=tmp_path, group="g", name="n", run_id="i", config={}
    )  # fmt: skip
    tracker.log({"epoch": 1})
    tracker.finish(None)
    assert caplog.text.count("W&B lost") == 1


class _Told:
    """A run that keeps what it is told."""

    resumed = False
    project_url = "https://w/team/p"
    dir = "nowhere/files"
    step = 0

    def __init__(self, **summary: Any) -> None:
        self.report: dict[str, Any] = {}
        self.summary = summary
        self.epochs: list[float] = []

    def define_metric(self, name: str, **how: Any) -> None:
        pass

    def log(self, numbers: dict[str, Any]) -> None:
        self.report |= numbers
        self.epochs += [numbers["epoch"]] if "epoch" in numbers else []


def test_plots_are_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb
    from matplotlib.figure import Figure

    run = _Told()
    monkeypatch.setattr(wandb, "init", lambda **_: run)
    tracker = WandbTracker(
        Wandb("offline"), folder=tmp_path, group="g", name="leaderboard", run_id="i", config={}
    )  # fmt: skip
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1], [1, 0])
    tracker.log_figure("plots/lookup", figure)
    assert tracker.place() == f"offline; send it with: wandb sync {tmp_path}/wandb/offline-run-*"
    assert [picture.image.size for picture in run.report["plots/lookup"]] == [(240, 120)]


def test_a_continued_run_logs_no_epoch_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    run, requested = _Told(epoch=2), {}
    run.resumed = True
    monkeypatch.setattr(wandb, "init", lambda **how: requested.update(how) or run)
    best = ("val/accuracy", "max")
    tracker = WandbTracker(
        Wandb("online"), folder=tmp_path, group="g", name="n", run_id="i", config={}, best=best
    )  # fmt: skip
    for epoch in (1, 2, 3, 4):
        tracker.log({"epoch": epoch, "val/accuracy": 0.1 * epoch})
    assert run.epochs == [3, 4]
    assert (requested["id"], requested["resume"]) == ("i", "allow")


def offline(folder: Path, run_id: str, **how: Any) -> WandbTracker:
    return WandbTracker(
        Wandb("offline", system=False), folder=folder, group="g", name="n", run_id=run_id, config={}, **how
    )  # fmt: skip


def test_offline_the_last_attempt_is_the_one_to_sync(tmp_path: Path) -> None:
    """An interrupted run says all its epochs again: the folder of its first attempt would only be in the way."""
    first = offline(tmp_path, "a", best=("val/accuracy", "max"))
    first.log({"epoch": 1, "val/accuracy": 0.9})
    first.finish(None)
    other = offline(tmp_path, "other-a")
    other.close({})
    (old,) = tmp_path.glob("wandb/offline-run-*-a/run-a.wandb")
    again = offline(tmp_path, "a", best=("val/accuracy", "max"))
    for epoch, value in ((1, 0.9), (2, 0.7)):
        again.log({"epoch": epoch, "val/accuracy": value})
    again.close({"val/accuracy": 0.9, "test/accuracy": 0.8})
    assert not first.lost
    assert not again.lost
    left = sorted(f.name for f in tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    assert left == ["run-a.wandb", "run-other-a.wandb"]
    (file,) = tmp_path.glob("wandb/offline-run-*-a/run-a.wandb")
    result = read_back(file)
    assert [h["epoch"] for h in result.history] == [1, 2]
    assert result.summary["val/accuracy"] == 0.9
    assert result.summary["test/accuracy"] == 0.8
    assert old.parent.parent == file.parent.parent


HOSTILE = "a|b <script>alert(1)</script> =1+1\n\u202e *x*"


def test_tables_and_pictures_are_files_of_the_run(tmp_path: Path) -> None:
    """By relative paths: W&B would name a table's files, which lie in the user's home, by absolute ones."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), (200, 10, 10)).save(buffer, "JPEG")
    tracker = offline(tmp_path, "board", job_type="leaderboard")
    tracker.log_table("rows", ["system", "value"], [[HOSTILE, 0.5], ["b", None]])
    tracker.log_pictures("gallery/i2t/pictures", [(buffer.getvalue(), HOSTILE)])
    tracker.log_html("page", f"<p>{escape(HOSTILE)}</p>")
    tracker.close({"best": HOSTILE})
    assert not tracker.lost
    (file,) = tmp_path.rglob("run-board.wandb")
    result = read_back(file)
    assert result.about["job_type"] == "leaderboard"
    files = file.parent / "files"
    assert result.artifacts == {}, "an artifact's files are named by absolute paths"
    assert {Path(name).suffix for name in result.files} >= {".json", ".png", ".html"}
    assert all(not Path(name).is_absolute() and (files / name).is_file() for name in result.files)
    (table,) = files.rglob("media/table/rows*.table.json")
    assert json.loads(table.read_text())["data"] == [[HOSTILE, 0.5], ["b", None]], "plain data, as it is"
    (page,) = file.parent.rglob("files/media/html/page*.html")
    assert "<script>" not in page.read_text()
    assert result.summary["best"] == HOSTILE


def test_tags() -> None:
    assert parse_tags(" a b, c,,a b") == ("a b", "c")
    with pytest.raises(ConfigError, match=r"--wandb-tags: 'x{65}' has 65 characters; W&B takes at most 64"):
        parse_tags("x" * 65)


def test_mode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    assert resolve_mode("auto") == "offline"
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    assert resolve_mode("auto") == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert resolve_mode("auto") == "disabled"
    assert resolve_mode("offline") == "offline"


class _Kept:
    """A tracker that keeps its result."""

    result: Any = None

    def log(self, numbers: Any) -> None:
        pass

    def finish(self, result: Any) -> None:
        self.result = result


def test_a_pruned_run_tells_its_result(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    tiny_experiment["systems"].pop("image only")
    experiment = load_experiment(write_experiment(tiny_experiment))
    dataset = open_dataset(experiment.spec.dataset)
    store = Store(tmp_path, "tiny")
    (run,) = make_plan(experiment, dataset.describe(), store).runs
    selected = _Kept()
    result = execute(
        replace(run, prune=Prune()),
        dataset,
        store,
        device=torch.device("cpu"),
        tracker=lambda _: selected,
        decide=lambda *_: False,
    )
    assert (result.status, result.epochs, result.notes) == ("pruned", 1, ["pruned by asha, min_epochs 1, reduction 3"])
    assert selected.result == result == store.read(run.run_id)
