"""Markdown tables that are aligned in the raw text too, and text that cannot break them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from urllib.parse import quote

#: What spreadsheets begin a formula with, and what they may drop before it.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_DROPPED = re.compile(r"^[\s\x00\ufeff]+")
#: Where GitHub sees an address in plain text.
_ADDRESS = re.compile(r"(:)(?=//)|(?<=www)(\.)", re.IGNORECASE)
#: Between letters it is no markup, and names of files are full of it.
_INSIDE = re.compile(r"(?<=[^\W_])\\_(?=[^\W_])")
#: Numbers between brackets, which are no link.
_INTERVAL = re.compile(r"\\\[([−+\d., ]+)\\\](?![(\[:])")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&])")


def escape(text: str, *, longest: int = 1_000) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no new lines, no control characters, and no address that
    GitHub makes a link of.

    Args:
        text: from anywhere.
        longest: more characters are left out; one name would else make a table's every line as long.

    Example:
        >>> escape("a|b <script>*x*")
        'a\\\\|b \\\\<script\\\\>\\\\*x\\\\*'
    """
    escaped = _ADDRESS.sub(r"\\\g<0>", _SPECIAL.sub(r"\\\1", short(text, longest)))
    return _plain(escaped)


def prose(text: str) -> str:
    """Return prose, escaped like :func:`escape` but of any length; intervals keep their brackets."""
    return prose_part(printable(text))


def prose_part(text: str) -> str:
    """Return a part of prose, with the spaces around it."""
    escaped = _ADDRESS.sub(r"\\\g<0>", _SPECIAL.sub(r"\\\1", text))
    return _plain(_INSIDE.sub("_", escaped))


def _plain(escaped: str) -> str:
    """Take back the strokes before what is no markup: intervals, and a sign before a space."""
    return _INTERVAL.sub(r"[\1]", escaped).replace("\\< ", "< ")


def link(text: str, file: str) -> str:
    """Return a link to a file beside the page, with both names escaped.

    Example:
        >>> link("a]b", "c (d).md")
        '[a\\\\]b](c%20%28d%29.md)'
    """
    return f"[{prose(text)}]({quote(file, errors='replace')})"


def comment(text: str) -> str:
    """Return a comment of the page's source, which nothing in the text can end.

    Example:
        >>> comment("a --> b")
        '<!-- a -> b -->'
    """
    return f"<!-- {re.sub('-{2,}', '-', printable(text))} -->"


def printable(text: str) -> str:
    """Text on one line, without control characters."""
    line = " ".join(str(text).split())
    return "".join(c for c in line if unicodedata.category(c)[0] != "C")


def short(text: str, longest: int = 120) -> str:
    """Shorten a text to at most so many characters, for a drawing with limited space.

    Example:
        >>> short("a\\nbcdef", 4)
        'a b…'
    """
    line = printable(text)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def code(text: str) -> str:
    """Text in code quotes; escaped where quotes cannot hold it: when it is empty, or has a stroke before a bar, which
    ends a cell on GitHub."""
    quoted = printable(text)
    if not quoted or "\\|" in quoted:
        return escape(quoted)
    quoted = quoted.replace("|", "\\|").replace("`", "'")
    return f"`{quoted}`"


def width(text: str) -> int:
    """Columns that a monospaced font takes for it."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int | Collection[int] = 1) -> list[str]:
    """Lines of a Markdown table; the first ``left`` columns, or those of these numbers, are left-aligned."""
    names = range(left) if isinstance(left, int) else left
    widths = [max(3, *(width(row[i]) for row in [header, *rows])) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell + " " * (w - width(cell)) if i in names else " " * (w - width(cell)) + cell
            for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * w if i in names else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return [line(header), "| " + " | ".join(rule) + " |", *(line(row) for row in rows)]


def units(count: float) -> str:
    """Format a count in thousands, millions or billions.

    Example:
        >>> units(1_500_000), units(999), units(0)
        ('1.5 M', '999', '0')
    """
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count / size < 999.5 else f"{count / size:.0f} {unit}"
    return f"{count:.0f}"


def csv_cell(text: str) -> str:
    """Text that a spreadsheet does not run as a formula, also after white space and in full-width signs.

    A carriage return becomes a line feed: Python's csv quotes the one only where lines end with it, and an unquoted
    one ends the line for most readers. Halves of surrogate pairs, which no file can hold, become question marks.

    Example:
        >>> csv_cell("=1+1"), csv_cell("VSE"), csv_cell(" @x")
        ("'=1+1", 'VSE', "' @x")
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    return f"'{text}" if _DROPPED.sub("", text)[:1] in _FORMULA else text
