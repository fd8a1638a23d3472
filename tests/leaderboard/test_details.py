"""What rows open to, as plain data."""

from __future__ import annotations

import shutil
from pathlib import Path

from html_boards import board, write_runs

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.details import details_of
from vsebench.leaderboard.pages import board_page


def test_settings_seeds_and_places() -> None:
    snapshot = board()
    tables = board_page(BoardData(snapshot)).tables()
    result = details_of(snapshot, tables, None)
    assert result.shared[0]["text_encoder"] == "lstm"
    assert result.shared[0]["objective 1"] == "cross_entropy"
    assert result.rows[0][1]["own"] == {"image_encoder": "vit", "text_encoder.note": "Row 1", "fusion": "gated"}
    assert len(result.order) == len(set(result.order))
    first = result.rows[0][0]
    assert [run["seed"] for run in first["runs"]] == [0, 1]
    values = dict(zip(result.keys, first["numbers"], strict=True))["test/accuracy"]
    assert values[:3] == [0.9, 0.902, 0.901]
    assert result.places == [
        {
            "commit": "abc1234",
            "hardware": {"device": "cpu", "threads": "1"},
            "versions": {"vsebench": "0.1", "torch": "2"},
        }
    ]
    assert "missing here" in first["absent"]


def test_folders(tmp_path: Path) -> None:
    snapshot = board()
    write_runs(tmp_path, snapshot)
    tables = board_page(BoardData(snapshot)).tables()
    shutil.rmtree(tmp_path / "demo" / snapshot.rows[1].runs["1"])
    rows = details_of(snapshot, tables, tmp_path).rows[0]
    assert "absent" not in rows[0]
    assert [len(points) for points in rows[0]["curves"]["train/loss"]] == [3, 3]
    assert sum(map(sum, rows[0]["classes"]["confusion"])) == 120
    assert rows[0]["classes"]["sums"] == [sum(row) for row in rows[0]["classes"]["confusion"]]
    assert rows[1]["absent"].startswith("1 run folders are missing here")
    assert [len(points) for points in rows[1]["curves"]["train/loss"]] == [3, 0]
    assert rows[1]["classes"]["runs"] == 1
    assert rows[0]["examples"]["why"].startswith("The dataset is missing here")
