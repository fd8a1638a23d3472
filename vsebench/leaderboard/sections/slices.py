"""The section on slices: every row on every slice of the test items."""

from __future__ import annotations

from collections.abc import Sequence

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.page import Block, Section, code, plain_table
from vsebench.ops.slices import slice_name
from vsebench.runs.item_scores import ItemScores
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.compared_metrics import Measure
from vsebench.stats.rows import SECTIONS, RowView, views
from vsebench.stats.slices import SliceValue, slice_measure, slice_sizes, slice_values

PLACE = 30


def sections(board: BoardData) -> list[Section]:
    """Return the section: a table for each field that the dataset names, rows by slices; none without slices.

    Numbers and intervals are from what is kept of each test item; without it the numbers are the results' own, and ±
    is over seeds.
    """
    item_scores = board.item_scores
    fields = (
        item_scores.slices.values
        if item_scores is not None and item_scores.slices
        else board.snapshot.dataset.get("slices") or {}
    )
    blocks = [block for name, values in fields.items() for block in _table(board.snapshot, item_scores, name, values)]
    return [Section("Slices", blocks)] if blocks else []


def _table(snapshot: Snapshot, item_scores: ItemScores | None, name: str, values: Sequence[str]) -> list[Block]:
    sizes = slice_sizes(item_scores) if item_scores is not None else {}
    keys = [slice_name(name, value) for value in values]
    body: list[list[str]] = []
    titles: list[str] = []
    for section in SECTIONS:
        measure = slice_measure(snapshot, section)
        if measure is None:
            continue
        known = {} if item_scores is None else slice_values(snapshot, item_scores, section, measure)
        lines = [
            [_cell(row, key, measure, known.get(key, {}).get(row.row.name)) for key in keys]
            for row in views(snapshot, section)
        ]
        rows = [[row.row.name, *line] for row, line in zip(views(snapshot, section), lines, strict=True)]
        body += [line for line in rows if set(line[1:]) != {"–"}]
        titles += [measure.heading] if any(set(line[1:]) != {"–"} for line in rows) else []
    if not body:
        return []
    head = [value + (f" ({sizes[key]:,})" if key in sizes else "") for value, key in zip(values, keys, strict=True)]
    by = " and ".join(dict.fromkeys(titles))
    interval = "95 % over the slice's items in brackets" if sizes else "± is over seeds"
    note = f"Test {by} by {code(name)}, in percent{' (number of test items)' if sizes else ''}; {interval}."
    return [note, plain_table(["System", *head], body)]


def _cell(row: RowView, key: str, measure: Measure, known: SliceValue | None) -> str:
    """Return the number from the items, else the one of the results."""
    if known is not None:
        low, high = known.interval.low, known.interval.high
        value, low, high = (measure.scale * v for v in (known.value, low, high))
        return f"{value:.1f} [{low:.1f}, {high:.1f}]"
    if measure.depths:
        mean = measure.value(row, f"test/slice/{key}")
        return "–" if mean is None else f"{measure.scale * mean:.1f}"
    result = row.estimate(f"test/slice/{key}/{measure.name}")
    return "–" if result is None else result.text(percent=True)
