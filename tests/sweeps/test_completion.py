"""A finished sweep answers at once; whatever changed, it is planned again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import vsebench
from planned import DATA

from vsebench.core.types import Result
from vsebench.runs.store import Store
from vsebench.sweeps.completion import NOTE, Asked, leave_note, still_done

Write = Callable[[Any], Path]


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asked]:
    """Two results, a pruned one, and what a command left behind that found nothing more to do."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "e.yaml").write_text("experiment: e\n")
    (tmp_path / "data.h5").write_bytes(b"data")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.safetensors").write_bytes(b"weights")
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "e.md").write_text("# e")
    store = Store(tmp_path / "runs", "e")
    for run_id, status in (("one", "finished"), ("two", "finished"), ("three", "pruned")):
        store.write(Result(run_id, "e", run_id, 0, status, {}, DATA))

    def requested(**changes: Any) -> Asked:
        message: dict[str, Any] = {"file": Path("e.yaml"), "overrides": (), "only": (), "plugins": ()}
        return Asked(**{**message, "board": Path("board"), "command": "vsebench sweep e.yaml", **changes})

    places = [Path("data.h5"), Path("weights"), Path("board"), Path("hub")]
    leave_note(requested(), store, finished=["one", "two"], pruned=["three"], depends_on=places)
    return requested


def test_nothing_changed(finished: Callable[..., Asked], tmp_path: Path) -> None:
    assert still_done(finished(), tmp_path / "runs", "e") == (2, 1)


def rewrite(place: str, content: str = "other") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_text(content)

    return change


@pytest.mark.parametrize(
    "change",
    [
        rewrite("e.yaml", "experiment: e\nseeds: [1]\n"),
        rewrite("data.h5"),
        rewrite("weights/a.safetensors"),
        rewrite("weights/b.safetensors"),
        rewrite("board/e.md"),
        rewrite("hub"),
        rewrite("runs/e/one/result.json", "{"),
        lambda folder: (folder / "board" / "e.md").unlink(),
        lambda folder: (folder / "runs" / "e" / "two" / "result.json").unlink(),
        lambda folder: (folder / "runs" / "e" / NOTE).unlink(),
        rewrite(f"runs/e/{NOTE}", "[]"),
        rewrite(f"runs/e/{NOTE}", '{"asked": 1}'),
    ],
)
def test_what_the_plan_depends_on_changed(
    finished: Callable[..., Asked], tmp_path: Path, change: Callable[[Path], None]
) -> None:
    change(tmp_path)
    assert still_done(finished(), tmp_path / "runs", "e") is None


def test_a_result_that_failed_since(finished: Callable[..., Asked], tmp_path: Path) -> None:
    Store(tmp_path / "runs", "e").write(Result("two", "e", "two", 0, "failed", {}, DATA))
    assert still_done(finished(), tmp_path / "runs", "e") is None


@pytest.mark.parametrize(
    "changes", [{"overrides": ("a=1",)}, {"only": ("x",)}, {"plugins": (Path("p.py"),)}, {"board": Path("other")}]
)
def test_something_else_is_asked(finished: Callable[..., Asked], tmp_path: Path, changes: dict[str, Any]) -> None:
    assert still_done(finished(**changes), tmp_path / "runs", "e") is None


def test_another_place(finished: Callable[..., Asked], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert still_done(finished(file=tmp_path / "e.yaml"), tmp_path / "runs", "e") is None


def test_other_code(finished: Callable[..., Asked], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsebench.sweeps.completion._code", lambda: "other")
    assert still_done(finished(), tmp_path / "runs", "e") is None


@pytest.mark.slow
def test_the_command_answers_without_torch(write_experiment: Write, feature_experiment: Any, tmp_path: Path) -> None:
    feature_experiment["train"]["epochs"] = 1
    words = ["sweep", str(write_experiment(feature_experiment)), "--wandb", "disabled", "--workers", "0"]
    script = (
        f"import sys\nfrom vsebench.cli.app import main\nsys.argv = ['vsebench', *{words!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('torch' in sys.modules)"
    )

    def run_alone() -> list[str]:
        """Run the command in a process that has imported nothing before."""
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, env=os.environ
        )
        return done.stdout.splitlines()

    assert vsebench(*words, cwd=tmp_path).returncode == 0
    lines = run_alone()
    assert lines[0] == "tiny: 2 runs, 2 finished, 0 to do."
    assert lines[-3:] == ["Board: leaderboard/tiny.md", "Runs: runs/tiny", "False"]
    # One result less: it is planned again, and the one run is done again.
    (result, *_) = (tmp_path / "runs" / "tiny").glob("*/result.json")
    selected = json.loads(result.read_text())["metrics"]
    result.unlink()
    assert vsebench(*words, cwd=tmp_path).stdout.startswith("tiny: 2 runs, 1 finished, 1 to do.")
    assert json.loads(result.read_text())["metrics"] == selected
    again = vsebench(*words, cwd=tmp_path).stdout.splitlines()
    assert (again[0], again[-2:]) == (lines[0], lines[-3:-1])
