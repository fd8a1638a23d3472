"""From experiment file to board: resume after a kill, the same numbers whatever the workers, failures kept apart."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import numpy as np
import pytest
import torch

from vsebench.config.experiment import load_experiment
from vsebench.core.errors import DiskError
from vsebench.core.types import Result
from vsebench.data.open import open_dataset
from vsebench.leaderboard.render import stale
from vsebench.ops.ranking import Ranks
from vsebench.pipeline import Outcome, sweep_to_board
from vsebench.runs.store import Store
from vsebench.sweeps.plan import make_plan
from vsebench.sweeps.worker import Settings

Write = Callable[[Any], Path]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def do(file: Path, folder: Path, *, workers: int = 0, only: tuple[str, ...] = (), **settings: Any) -> Outcome:
    experiment = load_experiment(file)
    dataset = open_dataset(experiment.spec.dataset)
    message = Settings(store_root=folder / "runs", dataset_path=dataset.path, device="cpu", **settings)
    board = folder / "board"
    return sweep_to_board(
        experiment, dataset, settings=message, workers=workers, board_folder=board, command="vsebench sweep", only=only
    )


def results(folder: Path, name: str = "tiny") -> dict[tuple[str, int], Result]:
    return {(r.system, r.seed): r for r in Store(folder / "runs", name).results()}


def test_sweep_ends_with_results_and_a_board(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    outcome = do(write_experiment(tiny_experiment), tmp_path)
    result = results(tmp_path)
    assert set(result) == {("image only", 0), ("both", 0)}
    assert not outcome.failed
    both = result["both", 0]
    assert both.status == "finished"
    assert {"val/accuracy", "test/accuracy", "test/i2t/recall@5", "test/t2i/median_rank"} <= set(both.metrics)
    assert not any("i2t" in key for key in result["image only", 0].metrics)
    assert both.test_evaluations == 1
    assert both.parameters["trained"] < both.parameters["total"]
    page = (tmp_path / "board" / "tiny.md").read_text()
    assert "| both" in page
    assert "image only" in page
    assert "| Rank |" in page
    assert " 95 % |" in page
    assert (tmp_path / "board" / "items" / "tiny.npz").is_file(), "what the intervals come from is committed too"
    assert stale(tmp_path / "board") == []
    folder = Store(tmp_path / "runs", "tiny").run_folder(both.run_id)
    assert {"run.yaml", "history.jsonl", "model.safetensors", "predictions-test.npz"} <= {
        p.name for p in folder.iterdir()
    }
    assert not list(folder.glob("checkpoint*"))


def test_numbers_come_again_from_the_stored_predictions(
    write_experiment: Write, tiny_experiment: Any, tmp_path: Path
) -> None:
    do(write_experiment(tiny_experiment), tmp_path)
    for result in results(tmp_path).values():
        folder = Store(tmp_path / "runs", "tiny").run_folder(result.run_id)
        with np.load(folder / "predictions-test.npz", allow_pickle=False) as stored:
            accuracy = float(np.mean(stored["logits"].argmax(1) == stored["labels"]))
            assert accuracy == pytest.approx(result.metrics["test/accuracy"])
            if "i2t/above" in stored:
                parts = [stored[f"i2t/{p}"] for p in ("above", "tied", "tied_relevant", "relevant")]
                hits = Ranks(*parts, gallery=len(stored["owner"]), skipped=0).hit(5)
                assert hits.mean() == pytest.approx(result.metrics["test/i2t/recall@5"])


def test_a_second_sweep_does_nothing(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    file = write_experiment(tiny_experiment)
    do(file, tmp_path)
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("result.json")}
    outcome = do(file, tmp_path)
    assert outcome.plan.todo == []
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("result.json")} == times
    assert outcome.written == []


def test_a_new_row_pays_only_for_itself(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    do(write_experiment(tiny_experiment), tmp_path)
    tiny_experiment["systems"]["gated"] = {**tiny_experiment["systems"]["both"], "fusion": "gated"}
    outcome = do(write_experiment(tiny_experiment), tmp_path)
    assert [r.name for r in outcome.plan.todo] == ["gated"]


def metrics_of(folder: Path) -> dict[tuple[str, int], dict[str, float]]:
    return {key: dict(r.metrics) for key, r in results(folder).items()}


@pytest.mark.slow
def test_same_numbers_twice_and_with_any_workers(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    tiny_experiment["seeds"] = [0, 1]
    file = write_experiment(tiny_experiment)
    do(file, tmp_path / "one")
    do(file, tmp_path / "again")
    do(file, tmp_path / "two", workers=2)
    first = metrics_of(tmp_path / "one")
    assert len(first) == 4
    assert first == metrics_of(tmp_path / "again")
    assert first == metrics_of(tmp_path / "two")
    assert first["both", 0] != first["both", 1]


@pytest.mark.slow
def test_worker_processes_know_the_plugins_of_the_command(
    write_experiment: Write, feature_experiment: Any, tmp_path: Path
) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "import vsebench as vb\n\nConcat = vb.FUSIONS.get('concat').target\n\n\n"
        '@vb.FUSIONS.register("mine", source="none")\nclass Mine(Concat):\n    """Concatenate."""\n'
    )
    feature_experiment["systems"]["both"]["fusion"] = "mine"
    file = write_experiment(feature_experiment)
    places = ("--plugin", plugin, "--runs", tmp_path / "runs", "--board", tmp_path / "board")
    assert commands.vsebench("sweep", file, "--workers", "2", "--wandb", "disabled", *places).returncode == 0
    assert {r.status for r in results(tmp_path).values()} == {"finished"}


def test_continuing_from_a_checkpoint_changes_nothing(
    write_experiment: Write, tiny_experiment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vsebench.engine.train

    tiny_experiment["train"]["epochs"] = 5
    tiny_experiment["systems"] = {"both": {**tiny_experiment["systems"]["both"], "dropout": 0.2}}
    file = write_experiment(tiny_experiment)
    do(file, tmp_path / "whole")
    monkeypatch.setattr(vsebench.engine.train, "CHECKPOINT_EVERY_S", 0.0)
    saved = vsebench.engine.train.save_checkpoint
    count = 0

    def save_then_die(*args: Any) -> None:
        nonlocal count
        saved(*args)
        count += 1
        if count == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(vsebench.engine.train, "save_checkpoint", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        do(file, tmp_path / "cut")
    assert results(tmp_path / "cut") == {}
    assert list((tmp_path / "cut").rglob("checkpoint.pt"))
    do(file, tmp_path / "cut")
    assert metrics_of(tmp_path / "cut") == metrics_of(tmp_path / "whole")
    history = [next(iter(tmp_path.rglob(f"{d}/runs/tiny/*/history.jsonl"))).read_text() for d in ("cut", "whole")]
    assert history[0] == history[1]


def is_midway(folder: Path, finished: int) -> bool:
    """Return whether so many runs have ended and another is in training."""
    ended = list(folder.glob("runs/tiny/*/result.json"))
    begun = list(folder.glob("runs/tiny/*/history.jsonl"))
    return len(ended) >= finished and len(begun) > len(ended)


@pytest.mark.slow
@pytest.mark.parametrize("finished", [0, 2], ids=["in the first runs", "between runs"])
def test_killed_sweep_goes_on_and_ends_the_same(
    write_experiment: Write, feature_experiment: Any, tmp_path: Path, finished: int
) -> None:
    feature_experiment["train"]["epochs"] = 60
    feature_experiment["seeds"] = [0, 1]
    file = write_experiment(feature_experiment)
    do(file, tmp_path / "whole")
    command = ["sweep", file, "--workers", "2", "--wandb", "disabled"]
    command += ["--runs", tmp_path / "cut" / "runs", "--board", tmp_path / "cut" / "board"]
    process = commands.start(command)
    assert process.pid is not None
    while not is_midway(tmp_path / "cut", finished) and process.is_alive():
        time.sleep(0.02)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for victim in (process.pid, *map(int, workers)):
        os.kill(victim, signal.SIGKILL)
    process.join()
    done = {k for k, r in results(tmp_path / "cut").items() if r.status == "finished"}
    assert commands.vsebench(*command).returncode == 0
    assert finished <= len(done) < 4, "killed in the middle"
    assert done <= set(results(tmp_path / "cut"))
    assert metrics_of(tmp_path / "cut") == metrics_of(tmp_path / "whole")


def test_a_failed_run_is_recorded_and_tried_again(
    write_experiment: Write, tiny_experiment: Any, tmp_path: Path
) -> None:
    tiny_experiment["systems"]["bad"] = {
        **tiny_experiment["systems"]["both"],
        "train": {"optimizer": {"name": "sgd", "lr": 1e30}},
    }
    file = write_experiment(tiny_experiment)
    outcome = do(file, tmp_path)
    assert [r.system for r in outcome.failed] == ["bad"]
    assert "not finite" in str(outcome.failed[0].error)
    assert results(tmp_path)["both", 0].status == "finished"
    page = (tmp_path / "board" / "tiny.md").read_text()
    assert "<b>Failed</b>" in page
    assert "- bad, seed 0:" in page
    assert [r.name for r in do(file, tmp_path).plan.todo] == ["bad"]


def test_only_keeps_the_other_rows_on_the_board(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    file = write_experiment(tiny_experiment)
    do(file, tmp_path, only=("both",))
    assert set(results(tmp_path)) == {("both", 0)}
    assert "**Not complete**: 1 planned" in (tmp_path / "board" / "tiny.md").read_text()
    do(file, tmp_path, only=("image only",))
    page = (tmp_path / "board" / "tiny.md").read_text()
    assert "| both" in page
    assert "Not complete" not in page


def test_damaged_result_is_not_a_result(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    file = write_experiment(tiny_experiment)
    do(file, tmp_path, only=("both",))
    result = next((tmp_path / "runs").rglob("result.json"))
    result.write_text(result.read_text()[:100])
    assert [r.name for r in do(file, tmp_path, only=("both",)).plan.todo] == ["both"]
    json.loads(result.read_text())


def test_run_id_follows_what_matters(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    def ids(content: Any) -> list[str]:
        experiment = load_experiment(write_experiment(content))
        dataset = open_dataset(experiment.spec.dataset)
        return [r.run_id for r in make_plan(experiment, dataset.describe(), Store(tmp_path, "x")).runs]

    base = ids(tiny_experiment)
    assert ids(tiny_experiment) == base
    assert ids({**tiny_experiment, "title": "Another title"}) == base
    assert not set(ids({**tiny_experiment, "seeds": [7]})) & set(base)
    assert not set(ids({**tiny_experiment, "metrics": ["accuracy"]})) & set(base)
    assert not set(ids({**tiny_experiment, "train": {"epochs": 3}})) & set(base)


def test_evaluations_on_test_are_counted_over_repetitions(
    write_experiment: Write, tiny_experiment: Any, tmp_path: Path
) -> None:
    file = write_experiment(tiny_experiment)
    do(file, tmp_path)
    page = tmp_path / "board" / "tiny.md"
    assert "Test is evaluated once per run, at the end." in page.read_text()
    first = results(tmp_path)
    again = Store(tmp_path / "runs", "tiny").run_folder(first["both", 0].run_id)
    (again / "result.json").unlink()
    do(file, tmp_path)
    second = results(tmp_path)
    assert {key: r.test_evaluations for key, r in second.items()} == {("both", 0): 2, ("image only", 0): 1}
    assert second["both", 0].metrics == first["both", 0].metrics
    assert "**Test was evaluated more than once** for 1 of 2 runs" in page.read_text()
    assert "both, seed 0: 2 times" in page.read_text()


@pytest.mark.parametrize("name", ["result.json", "predictions-test.npz", "history.jsonl", "vocabulary.json"])
@pytest.mark.parametrize("content", [b"", b"[]"])
def test_what_is_damaged_of_a_finished_run_is_named_and_done_again(
    name: str, content: bytes, write_experiment: Write, tiny_experiment: Any, tmp_path: Path
) -> None:
    del tiny_experiment["systems"]["image only"]
    file = write_experiment(tiny_experiment)
    do(file, tmp_path)
    (whole,) = results(tmp_path).values()
    damaged = Store(tmp_path / "runs", "tiny").run_folder(whole.run_id) / name
    damaged.write_bytes(content)
    lines: list[str] = []
    experiment = load_experiment(file)
    dataset = open_dataset(experiment.spec.dataset)
    message = Settings(store_root=tmp_path / "runs", dataset_path=dataset.path, device="cpu")
    sweep_to_board(
        experiment,
        dataset,
        settings=message,
        workers=0,
        board_folder=tmp_path / "board",
        command="vsebench sweep",
        on_event=lambda event: lines.append(event.text) if event.kind == "note" else None,
    )
    (again,) = results(tmp_path).values()
    assert again.metrics == whole.metrics
    assert len(lines) == 1
    assert lines[0].startswith(f"{damaged} is damaged: ")
    assert damaged.with_name(f"{name}.damaged").read_bytes() == content
    assert stale(tmp_path / "board") == []


def test_a_full_disk_ends_the_sweep_with_one_line_and_leaves_nothing_partial(
    write_experiment: Write, tiny_experiment: Any, tmp_path: Path
) -> None:
    file = write_experiment(tiny_experiment)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(DiskError, match="the file would be larger than") as caught:
            do(file, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert "\n" not in str(caught.value)
    places = [tmp_path, Path(os.environ["VSEBENCH_HOME"])]
    assert [f for place in places for f in place.rglob("*partial*")] == []
    assert {r.status for r in results(tmp_path).values()} <= {"finished"}, "no run is to blame"
    do(file, tmp_path)
    assert {r.status for r in results(tmp_path).values()} == {"finished"}
