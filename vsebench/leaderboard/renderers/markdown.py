"""A page as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from html import escape as html_escape
from urllib.parse import quote

from vsebench.leaderboard import table as markdown
from vsebench.leaderboard.figure import Figure
from vsebench.leaderboard.page import Block, Bullets, Page, Section, Table, spans, unmarked

#: Columns of numbers of a folded table; more do not fit a page's width.
ACROSS = 6
MORE = {"statistics": "Further statistics", "classification": "More metrics", "retrieval": "Retrieval", "cost": "Cost"}


def page_text(page: Page) -> str:
    """Return the whole page."""
    about = markdown.comment(f"Written by 'vsebench leaderboard' from results/{page.experiment}.json. Do not edit.")
    lines = [f"# {inline(page.title)}", "", about, "", *lines_of(page.blocks)]
    return "\n".join(lines).rstrip() + "\n"


def lines_of(blocks: Sequence[Block]) -> list[str]:
    """Return the lines of some blocks, an empty one after each."""
    lines: list[str] = []
    beside = False
    for block in blocks:
        if beside and isinstance(block, Section | Table):
            lines += ['<br clear="all">', ""]
            beside = False
        if isinstance(block, str):
            lines.append(inline(block))
        elif isinstance(block, Bullets):
            lines += [f"- {inline(item)}" for item in block.items]
        elif isinstance(block, Figure):
            lines.append(_image(block) if block.beside else f"!{markdown.link(block.alt, block.file)}")
            beside = beside or block.beside
            lines += ["", inline(block.caption)] if block.caption else []
        elif isinstance(block, Section):
            lines += _section(block)
        else:
            lines += _table(block)
        lines.append("")
    return lines


def inline(text: str) -> str:
    """Return a marked text with its marks as Markdown, and nothing else that Markdown would read."""
    parts = []
    for kind, part, address in spans(text):
        if kind == "text":
            parts.append(markdown.prose_part(part))
        elif kind == "code":
            parts.append(markdown.code(part))
        elif kind == "strong":
            parts.append(f"**{markdown.prose_part(part)}**")
        else:
            parts.append("!" * (kind == "image") + markdown.link(part, address))
    return "".join(parts).strip()


def _section(section: Section) -> list[str]:
    if not section.folded:
        return [f"## {inline(section.title)}", "", *lines_of(section.blocks)]
    finding = f": {_html(section.finding)}" if section.finding else ""
    summary = f"<summary><b>{_html(section.title)}</b>{finding}</summary>"
    return ["<details>", summary, "", *lines_of(section.blocks), "</details>"]


def _image(figure: Figure) -> str:
    """Return a plot that the text after it flows around."""
    alt, source = _html(figure.alt), html_escape(quote(figure.file, errors="replace"))
    return f'<img align="right" alt="{alt}" src="{source}">'


def _html(text: str) -> str:
    """Return a text as HTML, without an address that GitHub makes a link of."""
    escaped = html_escape(" ".join(unmarked(text).split()))
    return re.sub(r"(?i)(?<=www)\.", "&#46;", escaped.replace("://", "&#58;//"))


def _table(table: Table) -> list[str]:
    """Return what stands in the table, and folded what does not, so many columns at a time."""
    first = [column for column in table.columns if column.first]
    lines = _rows(table.part(first))
    named = next((column for column in first if column.group == "name"), first[0])
    folded = [column for column in table.columns if not column.first]
    names = [column for column in folded if column.group == "name"]
    plain = replace(table, lines=[replace(line, leading=False) for line in table.lines])  # another number ranks them
    groups = {"Settings": names} if names else {}
    groups |= {title: [c for c in folded if c.group == group] for group, title in MORE.items()}
    for title, columns in groups.items():
        parts = [plain.part([named, *columns[i : i + ACROSS]]) for i in range(0, len(columns), ACROSS)]
        if columns:
            listing = ", ".join(column.title for column in columns)
            lines += ["", *_section(Section(title, parts, markdown.short(listing, 160)))]
    return lines


def _rows(table: Table) -> list[str]:
    bold = {i for i, column in enumerate(table.columns) if column.strong}
    body = [
        [f"**{_cell(c.text)}**" if line.leading and i in bold else _cell(c.text) for i, c in enumerate(line.cells)]
        for line in table.lines
    ]
    left = {i for i, column in enumerate(table.columns) if column.group == "name"}
    return markdown.table([_cell(column.title) for column in table.columns], body, left=left)


def _cell(text: str) -> str:
    parts = [
        "!" * (kind == "image") + markdown.link(part, address) if address else markdown.escape(part)
        for kind, part, address in spans(text)
    ]
    return "".join(parts) or "–"
