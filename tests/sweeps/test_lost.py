"""A run that takes its process down, hangs, or leaves something behind keeps no other run from its result."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from vsebench.config.identity import run_id
from vsebench.config.resolve import resolve
from vsebench.core.types import Result
from vsebench.runs.store import Store
from vsebench.sweeps import attempts
from vsebench.sweeps.attempts import Attempts

Write = Callable[[Any], Path]
POISON = '''
import os
import time
from pathlib import Path
from typing import Literal

import numpy as np
import torch

import vsebench as vb


@vb.OBJECTIVES.register("poison", source="a test", needs_logits=True)
class Poison(vb.OBJECTIVES.get("cross_entropy").target):
    """Cross entropy that does something else at its first step."""

    def __init__(self, *, how: Literal["abort", "exit once", "hang", "leave"] = "abort") -> None:
        super().__init__()
        self.how = how

    def forward(self, output, batch):
        """What the option says."""
        if self.how == "abort":
            os.write(2, b"the last words of the library\\n")
            os.abort()
        elif self.how == "hang":
            time.sleep(600)
        elif self.how == "exit once" and not (marker := Path(__file__).with_name("ended")).exists():
            marker.write_text("")
            os._exit(0)
        elif self.how == "leave":
            torch.set_default_dtype(torch.float64)
            torch.set_grad_enabled(False)
            torch.set_num_threads(3)
            torch.set_default_device("meta")
            torch.use_deterministic_algorithms(False)
            torch.set_flush_denormal(True)
            np.seterr(all="raise")
            os.chdir("/")
            raise RuntimeError("left")
        return super().forward(output, batch)
'''


def experiment(tiny_experiment: Any, **rows: str) -> Any:
    """Rows that do what is said, and the row ``fine``, which stands last."""
    base = tiny_experiment["systems"]["image only"]
    tiny_experiment["plugins"] = ["poison.py"]
    tiny_experiment["systems"] = {
        row: {**base, "objective": {"name": "poison", "how": how.replace("_", " ")}} for row, how in rows.items()
    } | {"fine": base}
    return tiny_experiment


def sweep(file: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "poison.py").write_text(POISON)
    places = ["--runs", str(folder / "runs"), "--board", str(folder / "board"), "--wandb", "disabled"]
    command = [sys.executable, "-m", "vsebench", "sweep", str(file), *places, "--device", "cpu", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def results(folder: Path) -> dict[str, Result]:
    return {r.system: r for r in Store(folder / "runs", "tiny").results()}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_with_one_worker_the_others_get_done_and_the_poisonous_fail(
    write_experiment: Write, tiny_experiment: Any, tmp_path: Path
) -> None:
    plain = experiment(tiny_experiment, a="abort", b="hang", c="exit_once")
    plain["train"]["time_limit"] = "10s"
    done = sweep(write_experiment(plain), tmp_path, "--workers", "1")
    assert done.returncode == 1, done.stderr
    assert "2 of 4 runs failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "it ended by itself with exit code 0 in the middle of its work" in done.stderr
    ended = results(tmp_path)
    assert {row: r.status for row, r in ended.items()} == {
        "a": "failed",
        "b": "failed",
        "c": "finished",
        "fine": "finished",
    }
    assert "it was ended by SIGABRT" in str(ended["a"].error)
    assert "the last words of the library" in str(ended["a"].error)
    assert "its process was lost 2 times" in str(ended["a"].error).splitlines()[-1]
    assert "it took longer than train.time_limit (10 s) and was ended" in str(ended["b"].error)


def test_a_time_limit_is_no_part_of_what_a_run_is() -> None:
    limited, free = (resolve({"text_encoder": "lstm", "train": train}) for train in ({"time_limit": "2h"}, {}))
    assert limited.train.time_limit == 7200.0
    assert limited.model_dump() == free.model_dump()
    parts: Any = {"seed": 0, "fingerprint": "f", "metric_versions": {}, "metrics": [], "select": {}}
    assert run_id(limited, **parts) == run_id(free, **parts)


def test_what_a_run_leaves_in_its_process_does_not_reach_the_next(
    write_experiment: Write, tiny_experiment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_sweep import do

    (tmp_path / "poison.py").write_text(POISON)
    torch.set_num_threads(1)
    plain = experiment(tiny_experiment, a="leave")
    file = write_experiment(plain)
    where = Path.cwd()
    do(file, tmp_path / "alone", only=("fine",))
    before = torch.random.get_rng_state()
    outcome = do(file, tmp_path / "after")
    assert [r.system for r in outcome.failed] == ["a"]
    one, other = (Store(tmp_path / d / "runs", "tiny") for d in ("alone", "after"))
    assert [dict(r.metrics) for r in one.results()] == [dict(r.metrics) for r in other.results() if r.system == "fine"]
    assert (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()) == (torch.float32, True, 1)
    assert str(torch.get_default_device()) == "cpu"
    assert torch.equal(torch.random.get_rng_state(), before)
    assert Path.cwd() == where


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def test_losses_are_counted_and_end_with_a_verdict(folder: Path) -> None:
    assert attempts.read(folder) == Attempts()
    attempts.begin(folder)
    assert attempts.lose(folder, "line one\nkilled") == 1
    assert attempts.verdict(folder) is None
    attempts.begin(folder)
    assert attempts.lose(folder, "line one\nkilled again") == 2
    assert str(attempts.verdict(folder)).splitlines() == [
        "line one",
        "its process was lost 2 times, and it is not tried again now: killed again",
    ]
    attempts.retry(folder)
    assert attempts.verdict(folder) is None, "the same command tries a failed run again"
    assert attempts.read(folder).last, "after the others"


@pytest.mark.parametrize(("status", "left"), [("finished", Attempts()), ("failed", Attempts(0, ["once"]))])
def test_a_result_ends_an_attempt(status: str, left: Attempts, folder: Path) -> None:
    attempts.begin(folder)
    attempts.lose(folder, "once")
    attempts.begin(folder)
    attempts.end(folder, Result("r", "e", "s", 0, status, {}, {}))
    assert attempts.read(folder) == left


@pytest.mark.parametrize("content", ["", "[]", '{"begun": []}', '{"begun": 1}', "[" * 10_000])
def test_damaged_counts_count_nothing(content: str, folder: Path) -> None:
    folder.mkdir()
    (folder / "attempts.json").write_text(content)
    assert attempts.read(folder) == Attempts()


def test_suspicious_runs_come_last(tmp_path: Path) -> None:
    """Also those that took the whole sweep down: nobody saw how they ended."""
    store = Store(tmp_path, "e")
    runs: list[Any] = [SimpleNamespace(run_id=name) for name in "abcd"]
    attempts.lose(store.run_folder("a"), "killed")
    attempts.begin(store.run_folder("b"))
    attempts.begin(store.run_folder("c"))
    attempts.begin(store.run_folder("c"))
    assert [r.run_id for r in attempts.others_first(runs, store)] == ["b", "d", "a", "c"]
    assert json.loads((store.run_folder("b") / "attempts.json").read_text()) == {"begun": 1, "losses": []}
