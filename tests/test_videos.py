"""The documents' example of videos works as written, from arrays of frames to a board."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest
from datasets_page import HEAD
from typer.testing import CliRunner

from vsebench.cli.app import app
from vsebench.data.open import open_dataset
from vsebench.runs.store import Store


@pytest.mark.slow
def test_videos_are_frames_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = HEAD.split("## Videos")[1].split("\n## ")[0]
    blocks = re.findall(r"<!-- (?:file: (\S+)|run) -->\n```\w+\n(.*?)```", section, re.DOTALL)
    assert [name for name, _ in blocks] == ["frames.py", "clips.yaml", ""]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path / "home"))
    for name, body in blocks[:2]:
        Path(name).write_text(body, encoding="utf-8")
    commands = blocks[2][1].replace("\\\n", " ").strip().splitlines()
    assert commands[0] == "python frames.py"
    runpy.run_path("frames.py")
    for command in commands[1:]:
        workers = ["--workers", "1"] if " sweep " in command else []  # in this process
        done = CliRunner().invoke(app, [*shlex.split(command)[1:], *workers])
        assert done.exit_code == 0, f"{command}\n{done.output}\n{done.exception}"
    assert sorted({int(n) for n in open_dataset("clips").feature_counts("image")}) == [4, 5, 6, 7, 8]
    results = list(Store(Path("runs"), "clips").results())
    assert {r.system for r in results if r.status == "finished"} == {"Mean of frames", "Attention over frames"}
    assert all("test/i2t/recall@1" in r.metrics for r in results)
    assert Path("leaderboard/clips.md").is_file()
