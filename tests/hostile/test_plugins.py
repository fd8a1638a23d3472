"""A plug-in that results of others name is imported by no command, unless the user names or trusts it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import galleries
import pytest
import typer
import uvicorn
import yaml
from typer.testing import CliRunner

from vsebench.cli.app import app
from vsebench.core import plugins
from vsebench.core.registry import FUSIONS, METRICS
from vsebench.runs.find import find_run
from vsebench.runs.load import load_run

pytestmark = pytest.mark.slow

PLUGIN = """
from pathlib import Path

import vsebench as vb

Path(__file__).with_name("imported").touch()


@vb.FUSIONS.register("concat_again", source="nobody")
class Again(vb.FUSIONS.get("concat").target):
    pass


@vb.METRICS.register("theirs", source="nobody", needs=("logits",), version=1, higher_is_better=True)
def theirs(predictions):
    return {"theirs": 1.0}
"""
RUN = "tiny/both"


class Stranger:
    """Results of somebody else: runs, a board and a gallery that name a plug-in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugin = folder / "theirs.py"
        self.plugin.write_text(PLUGIN)
        current = galleries.home()
        shutil.copytree(current / "runs", folder / "runs")
        shutil.copytree(current / "board", folder / "leaderboard")
        shutil.copytree(galleries.gallery(), folder / "photos.index")
        self.id = find_run(RUN, folder / "runs").name

    @property
    def imported(self) -> bool:
        """Whether the plug-in was."""
        return (self.folder / "imported").exists()

    def name_it(self, *, needed: bool) -> None:
        """Name the plug-in in every run's file, with or without a component of it."""
        for file in [*self.folder.glob("runs/*/*/run.yaml"), self.folder / "photos.index" / "run" / "run.yaml"]:
            message = yaml.safe_load(file.read_text())
            message["plugins"] = [str(self.plugin)]
            if needed and message["system"]["fusion"] is not None:
                message["system"]["fusion"]["name"] = "concat_again"
            file.write_text(yaml.safe_dump(message, sort_keys=False))
        manifest = self.folder / "photos.index" / "manifest.json"
        plain = json.loads(manifest.read_text())
        file = manifest.parent / "run" / "run.yaml"
        plain["sha256"]["run/run.yaml"] = hashlib.sha256(file.read_bytes()).hexdigest()
        manifest.write_text(json.dumps(plain))

    def run(self, *arguments: str) -> Any:
        """Run a command in their folder."""
        return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stranger]:
    monkeypatch.setenv("VSEBENCH_HOME", str(galleries.home() / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: [s.close() for s in sockets])
    yield Stranger(tmp_path)
    for name in [name for name in plugins.LOADED_PLUGINS if Path(name).name == "theirs.py"]:
        plugins.LOADED_PLUGINS.pop(name)
    FUSIONS.forget("concat_again")
    METRICS.forget("theirs")


#: Every command that reads runs, boards or galleries.
READS: dict[str, tuple[str, ...]] = {
    "combine": ("tiny/both", "tiny/crossed", "--device", "cpu"),
    "compare": ("tiny/both", "tiny/crossed"),
    "explain": ("tiny/crossed", "--id", "x", "--device", "cpu"),
    "gallery": (RUN, "--queries", "1", "--device", "cpu"),
    "index": (RUN, "--out", "new.index", "--device", "cpu"),
    "leaderboard": ("--html", "--examples", "9"),
    "outcomes": (),
    "reproduce": (RUN, "--device", "cpu", "--threads", "1"),
    "results recompute": (),
    "results merge": ("leaderboard/results/tiny.json", "--into", "merged"),
    "search": ("photos.index", "--text", "red dress", "--device", "cpu"),
    "serve": ("photos.index", "--port", "0", "--device", "cpu"),
    "verify": (),
}
#: Those that load a model, or train one.
LOADS = ("combine", "explain", "gallery", "index", "reproduce", "search", "serve")
#: Commands that read an experiment file that the user runs, or nothing of others.
OWN = {"sweep", "measure", "components", "new", "doctor", "results carry-over"}


def commands(group: Any, prefix: str = "") -> Iterator[str]:
    """All commands, those of groups with the group's name before theirs."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"


def test_every_command_is_in_a_list() -> None:
    every = {name for name in commands(typer.main.get_command(app)) if name.split()[0] not in ("data", "cache")}
    assert every == OWN | set(READS)


@pytest.mark.parametrize("command", READS)
def test_no_command_imports_what_runs_name(stranger: Stranger, command: str) -> None:
    stranger.name_it(needed=True)
    done = stranger.run(*command.split(), *READS[command])
    assert not stranger.imported
    if command in LOADS:
        assert "concat_again" in str(done.exception)
        assert f"'{stranger.plugin}'" in str(done.exception)
        assert "--plugin" in str(done.exception)
        assert "--trust" in str(done.exception)


def test_what_needs_no_plugin_is_shown_without_it(stranger: Stranger) -> None:
    """A run's file may name a plug-in that only other rows of the experiment use."""
    stranger.name_it(needed=False)
    for command in ("search", "gallery", "verify"):
        done = stranger.run(*command.split(), *READS[command])
        assert done.exit_code == 0, done.exception
        assert not stranger.imported
    assert load_run(find_run(RUN, stranger.folder / "runs")).row == "both"
    assert not stranger.imported


def test_verify_goes_on_without_a_plugin(stranger: Stranger) -> None:
    """Numbers of its metrics are named as not recomputable; all others come out again."""
    stranger.name_it(needed=False)
    for folder in stranger.folder.glob("runs/tiny/*"):
        if (folder / "run.yaml").is_file():
            message = yaml.safe_load((folder / "run.yaml").read_text())
            message["metrics"].append("theirs")
            (folder / "run.yaml").write_text(yaml.safe_dump(message))
            result = json.loads((folder / "result.json").read_text())
            result["metrics"] |= {"val/theirs": 1.0, "test/theirs": 1.0}
            (folder / "result.json").write_text(json.dumps(result))
    board = stranger.folder / "leaderboard" / "results" / "tiny.json"
    plain = json.loads(board.read_text())
    for result in plain["results"]:
        result["metrics"] |= {"val/theirs": 1.0, "test/theirs": 1.0}
    board.write_text(json.dumps(plain))
    assert stranger.run("leaderboard").exit_code == 0
    done = stranger.run("verify")
    assert done.exit_code == 0, done.output
    assert not stranger.imported
    assert f"needs the metric of 'test/theirs' of plug-in '{stranger.plugin}', not imported" in done.output
    strict = stranger.run("verify", "--strict")
    assert strict.exit_code == 1
    named = stranger.run("verify", "--plugin", str(stranger.plugin))
    assert named.exit_code == 0
    assert stranger.imported
    assert "theirs" not in named.output


@pytest.mark.parametrize("text", ["--plugin", "--trust"])
@pytest.mark.parametrize("command", ["gallery", "search", "serve", "leaderboard"])
def test_the_user_may_have_it_imported(stranger: Stranger, command: str, text: str) -> None:
    stranger.name_it(needed=True)
    message = [text, str(stranger.plugin)] if text == "--plugin" else [text]
    done = stranger.run(command, *READS[command], *message)
    assert done.exit_code == 0, done.exception
    assert stranger.imported


def test_a_plugin_that_lies_elsewhere_is_named_by_the_user(stranger: Stranger) -> None:
    stranger.name_it(needed=True)
    other = stranger.folder / "mine" / "theirs.py"
    other.parent.mkdir()
    stranger.plugin.rename(other)
    gone = stranger.run("gallery", *READS["gallery"], "--trust")
    assert "not found here. Name its file with --plugin." in str(gone.exception)
    assert stranger.run("gallery", *READS["gallery"], "--plugin", str(other)).exit_code == 0


def test_what_is_not_shown_on_a_page_is_said(stranger: Stranger) -> None:
    stranger.name_it(needed=True)
    done = stranger.run("leaderboard", *READS["leaderboard"])
    assert done.exit_code == 0
    assert "what its model finds is not shown" in done.output
    page = (stranger.folder / "leaderboard" / "tiny.html").read_text()
    assert "theirs.py" in page
