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
    kept = beside_table(systems, tables_of(snapshot)[0])
    assert any(line.startswith("| System") for line in systems.lines)
    assert not any(line.startswith("|") for line in kept)
    other = Section("Systems", ["Said:", "", "| Other | Val acc. |", "| --- | --- |", "| a | b |"])
    assert beside_table(other, tables_of(snapshot)[0]) == other.lines


def test_pictures_of_the_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "a.svg").write_text("<svg/>")
    (tmp_path / "b.svg").write_text("<svg/>")
    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in html_of(["![a plot](a.svg)"], tmp_path / "board")
    for source in ("../b.svg", "https://example.org/a.svg", "c.svg", "board"):
        said = html_of([f"![a plot]({source})"], tmp_path / "board")
        assert "<img" not in said
        assert "a plot" in said


def test_markup_is_text() -> None:
    said = html_of(["<script>x</script> [a](javascript:b) **c** `<d>`"])
    assert "<script" not in said
    assert "href" not in said
    assert "<strong>c</strong>" in said
    assert "<code>&lt;d&gt;</code>" in said


def test_no_style_in_an_element() -> None:
    said = html_of(["| a | b |", "| --- | ---: |", "| 1 | 2 |"])
    assert "style=" not in said
    assert '<td class="number">2</td>' in said
