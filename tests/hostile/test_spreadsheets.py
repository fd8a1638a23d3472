"""Hostile texts in CSV: no cell is a formula, no text breaks out of its cell, and readers agree on what it says."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hostile_strings import STRINGS, board

from vsebench.leaderboard.index_board import table_csv as index_csv
from vsebench.leaderboard.render import table_csv
from vsebench.leaderboard.table import csv_cell
from vsebench.results.export import table_of, write
from vsebench.runs.snapshot import INDEX_FORM, BoardRow

every = pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)
SIGNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def assert_cells(text: str) -> list[list[str]]:
    """Every line has the cells of the first, and what begins like a formula is a number."""
    text.encode("utf-8")
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert {len(line) for line in lines} == {len(lines[0])}
    for cell in (cell for line in lines for cell in line):
        if cell.strip("\x00\ufeff \t\r\n").startswith(SIGNS):
            assert float(cell) < 0, cell[:80]
    return lines


@every
def test_boards(text: str) -> None:
    lines = assert_cells(table_csv(board(text)))
    assert len(lines) == 11, "three systems and two points of the grid, of two seeds each, and the head"
    assert csv_cell(text) in {line[0] for line in lines}


@every
def test_indexes(text: str) -> None:
    base = board(text)
    result = next(iter(base.results.values()))
    measured = replace(
        result, metrics={"recall@10": 0.9, text: 0.1}, config={"index": {"name": text, "options": {text: text}}}
    )
    rows = [BoardRow(text, "indexes", {}, {"0": result.run_id})]
    shown = replace(base, form=INDEX_FORM, rows=rows, results={result.run_id: measured},
                    select={"metric": "recall@10", "mode": "max"})  # fmt: skip
    (head, line) = assert_cells(index_csv(shown))
    assert csv_cell(text) in head
    assert line[:2] == [csv_cell(text)] * 2


@every
def test_exports(text: str, tmp_path: Path) -> None:
    table = table_of([(board(text), None)])
    write(table, tmp_path / "x.csv")
    lines = assert_cells((tmp_path / "x.csv").read_bytes().decode("utf-8"))
    assert len(lines) == 11
    write(table, tmp_path / "x.parquet")
    selected = text.encode("utf-8", "replace").decode()
    assert selected in set(pd.read_parquet(tmp_path / "x.parquet")["row"])


def test_a_guard_changes_nothing_else() -> None:
    for text in ("a", "", "a=b", "x@y", "1.5", "ü –"):
        assert csv_cell(text) == text
    for sign in SIGNS:
        for before in ("", " ", "\t", "\n", "\x00", "\ufeff"):
            assert csv_cell(f"{before}{sign}1") == f"'{before}{sign}1"
