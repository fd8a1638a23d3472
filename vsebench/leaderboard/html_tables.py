"""A board's tables as an HTML page needs them: cells with the numbers that they are sorted by, and what rows are
filtered by."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vsebench.leaderboard import index_board
from vsebench.leaderboard.markdown import (
    AXIS_TITLES,
    Column,
    best_of,
    classification_columns,
    filled,
    retrieval_columns,
)
from vsebench.leaderboard.table import printable
from vsebench.runs.snapshot import INDEX_FORM, Snapshot
from vsebench.stats.rows import SECTIONS, RowView, axes_of, views

#: Component slots that rows of systems can be filtered by.
SLOTS = ("image_encoder", "text_encoder", "audio_encoder", "attention", "pooling", "fusion", "head", "fitter")
#: Columns of markdown.py that say what a row costs.
COSTS = ("Trained", "All param.", "Train s", "ms/query")
#: A filter with more choices than this is a free text better.
MOST_CHOICES = 60
#: A table with more columns of numbers than this leaves those of retrieval for a click, where it has others.
MOST_COLUMNS = 9


@dataclass(frozen=True)
class Head:
    """A column.

    Args:
        group: ``name``, ``quality``, ``retrieval`` or ``cost``: what is shown and hidden together.
        best: ``max``, ``min`` or None; which way a first click sorts.
        shown: at first.
    """

    title: str
    group: str
    best: str | None = None
    shown: bool = True


@dataclass(frozen=True)
class Cell:
    """What stands in it, what it is sorted by (None comes last), and whether it is the column's best."""

    text: str
    value: float | str | None
    best: bool = False


@dataclass(frozen=True)
class Line:
    """A row.

    Args:
        anchor: its place in the page's address.
        cells: one for each head.
        choices: its value of each filter.
        view: where it comes from.
    """

    anchor: str
    cells: Sequence[Cell]
    choices: Sequence[str]
    view: RowView


@dataclass(frozen=True)
class Table:
    """A section's table.

    Args:
        heads: its columns.
        lines: its rows, best on validation first.
        filters: title -> choices, of what the rows differ in.
        plotted: the column that is drawn beside its numbers; None for none.
    """

    key: str
    title: str
    heads: Sequence[Head]
    lines: Sequence[Line]
    filters: Mapping[str, Sequence[str]]
    plotted: int | None


def tables_of(snapshot: Snapshot, added: Mapping[str, Sequence[Column]] | None = None) -> list[Table]:
    """Return a table for each section that has rows.

    Args:
        snapshot: the board's content.
        added: section -> further columns of its rows, after those of validation and test.
    """
    if snapshot.form == INDEX_FORM:
        rows = views(snapshot, index_board.SECTION)
        return [_index_table(snapshot, rows)] if rows else []
    results = []
    taken: set[str] = set()
    for key, title in SECTIONS.items():
        if rows := views(snapshot, key):
            title = "Search" if key == "sweep" and "method" in snapshot.search else title
            results.append(_system_table(key, title, rows, (added or {}).get(key, ()), taken))
    return results


