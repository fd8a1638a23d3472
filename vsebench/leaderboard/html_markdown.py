"""Parts of a board's Markdown page as HTML, so that both say the same; no markup of the text's own gets through."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from vsebench.leaderboard.html_tables import Table

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

#: Pictures that lie beside a board, by the ending of their file.
_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True)
class Section:
    """A part of the page, from a heading to the next one of its rank; the first has no title."""

    title: str
    lines: Sequence[str]


def sections_of(markdown: str) -> list[Section]:
    """Cut a page at its headings of the second rank; what names it, and comments, are left out.

    Example:
        >>> [(s.title, list(s.lines)) for s in sections_of("# A\\n\\nsaid\\n\\n## B\\n\\n- c\\n")]
        [('', ['said']), ('B', ['- c'])]
    """
    result: list[tuple[str, list[str]]] = [("", [])]
    for line in markdown.splitlines():
        if line.startswith("## "):
            result.append((line.removeprefix("## "), []))
        elif not line.startswith(("# ", "<!--")):
            result[-1][1].append(line)
    return [Section(title, _stripped(lines)) for title, lines in result]


def beside_table(section: Section, table: Table) -> list[str]:
    """Return a section's lines without the tables that an HTML table replaces."""
    titles = {head.title for head in table.heads} | {"Ranked by"}
    remaining: list[str] = []
    block: list[str] = []
    for line in [*section.lines, ""]:
        if line.startswith("|"):
            block.append(line)
            continue
        if block and not {_plain(cell) for cell in block[0].strip("|").split("|")} <= titles:
            remaining += block
        elif block:
            _end_sentence(remaining)
        block = []
        remaining.append(line)
    return _stripped(remaining)


def html_of(lines: Sequence[str], folder: Path | None = None) -> str:
    """HTML of Markdown.

    Args:
        lines: of the text.
        folder: where its pictures lie, which are put into the page; without it their names are shown.
    """
    reader = _reader()
    tokens = reader.parse("\n".join(lines))
    for token in tokens:
        if token.attrs.pop("style", "") == "text-align:right":
            token.attrs["class"] = "number"  # the page's policy allows no style in an element
        for child in token.children or ():
            if child.type == "image" and not _embed(child.attrs, folder):
                child.type, child.tag = "text", ""
    rendered = str(reader.renderer.render(tokens, reader.options, {}))
    region = '<div class="wide" tabindex="0" role="region" aria-label="Table"><table>'
    return rendered.replace("<table>", region).replace("</table>", "</table></div>")


def _end_sentence(lines: list[str]) -> None:
    """End the sentence that announced a table with a full stop, where the table is missing."""
    last = next((i for i in reversed(range(len(lines))) if lines[i]), None)
    if last is not None:
        lines[last] = re.sub(":$", ".", lines[last])


def _plain(cell: str) -> str:
    """Return a cell's text without Markdown escapes."""
    return re.sub(r"\\(.)", r"\1", cell.strip())


def _embed(attributes: dict[str, str | int | float], folder: Path | None) -> bool:
    """Put a picture of the board's own folder into the page; says whether it is there."""
    if folder is None:
        return False
    file = (folder / unquote(str(attributes["src"]))).resolve()
    if not file.is_relative_to(folder.resolve()) or file.suffix not in _TYPES or not file.is_file():
        return False
    attributes["src"] = f"data:{_TYPES[file.suffix]};base64,{base64.b64encode(file.read_bytes()).decode()}"
    return True


@cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _stripped(lines: Sequence[str]) -> list[str]:
    return "\n".join(lines).strip("\n").split("\n")
