"""W&B: what an offline run wrote is read back; losing it loses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from vsebench.config.experiment import load_experiment
from vsebench.config.schema import Prune
from vsebench.data.open import open_dataset
from vsebench.store import Store, read_history, result_from
from vsebench.sweep.execute import execute
from vsebench.sweep.plan import make_plan
from vsebench.sweep.run import sweep
from vsebench.sweep.worker import Settings
from vsebench.tracking import RESULT_KEY, ROW_KEY, WandbTracker, resolve_mode

Write = Callable[[Any], Path]


def log_records(content: bytes) -> Iterator[bytes]:
    """Records of a .wandb file: a 7-byte header, then LevelDB's log format (blocks of 32 KiB, records in fragments)."""
    assert content.startswith(b":W&B")
    at, whole = 7, b""
    while at < len(content):
        if 32768 - at % 32768 < 7:  # a block's last bytes that cannot hold a header are padding
            at += 32768 - at % 32768
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        whole += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a full record, or the last of its fragments
            yield whole
            whole = b""


def read_back(file: Path) -> dict[str, Any]:
    """Config, history, summary and group of an offline run's file."""
    from wandb.proto import wandb_internal_pb2

    found: dict[str, Any] = {"config": {}, "history": [], "summary": {}}
    for data in log_records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            found["group"], found["name"], found["id"] = (
                record.run.run_group,
                record.run.display_name,
                record.run.run_id,
            )
            found["config"] |= {c.key: json.loads(c.value_json) for c in record.run.config.update}
        elif kind == "history":
            found["history"].append(
                {(i.key or "/".join(i.nested_key)): json.loads(i.value_json) for i in record.history.item}
            )
        elif kind == "summary":
            found["summary"] |= {
                (u.key or "/".join(u.nested_key)): json.loads(u.value_json) for u in record.summary.update
            }
    return found


def run(file: Path, folder: Path) -> None:
    experiment = load_experiment(file)
    dataset = open_dataset(experiment.spec.dataset)
    settings = Settings(folder / "runs", dataset.path, device="cpu", wandb_mode="offline")
    sweep(experiment, dataset, settings=settings, workers=1, board_folder=folder / "board", command="x")


@pytest.mark.slow
def test_an_offline_run_is_read_back(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    tiny_experiment["systems"].pop("image only")
    run(write_experiment(tiny_experiment), tmp_path)
    (result,) = Store(tmp_path / "runs", "tiny").results()
    (file,) = (tmp_path / "runs" / "tiny").rglob("run-*.wandb")
    found = read_back(file)
    assert found["group"] == "tiny"
    assert found["name"] == "both · seed 0"
    assert found["id"] == f"tiny-{result.run_id}"
    assert found["config"]["seed"] == 0
    assert found["config"]["system"]["text_encoder"]["options"]["dim_hidden"] == 8
    history = read_history(Store(tmp_path / "runs", "tiny").run_folder(result.run_id))
    assert [h["epoch"] for h in found["history"]] == [1, 2]
    for sent, kept in zip(found["history"], history, strict=True):
        assert sent["train/loss"] == pytest.approx(kept["train/loss"])
        assert sent["val/accuracy"] == pytest.approx(kept["val/accuracy"])
    for key, value in result.metrics.items():
        assert found["summary"][key] == pytest.approx(value), key
    # What is synced later is complete: the whole result, with all its digits, and where it stands on the board.
    assert result_from(json.loads(found["summary"][RESULT_KEY])) == result
    assert found["config"][ROW_KEY]["section"] == "systems"
    assert found["config"][ROW_KEY]["select"] == {"metric": "val/accuracy", "mode": "max"}


class _Lost:
    """A W&B run whose connection breaks after the first epoch."""

    def __init__(self) -> None:
        self.logged = 0
        self.summary: dict[str, Any] = {}

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
        mode="offline", folder=tmp_path, project="p", group="g", name="n", run_id="i", config={}
    )  # fmt: skip
    tracker.log({"epoch": 1})
    tracker.finish({})
    assert caplog.text.count("W&B lost") == 1


class _Told:
    """A run that keeps what it is told."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def log(self, numbers: dict[str, Any]) -> None:
        self.told |= numbers


def test_curves_are_figures_and_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb
    from matplotlib.figure import Figure

    run = _Told()
    monkeypatch.setattr(wandb, "init", lambda **_: run)
    tracker = WandbTracker(
        mode="offline", folder=tmp_path, project="p", group="g", name="leaderboard", run_id="i", config={}
    )  # fmt: skip
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1], [1, 0])
    tracker.log_figure("plots/lookup", figure)
    tracker.log_table("curves", ["system", "precision"], [["a", 0.5], ["b", None]])
    assert not tracker.lost
    assert run.told["plots/lookup"].image.size == (240, 120)
    assert run.told["curves"].columns == ["system", "precision"]
    assert len(run.told["curves"].data) == 2


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
    """A tracker that keeps its summary."""

    def __init__(self) -> None:
        self.summary: dict[str, Any] = {}

    def log(self, numbers: Any) -> None:
        pass

    def finish(self, summary: Any, *, failed: bool = False) -> None:
        self.summary = dict(summary)


def test_a_pruned_run_tells_its_result(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    tiny_experiment["systems"].pop("image only")
    experiment = load_experiment(write_experiment(tiny_experiment))
    dataset = open_dataset(experiment.spec.dataset)
    store = Store(tmp_path, "tiny")
    (run,) = make_plan(experiment, dataset.describe(), store).runs
    kept = _Kept()
    result = execute(
        replace(run, prune=Prune()),
        dataset,
        store,
        device=torch.device("cpu"),
        tracker=lambda _: kept,
        decide=lambda *_: False,
    )
    assert (result.status, result.epochs, result.notes) == ("pruned", 1, ["pruned by asha, min_epochs 1, reduction 3"])
    assert result_from(json.loads(kept.summary[RESULT_KEY])) == result == store.read(run.run_id)
    assert kept.summary["pruned_at_epoch"] == 1
