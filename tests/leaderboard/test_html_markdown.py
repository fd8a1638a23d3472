"""Markdown of a board as HTML."""

from __future__ import annotations

from pathlib import Path

from html_boards import board

from vsebench.leaderboard.html_markdown import Section, beside_table, html_of, sections_of
from vsebench.leaderboard.html_tables import tables_of
from vsebench.leaderboard.markdown import page


def test_only_what_the_table_shows_is_left_out() -> None:
    snapshot = board()
    systems = sections_of(page(snapshot))[1]
    selected = beside_table(systems, tables_of(snapshot)[0])
    assert any(line.startswith("| System") for line in systems.lines)
    assert not any(line.startswith("|") for line in selected)
    other = Section("Systems", ["Said:", "", "| Other | Val acc. |", "| --- | --- |", "| a | b |"])
    assert beside_table(other, tables_of(snapshot)[0]) == other.lines


def test_pictures_of_the_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "a.svg").write_text("<svg/>")
    (tmp_path / "b.svg").write_text("<svg/>")
    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in html_of(["![a plot](a.svg)"], tmp_path / "board")
    for source in ("../b.svg", "https://example.org/a.svg", "c.svg", "board"):
        message = html_of([f"![a plot]({source})"], tmp_path / "board")
        assert "<img" not in message
        assert "a plot" in message


def test_markup_is_text() -> None:
    message = html_of(["<script>x</script> [a](javascript:b) **c** `<d>`"])
    assert "<script" not in message
    assert "href" not in message
    assert "<strong>c</strong>" in message
    assert "<code>&lt;d&gt;</code>" in message


def test_no_style_in_an_element() -> None:
    message = html_of(["| a | b |", "| --- | ---: |", "| 1 | 2 |"])
    assert "style=" not in message
    assert '<td class="number">2</td>' in message