def _system_table(key: str, title: str, rows: Sequence[RowView], added: Sequence[Column], taken: set[str]) -> Table:
    axes = axes_of(rows)
    by_slot = {AXIS_TITLES.get(s, s): (lambda r, s=s: r.component(s)) for s in SLOTS}  # type: ignore[misc]
    by_axis = {AXIS_TITLES.get(a, printable(a)): (lambda r, a=a: r.label(a)) for a in axes}  # type: ignore[misc]
    named: dict[str, Callable[[RowView], str]] = dict(by_axis)
    if not axes:
        named = {"System": lambda r: r.row.name, "Uses": lambda r: r.modalities}
        slots = [AXIS_TITLES[s] for s in ("text_encoder", "attention", "fusion")]
        named |= {t: by_slot[t] for t in slots if len({by_slot[t](r) for r in rows}) > 1}
    facets = {**({} if axes else {"Uses": named["Uses"]}), **by_slot, **by_axis}
    columns = [(c, "cost" if c.title in COSTS else "quality") for c in classification_columns() if filled(c, rows)]
    ranked = [(c, "cost" if c.title in COSTS else "retrieval") for c in retrieval_columns(rows) if filled(c, rows)]
    ranked.sort(key=lambda column: column[0].title != "rsum")  # what sums the others up stands first
    cut = next((i for i, (_, group) in enumerate(columns) if group == "cost"), len(columns))
    further = [c for c in added if filled(c, rows)]
    of_answers = [(c, "quality") for c in further if "R@" not in c.title]
    of_ranks = [(c, "retrieval") for c in further if "R@" in c.title]
    shown = [*columns[:cut], *of_answers, *ranked[:1], *of_ranks, *ranked[1:], *columns[cut:]]
    return _table(key, title, rows, named, shown, facets, taken)


def _index_table(snapshot: Snapshot, rows: Sequence[RowView]) -> Table:
    kind = lambda r: str(r.config["index"]["name"])  # noqa: E731
    named = {"Index": lambda r: r.row.name, "Kind": kind, "Best in": index_board.best_in(snapshot, rows)}
    costs = ("Bytes/vector", "Code bytes", "Build s", "Queries/s", "one at a time")
    columns = [(c, "cost" if c.title in costs else "quality") for c in index_board.number_columns(snapshot)]
    columns = [(c, group) for c, group in columns if filled(c, rows)]
    return _table(index_board.SECTION, "Indexes", rows, named, columns, {"Kind": kind}, set())


def _table(
    key: str,
    title: str,
    rows: Sequence[RowView],
    named: Mapping[str, Callable[[RowView], str]],
    columns: Sequence[tuple[Column, str]],
    facets: Mapping[str, Callable[[RowView], str]],
    taken: set[str],
) -> Table:
    groups = [group for _, group in columns]
    crowded = len(columns) > MOST_COLUMNS and "quality" in groups
    differs = [len(rows) == 1 or len({of(row) for row in rows}) > 1 for of in named.values()]
    heads = [Head(printable(t), "name", None, differs[i] or i == 0) for i, t in enumerate(named)]
    heads += [Head(printable(c.title), g, c.best, not (crowded and g == "retrieval")) for c, g in columns]
    best = [best_of(c, rows) for c, _ in columns]
    chosen = {t: f for t, f in facets.items() if 1 < len({f(r) for r in rows}) <= MOST_CHOICES}
    lines = []
    for row in rows:
        cells = [Cell(cell := printable(of(row)), cell.casefold()) for of in named.values()]
        for (column, _), winner in zip(columns, best, strict=True):
            value = column.value(row)
            cells.append(Cell("–", None) if value is None else Cell(value[1], value[0], value[0] == winner))
        choices = [printable(of(row)) for of in chosen.values()]
        lines.append(Line(_anchor(row.row.name, taken), cells, choices, row))
    filters = {printable(t): list(dict.fromkeys(line.choices[i] for line in lines)) for i, t in enumerate(chosen)}
    return Table(key, title, heads, lines, filters, _plotted(heads))


def _plotted(heads: Sequence[Head]) -> int | None:
    """Test accuracy where there is one, else the sum of recalls, else the first number that a row may be best in."""
    for wanted in ("Test acc.", "Test VQA acc.", "rsum"):
        for i, head in enumerate(heads):
            if head.title == wanted:
                return i
    quality = [i for i, head in enumerate(heads) if head.best == "max" and head.group in ("quality", "retrieval")]
    return quality[0] if quality else None


def _anchor(name: str, taken: set[str]) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", printable(name).casefold()).strip("-")[:60] or "row"
    result, number = f"row-{slug}", 1
    while result in taken:
        number += 1
        result = f"row-{slug}-{number}"
    taken.add(result)
    return result
