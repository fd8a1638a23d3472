"""What the HTML tables hold."""

from __future__ import annotations

import pytest
from html_boards import board

from vsebench.leaderboard.html_tables import tables_of
from vsebench.leaderboard.markdown import Column


def test_cells() -> None:
    table = tables_of(board())[0]
    titles = [head.title for head in table.heads]
    assert titles[:2] == ["System", "Uses"]
    assert table.heads[0].shown
    assert not table.heads[1].shown  # all rows use the same
    at = titles.index("Test acc.")
    assert table.plotted == at
    first = table.lines[0].cells[at]
    assert first.text.startswith("90.1 ± ")
    assert first.value == pytest.approx(0.901)
    assert [line.cells[at].best for line in table.lines] == [True, *[False] * 5]
    assert table.filters == {"Image encoder": ["cnn", "vit", "features"], "Fusion": ["concat", "gated"]}
    assert table.lines[1].choices == ["vit", "gated"]
    assert len({line.anchor for line in table.lines}) == 6


def test_further_columns() -> None:
    further = Column("Group", lambda row: (1.0, "1") if row.row.name == "Row 0" else None, None)
    table = tables_of(board(), {"systems": [further]})[0]
    at = [head.title for head in table.heads].index("Group")
    assert [line.cells[at].text for line in table.lines] == ["1", *["–"] * 5]
    assert [line.cells[at].value for line in table.lines][1] is None


def test_names_that_look_alike_have_places_of_their_own() -> None:
    snapshot = board(3, text="µ")
    assert [line.anchor for line in tables_of(snapshot)[0].lines] == ["row-0", "row-1", "row-2"]
    same = board(2, text="a" * 80)
    assert len({line.anchor for line in tables_of(same)[0].lines}) == 2
