"""Tables of rows as files, the list of boards, and its thumbnails."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from html_boards import board

from vsebench.cli.leaderboard_html import write_html
from vsebench.cli.leaderboard_show import print_tables
from vsebench.core.errors import ConfigError
from vsebench.leaderboard.page import NONE, unmarked
from vsebench.leaderboard.pages import board_page
from vsebench.leaderboard.render import board_of, render
from vsebench.runs.snapshot import load_board, results_file, save


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("boards")
    save(board(3, 2), results_file(root, "demo"))
    render(root)
    return root


def test_parquet_has_the_numbers_and_names_of_csv(folder: Path, tmp_path: Path) -> None:
    print_tables(folder, ["demo"], "csv", tmp_path / "demo.csv")
    print_tables(folder, ["demo"], "parquet", tmp_path / "demo.parquet")
    text, typed = pd.read_csv(tmp_path / "demo.csv"), pd.read_parquet(tmp_path / "demo.parquet")
    assert list(typed.columns) == ["table", *text.columns]
    assert set(typed["table"]) == {"Systems"}
    assert typed["test/accuracy"].tolist() == pytest.approx([0.901, 0.901 - 0.4 / 3, 0.901 - 0.8 / 3])
    pd.testing.assert_frame_equal(typed[list(text.columns)], text, check_dtype=False)


@pytest.mark.parametrize("out", [None, Path("demo.csv")])
def test_parquet_needs_a_file(folder: Path, out: Path | None) -> None:
    with pytest.raises(ConfigError, match=r"--show parquet is no text: name its file with --out FILE\.parquet"):
        print_tables(folder, ["demo"], "parquet", out)


def test_the_list_of_boards_has_a_thumbnail_and_an_html_page(folder: Path, tmp_path: Path) -> None:
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "![Its rows](plots/demo-thumbnail.svg)" in readme
    assert "](demo.md)" in readme
    assert "<text" not in (folder / "plots" / "demo-thumbnail.svg").read_text(encoding="utf-8")
    write_html(folder, [], runs=tmp_path)
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert 'href="demo.html"' in page
    assert re.search('<img alt="Its rows" src="data:image/svg[+]xml;base64,[^"]{100}', page)
    for text in ("classification", "image + text", "Row 0", "accuracy 90.1", "2026-01-02"):
        assert text in page


def test_tables_of_a_section(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_tables(folder, ["demo"], "csv", section="baselines")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Baseline,")
    assert lines[1].startswith("Most frequent class,")
    assert "40.0" in lines[1].split(",")
    with pytest.raises(ConfigError, match=r"no table of 'Baseline'\. Did you mean 'Baselines'\? Known: Systems"):
        print_tables(folder, ["demo"], "csv", section="Baseline")


def test_every_number_in_a_table_of_the_page_is_in_csv(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under the head that it has on the page, or its name in the results."""
    page = board_page(board_of(load_board(folder, "demo"), folder))
    for title, tables in page.sections().items():
        print_tables(folder, ["demo"], "csv", section=title)
        text = capsys.readouterr().out
        for table in tables:
            for column in table.columns:
                assert (column.names or [unmarked(column.title)])[0] in text
            shown = [unmarked(c.text) for line in table.lines for c in line.cells if c.value is None and c.text != NONE]
            assert all(one in text for one in shown)
