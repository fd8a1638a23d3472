"""What a board's page is made of: sections of paragraphs, lists, tables and figures. Renderers know nothing else.

Text is plain: renderers escape it. :func:`code`, :func:`strong`, :func:`link` and :func:`image` mark parts of it with
control characters, which :func:`~vsebench.leaderboard.table.printable` takes out of names and other text from outside.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from vsebench.leaderboard.figure import Figure
from vsebench.leaderboard.table import printable

#: What columns are shown and hidden together.
Group = Literal["name", "statistics", "classification", "retrieval", "cost"]
Kind = Literal["text", "code", "strong", "link", "image"]
NONE = "–"
_MARKS: dict[str, Kind] = {"\x11": "code", "\x12": "strong", "\x13": "link", "\x15": "image"}
_SPAN = re.compile("([\x11-\x13\x15])([^\x10-\x15]*)(?:\x14([^\x10-\x15]*))?\x10")


def code(text: object) -> str:
    """Mark text as code."""
    return f"\x11{printable(str(text))}\x10"


def strong(text: object) -> str:
    """Mark text as strong."""
    return f"\x12{printable(str(text))}\x10"


def link(text: object, address: str) -> str:
    """Mark text as a link to a file beside the page."""
    return f"\x13{printable(str(text))}\x14{printable(address)}\x10"


def image(alt: object, address: str) -> str:
    """Mark a small picture beside the page, with what it shows."""
    return f"\x15{printable(str(alt))}\x14{printable(address)}\x10"


def spans(text: str) -> Iterator[tuple[Kind, str, str]]:
    """Yield (kind, text, address) of each part of a marked text, without control characters.

    Example:
        >>> list(spans("see " + code("x")))
        [('text', 'see ', ''), ('code', 'x', '')]
    """
    start = 0
    for match in _SPAN.finditer(text):
        if before := _clean(text[start : match.start()]):
            yield "text", before, ""
        yield _MARKS[match[1]], match[2], match[3] or ""
        start = match.end()
    if rest := _clean(text[start:]):
        yield "text", rest, ""


def unmarked(text: str) -> str:
    """Return a text without its marks."""
    return "".join(part for _, part, _ in spans(text)).strip()


def _clean(text: str) -> str:
    return "".join(c for c in re.sub(r"\s+", " ", text) if unicodedata.category(c)[0] != "C")


@dataclass(frozen=True)
class Cell:
    """What stands in a cell, what it is sorted by (None comes last), and the ends of its interval."""

    text: str = NONE
    value: float | str | None = None
    ends: tuple[float, float] | None = None


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        title: its head.
        value: cell of a row; None for an empty one.
        group: what it is shown and hidden with.
        direction: whether the largest or the smallest number is the best; None where none is.
        first: whether it stands in the table, or is folded below it.
        strong: whether the rows of the leading group are bold in it.
        key: what the number is called in results, CSV and data frames.
        ends: what the ends of an interval are called there, without ``.low`` and ``.high``; empty for what is none.
        scale: what a value, and an end, is multiplied by to be shown.
    """

    title: str
    value: Callable[[Any], Cell | None] = lambda row: None
    group: Group = "classification"
    direction: Literal["max", "min"] | None = None
    first: bool = True
    strong: bool = False
    key: str = ""
    ends: str = ""
    scale: float = 1.0

    @property
    def names(self) -> list[str]:
        """What its numbers are called in results, CSV and data frames: the value, and the ends of an interval."""
        ends = [f"{self.ends}.low", f"{self.ends}.high"] if self.ends else []
        return [*([self.key] if self.key else []), *ends]


@dataclass(frozen=True)
class Line:
    """A row of a table.

    Args:
        cells: one for each column.
        leading: whether it is of the leading group.
        source: the board's row that it opens to; None for none.
    """

    cells: Sequence[Cell]
    leading: bool = False
    source: Any = None


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        columns: of it.
        lines: its rows.
        title: of what it is, for a page with several.
        filters: title -> each line's value, of what rows are filtered by.
    """

    columns: Sequence[Column]
    lines: Sequence[Line]
    title: str = ""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def part(self, columns: Sequence[Column]) -> Table:
        """Return some columns as a table of their own, and the rows that have anything in them."""
        at = [self.columns.index(column) for column in columns]
        scores = [i for i in at if self.columns[i].group != "name"]
        lines = [line for line in self.lines if not scores or any(line.cells[i].text != NONE for i in scores)]
        whole = [replace(column, first=True) for column in columns]
        return Table(whole, [Line([line.cells[i] for i in at], line.leading, line.source) for line in lines])


def table_of(
    columns: Sequence[Column], rows: Sequence[Any], leading: Callable[[Any], bool] = lambda row: False, **about: Any
) -> Table:
    """Return the table of some rows, without columns that are empty in all of them."""
    cells = [[column.value(row) for row in rows] for column in columns]
    filled = [i for i, column in enumerate(cells) if any(cell is not None for cell in column)]
    lines = [Line([cells[i][at] or Cell() for i in filled], leading(row), row) for at, row in enumerate(rows)]
    return Table([columns[i] for i in filled], lines, **about)


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> Table:
    """Return a table of texts; the first ``left`` columns are names."""
    columns = [Column(title, group="name" if i < left else "classification") for i, title in enumerate(header)]
    return Table(columns, [Line([Cell(text) for text in row]) for row in rows])


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Section:
    """A part of a page with a title.

    Args:
        title: of it.
        blocks: what it holds.
        finding: in a few words, beside the title of a folded section.
        folded: whether it opens by a click.
    """

    title: str
    blocks: Sequence[Block]
    finding: str = ""
    folded: bool = True


Block: TypeAlias = "str | Bullets | Table | Figure | Section"


@dataclass(frozen=True)
class Page:
    """A board's page.

    Args:
        title: of the board.
        experiment: that it is of.
        blocks: all of it.
    """

    title: str
    experiment: str
    blocks: Sequence[Block]

    def figures(self) -> list[Figure]:
        """Return all figures."""
        return [block for block in _walk(self.blocks) if isinstance(block, Figure)]

    def tables(self) -> list[Table]:
        """Return the tables whose rows open to a board's rows."""
        tables = [block for block in _walk(self.blocks) if isinstance(block, Table)]
        return [table for table in tables if any(line.source is not None for line in table.lines)]

    def sections(self) -> dict[str, list[Table]]:
        """Return the tables of each section that has any, by its title; a table without one has the section's."""
        results: dict[str, list[Table]] = {}
        for section in (block for block in _walk(self.blocks) if isinstance(block, Section)):
            title = unmarked(section.title)
            tables = [block for block in _walk(section.blocks) if isinstance(block, Table)]
            if tables:
                results[title] = [replace(table, title=table.title or title) for table in tables]
        return results


def _walk(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Section):
            yield from _walk(block.blocks)
