"""A board's page: an opening that answers, a table, and everything else folded below."""

from __future__ import annotations

from vsebench.leaderboard import index_board
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.glance import glance
from vsebench.leaderboard.metric_columns import row_table, sees_both
from vsebench.leaderboard.page import Block, Page, Section, Table, code, link
from vsebench.leaderboard.pivot import pivot_blocks
from vsebench.leaderboard.sections import all_sections
from vsebench.leaderboard.sections.baselines import chance_line
from vsebench.leaderboard.sections.protocol import ranked_items
from vsebench.leaderboard.significance import below_table
from vsebench.leaderboard.table import short
from vsebench.runs.snapshot import INDEX_FORM
from vsebench.stats.rows import views


def board_page(board: BoardData) -> Page:
    """Return the page of a board, of indexes too."""
    snapshot = board.snapshot
    described = snapshot.board.get("description")
    about = [Section("What is compared", [described])] if described else []
    if snapshot.form == INDEX_FORM:
        return Page(snapshot.title, snapshot.experiment, [*index_board.blocks(snapshot), *about])
    tables = [_rows(board, section, first=number == 0) for number, section in enumerate(board.sections)]
    return Page(
        snapshot.title, snapshot.experiment, [*glance(board), *tables[:1], *about, *tables[1:], *all_sections(board)]
    )


def _rows(board: BoardData, section: str, *, first: bool) -> Section:
    """Return a table of rows, what it cannot tell apart, and how to read it."""
    table = row_table(board, section)
    blocks: list[Block] = [table]
    for comparison in (board.comparison(section), board.compared(section, ranked=True)):
        if comparison is not None:
            blocks += [line for line in below_table(comparison) if line not in blocks]
    if any(column.group == "retrieval" for column in table.columns):
        lines = [f"Ranked: {ranked_items(board.snapshot)}.", chance_line(board.rows), _side_projections(board, section)]
        blocks.append(" ".join(filter(None, lines)))
    if first:
        blocks.append(_reading(board, table))
    if section == "sweep":
        blocks += pivot_blocks(board.snapshot.board.get("pivot"), views(board.snapshot, section))
    best = next(iter(views(board.snapshot, section)))
    finding = f"{len(table.lines)} rows, best on validation {short(best.row.name)}"
    return Section(board.title(section), blocks, "" if first else finding, folded=not first)


def _side_projections(board: BoardData, section: str) -> str:
    """Say which rows rank by embeddings that their attention and fusion never touch."""
    rows = views(board.snapshot, section)
    aside = [short(row.row.name) for row in rows if sees_both(row.config)]
    if not aside:
        return ""
    which = "All rows rank" if len(aside) == len(rows) else f"{', '.join(aside)} rank"
    return f"{which} by a projection of each modality's own tokens, which attention and fusion never touch."


def _reading(board: BoardData, table: Table) -> str:
    """Explain what stands in the table, where it is first met."""
    titles, name = {column.title for column in table.columns}, board.snapshot.experiment
    lines = []
    if any("±" in cell.text for line in table.lines for cell in line.cells):
        lines.append("±: 95 % t-interval over seeds.")
    if "95 %" in titles:
        lines.append(
            "95 %: interval over test items, what another test set would give. Rank: rank group; bold: group 1."
        )
    if any(title.startswith("Over ") for title in titles):
        over = "over items and seeds" if "95 %" in titles else "over seeds"
        lines.append(f"Over … alone: difference to the best row of one modality, in brackets 95 % {over}.")
    lines.append(f"{link('How to read a board', '../docs/statistics.md')} · {link('CSV', f'{name}.csv')}")
    return " ".join([*lines, f"· {code(board.snapshot.command)}"])
