"""What a server of W&B's protocol gets: from a run that is online, and from an offline folder that has been moved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import boards
import pytest
from wandb_server import Received, wandb_server

from vsebench.core.errors import Place
from vsebench.core.types import Result
from vsebench.runs.schemas.result import parse_result
from vsebench.runs.store import Store
from vsebench.runs.tracking import RESULT_FILE

pytestmark = pytest.mark.slow
#: W&B reads its address and key when it is first used, so that each run has a process of its own.
SCRIPT = """
import sys
from pathlib import Path
import boards
from vsebench.runs.tracking import WandbTracker
from vsebench.runs.wandb_options import Wandb

folder, mode = Path(sys.argv[1]) / "runs", sys.argv[2]
result = boards.run(folder, "good", 0)
tracker = WandbTracker(
    Wandb(mode, "p", tags=("mine",), system=False, artifacts=mode == "online"),
    folder=folder / "demo", group="demo x", name="n", run_id="i", config={"seed": 0}, best=("val/accuracy", "max"),
    files=folder / "demo" / result.run_id, label_names=("a", "b", "c"),
)
tracker.log({"epoch": 1, "val/accuracy": 0.25, "val/nll": 1.5})
tracker.finish(result)
assert not tracker.lost
print(tracker.place())
"""


def track(folder: Path, mode: str, server: Received) -> tuple[str, Result]:
    """Track a run in a process of its own; return what it says of its place, and its result."""
    key = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": "x" * 40, "WANDB_MODE": mode}
    path = {"PYTHONPATH": os.pathsep.join([str(Path(boards.__file__).parent), os.environ.get("PYTHONPATH", "")])}
    words = [sys.executable, "-c", SCRIPT, str(folder), mode]
    done = subprocess.run(words, env={**os.environ, **key, **path}, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    (result,) = Store(folder / "runs", "demo").results()
    return done.stdout.splitlines()[-1], result


def check(server: Received, result: Result) -> None:
    """The server has the run with its numbers, its whole result, and the table behind each chart."""
    run = server.runs["i"]
    assert (run["groupName"], run["tags"]) == ("demo x", ["mine"])
    lines = [json.loads(line) for line in server.stream["i"]["wandb-history.jsonl"]]
    assert {"epoch": 1, "val/accuracy": 0.25, "val/nll": 1.5}.items() <= lines[0].items()
    summary = json.loads(server.stream["i"]["wandb-summary.json"][-1])
    assert summary["test/accuracy"] == pytest.approx(result.metrics["test/accuracy"])
    sent = json.loads(server.files[f"run/i/{RESULT_FILE}"])
    assert parse_result(sent, Place(RESULT_FILE)) == result
    charts = [name for name in server.files if name.startswith("run/i/media/table/test/")]
    assert sorted(name.split("/")[-1].split("_table")[0] for name in charts) == ["confusion_matrix", "precision_recall"]


def test_online_the_group_has_an_address(tmp_path: Path) -> None:
    with wandb_server() as server:
        place, result = track(tmp_path, "online", server)
        assert place == f"{server.url}/team/p/groups/demo%20x"
        check(server, result)
        kinds = {kind: name for name, kind in server.artifacts.items()}
        assert kinds.keys() == {"model", "predictions", "dataset"}
        assert server.files[f"artifact/{kinds['dataset']}/dataset-card.md"].startswith(b"# Demo data\n")
        assert f"artifact/{kinds['predictions']}/predictions-test.npz" in server.files


def test_an_offline_folder_may_be_moved_before_it_is_synced(tmp_path: Path) -> None:
    with wandb_server() as server:
        place, result = track(tmp_path, "offline", server)
        folder = tmp_path / "runs" / "demo" / "wandb"
        assert place == f"offline; send it with: wandb sync {folder}/offline-run-*"
        assert server.runs == {}
        moved = folder.rename(tmp_path / "moved")
        key = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": "x" * 40}
        words = [sys.executable, "-m", "wandb", "sync", *map(str, moved.glob("offline-run-*"))]
        done = subprocess.run(words, env={**os.environ, **key}, capture_output=True, text=True, timeout=500, cwd="/")
        assert done.returncode == 0, done.stderr
        check(server, result)
