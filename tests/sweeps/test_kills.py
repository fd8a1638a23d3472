"""A sweep that is killed again and again, at any moment and in any of its processes, ends with the same results."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from commands import start

Write = Callable[[Any], Path]
#: 50 take about nine minutes on two busy cores: VSEBENCH_TEST_KILLS=50 pytest tests/sweeps/test_kills.py
KILLS = int(os.environ.get("VSEBENCH_TEST_KILLS", "5"))


def sweep(file: Path, folder: Path) -> BaseProcess:
    places = ("--runs", folder / "runs", "--board", folder / "board")
    return start(["sweep", file, "--workers", "2", "--wandb", "disabled", *places])


def sweep_to_the_end(file: Path, folder: Path) -> None:
    process = sweep(file, folder)
    process.join(120)
    assert process.exitcode == 0


def outcome(folder: Path) -> dict[str, Any]:
    """Everything of the results but times and versions."""
    results = {}
    for file in folder.glob("runs/tiny/*/result.json"):
        result = json.loads(file.read_text())
        left_out = ("train_s", "other_s", "finished_at", "ranking")  # ranking tells milliseconds
        history = (file.parent / "history.jsonl").read_text().splitlines()
        results[result["run_id"]] = {k: v for k, v in result.items() if k not in left_out} | {"history": history}
    return results


def processes(parent: int) -> list[int]:
    """The process and its children, as far as they are alive."""
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        children = []
    return [parent, *map(int, children)]


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no /proc to find a process's children in")
def test_kills_at_random_moments(write_experiment: Write, feature_experiment: Any, tmp_path: Path) -> None:
    # A plug-in reaches the workers too: a checkpoint after every epoch instead of every ten seconds.
    (tmp_path / "often.py").write_text(
        "import vsebench.engine.train\n\nvsebench.engine.train.CHECKPOINT_EVERY_S = 0.0\n"
    )
    feature_experiment["plugins"] = ["often.py"]
    feature_experiment["train"]["epochs"] = 20
    feature_experiment["seeds"] = [0, 1]
    file = write_experiment(feature_experiment)
    begin = time.monotonic()
    sweep_to_the_end(file, tmp_path / "whole")
    takes = time.monotonic() - begin
    wanted = outcome(tmp_path / "whole")
    assert len(wanted) == 4
    draw = random.Random(0)
    killed, whole, kinds = 0, 0, {"parent": 0, "worker": 0}
    while killed < KILLS:
        process = sweep(file, tmp_path / "cut")
        assert process.pid is not None
        time.sleep(draw.uniform(0.2, takes))
        alive = processes(process.pid)
        # The command and its workers in turn, so that few kills are of both kinds.
        victim = alive[0] if killed % 2 else draw.choice(alive[1:] or alive)
        if process.is_alive():
            try:
                os.kill(victim, signal.SIGKILL)
                killed += 1
                kinds["parent" if victim == process.pid else "worker"] += 1
            except ProcessLookupError:
                pass
        process.join(120)
        for left in alive[1:]:  # workers end by themselves once their parent is gone
            deadline = time.monotonic() + 20
            while is_alive(left) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not is_alive(left), "a worker outlived its parent"
        if process.exitcode == 0:
            assert outcome(tmp_path / "cut") == wanted
            shutil.rmtree(tmp_path / "cut")
            whole += 1
    sweep_to_the_end(file, tmp_path / "cut")
    assert outcome(tmp_path / "cut") == wanted
    assert killed >= KILLS
    assert KILLS < 5 or min(kinds.values()) > 0
