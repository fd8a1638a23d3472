"""What a sweep ends with."""

from __future__ import annotations

from pathlib import Path

import boards
import pytest

from vsebench.leaderboard.ending import say_ending
from vsebench.runs.snapshot import Snapshot


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A board of two rows with two seeds."""
    folder = tmp_path_factory.mktemp("runs")
    return boards.snapshot([boards.run(folder, row, s, skill=k) for row, k in boards.ROWS.items() for s in (0, 1)])


def test_table_next_steps_and_places(made: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boards.put(tmp_path, made)
    say_ending("demo", tmp_path, Path("runs"), "https://w/groups/demo")
    lines = capsys.readouterr().out.splitlines()
    head = next(i for i, line in enumerate(lines) if "System" in line)
    assert lines[head].split("  ")[-1].strip() == "Train s"
    assert "Test accuracy %" in lines[head]
    assert lines[head + 1].split()[0] == "good"
    assert "±" in lines[head + 1]
    assert "123 k" in lines[head + 1]
    assert f"  vsebench compare demo/good 'demo/poor <b>' --board {tmp_path}  # is" in "\n".join(lines)
    assert "seed" not in "\n".join(lines[head + 3 :]), "two seeds say something"
    assert lines[-3:] == [f"Board: {tmp_path}/demo.md", "Runs: runs/demo", "W&B: https://w/groups/demo"]


def test_one_seed_is_said(made: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = [result for result in made.results.values() if result.seed == 0]
    boards.put(tmp_path, boards.snapshot(first))
    say_ending("demo", tmp_path, Path("runs"))
    out = capsys.readouterr().out
    assert "-o 'seeds=[0,1,2]'" in out
    assert "W&B" not in out


def test_without_results_only_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say_ending("none", tmp_path, Path("runs"))
    assert capsys.readouterr().out.splitlines() == [f"Board: {tmp_path}/none.md", "Runs: runs/none"]
