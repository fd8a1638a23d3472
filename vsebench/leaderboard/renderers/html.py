"""A page as HTML: one file, whose tables of rows sort, filter and open; nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape, unescape
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from vsebench.inspect.standalone_page import COLOURS
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.details import Details, Finder, details_of
from vsebench.leaderboard.figure import Figure
from vsebench.leaderboard.page import Block, Bullets, Page, Section, Table, spans, unmarked
from vsebench.leaderboard.pages import board_page
from vsebench.leaderboard.published import details_file, usable
from vsebench.leaderboard.run_details import RECALLS
from vsebench.leaderboard.table import printable
from vsebench.runs.snapshot import DIGITS

if TYPE_CHECKING:
    from jinja2 import Template

#: Rows that are written as HTML, and read without JavaScript; more are drawn as they are asked for.
WRITTEN_ROWS = 200
#: Before anything is drawn: what the page has only with JavaScript is shown, and the reader's colours are known.
_FIRST = """
document.documentElement.classList.add("js");
try { const theme = localStorage.getItem("vsebench-theme"); if (theme) document.documentElement.dataset.theme = theme; }
catch { /* a page in a frame, or opened from a file, may have no storage */ }
"""
_SCRIPTS = ["make", "charts", "detail", "filters", "columns", "copy", "pins", "scatter", "table", "state", "start"]


def page(
    board: BoardData,
    *,
    folder: Path | None = None,
    runs: Path | None = None,
    finder: Finder | None = None,
    count: int = 0,
) -> str:
    """Return the whole page as HTML.

    Args:
        board: the board.
        folder: of the board, where its plots lie, and its curves and confusion matrices.
        runs: folder of all experiments' runs; rows then open to curves, predictions and examples. None reads none.
        finder: what a run's model finds, asked of the first ``count`` rows of each table.
        count: number of rows of each table that are searched with ``finder``.

    Raises: DataError for a damaged file of a run.
    """
    content = board_page(board)
    tables = content.tables()
    published = None if folder is None else usable(details_file(folder, board.snapshot.experiment))
    details = details_of(board.snapshot, tables, runs, finder, count, published)
    script = "(() => {\n" + "\n".join(_asset(f"{name}.js") for name in _SCRIPTS) + "\n})();\n"
    body = _Body(content, tables, folder)
    return _template("board.html").render(
        title=unmarked(content.title),
        experiment=printable(content.experiment),
        body=body.html(),
        contents=body.contents(),
        style=COLOURS + _asset("board.css"),
        first=_FIRST,
        script=script,
        policy=_policy(COLOURS + _asset("board.css"), (_FIRST, script)),
        board=as_json(_board(board.snapshot.experiment, tables, details)),
        details=[[as_json(row) for row in rows] for rows in details.rows],
        pictures=dict(sorted(details.pictures.items())),
    )


def index_page(blocks: Sequence[Block], folder: Path) -> str:
    """Return the page of a folder of boards as HTML, its pictures in it.

    Args:
        blocks: what it holds.
        folder: where the pictures lie.
    """

    def embedded(match: re.Match[str]) -> str:
        file = folder / unquote(unescape(match[1]))
        data = base64.b64encode(file.read_bytes()).decode() if file.is_file() else ""
        return f'src="data:image/svg+xml;base64,{data}"'

    body = re.sub('src="([^":]+)"', embedded, _Body(Page("Leaderboards", "", blocks), [], folder).html())
    style = _asset("board.css")
    return _template("index.html").render(body=body, style=style, first=_FIRST, policy=_policy(style, [_FIRST]))


def as_json(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it ends the element or begins a comment.

    Example:
        >>> as_json({"a": "</script><!--"})
        '{"a":"\\\\u003c/script\\\\u003e\\\\u003c!--"}'
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class _Body:
    """The blocks of a page as HTML.

    Args:
        page: the page.
        tables: those whose rows open, in the order of their numbers.
        folder: where figures lie, which are put into the page; without it their names are shown.
    """

    def __init__(self, page: Page, tables: Sequence[Table], folder: Path | None) -> None:
        self.page, self.folder = page, folder
        self.numbers = {id(table): number for number, table in enumerate(tables)}
        self.anchors = anchors(tables)
        self.plain = 0
        self.parts: dict[int, str] = {}

    def html(self) -> str:
        """Return all of it."""
        return self.blocks(self.page.blocks)

    def contents(self) -> list[tuple[str, str]]:
        """Return title and anchor of each section, in their order."""
        sections = [block for block in self.page.blocks if isinstance(block, Section)]
        return [(unmarked(section.title), self._part(section)) for section in sections]

    def blocks(self, blocks: Sequence[Block]) -> str:
        """Return some blocks, one after the other; figures that follow each other stand side by side."""
        parts = []
        for figures, some in groupby(blocks, lambda block: isinstance(block, Figure) and not block.beside):
            html = "\n".join(self.block(block) for block in some)
            parts.append(f'<div class="plots">{html}</div>' if figures else html)
        return "\n".join(parts)

    def block(self, block: Block) -> str:
        """Return one block."""
        if isinstance(block, str):
            return f"<p>{inline(block)}</p>"
        if isinstance(block, Bullets):
            return f"<ul>{''.join(f'<li>{inline(item)}</li>' for item in block.items)}</ul>"
        if isinstance(block, Figure):
            return self._figure(block)
        if isinstance(block, Section):
            return self._section(block)
        return self._rows(block) if id(block) in self.numbers else self._table(block)

    def _figure(self, figure: Figure) -> str:
        file = None if self.folder is None else self.folder / figure.file
        caption = f"<figcaption>{inline(figure.caption)}</figcaption>" if figure.caption else ""
        if file is None or not file.is_file():
            return f"<p>{escape(figure.alt)}</p>{caption}"
        data = base64.b64encode(file.read_bytes()).decode()
        opening = '<figure class="beside">' if figure.beside else "<figure>"
        return f'{opening}<img alt="{escape(figure.alt)}" src="data:image/svg+xml;base64,{data}">{caption}</figure>'

    def _section(self, section: Section) -> str:
        title, inner, anchor = escape(unmarked(section.title)), self.blocks(section.blocks), self._part(section)
        if not section.folded:
            return f'<section id="{anchor}"><h2>{title}</h2>{inner}</section>'
        finding = f' <span class="finding">{inline(section.finding)}</span>' if section.finding else ""
        summary = f"<summary><h2>{title}</h2>{finding}</summary>"
        return f'<details class="fold" id="{anchor}">{summary}{inner}</details>'

    def _part(self, section: Section) -> str:
        return self.parts.setdefault(id(section), _anchor(section.title, set(self.parts.values()), "part"))

    def _rows(self, table: Table) -> str:
        number = self.numbers[id(table)]
        about = {"n": number, "table": table, "anchors": self.anchors[number], "written": WRITTEN_ROWS}
        return _template("rows.html").render(**about, title=unmarked(table.title), experiment=self.page.experiment)

    def _table(self, table: Table) -> str:
        self.plain += 1

        def row(tag: str, texts: Sequence[str], strong: Sequence[bool]) -> str:
            cells = zip(texts, table.columns, strong, strict=True)
            return "".join(
                f"<{tag}{'' if column.group == 'name' else ' class=number'}>{_bold(text, bold)}</{tag}>"
                for text, column, bold in cells
            )

        heads = row("th", [column.title for column in table.columns], [False] * len(table.columns))
        lines = [
            row("td", [cell.text for cell in line.cells], [line.leading and c.strong for c in table.columns])
            for line in table.lines
        ]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        region = f'<div class="wide" tabindex="0" role="region" aria-label="Table {self.plain}">'
        return f"{region}<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"


def inline(text: str) -> str:
    """Return a marked text as HTML.

    Example:
        >>> inline("a <b>")
        'a &lt;b&gt;'
    """
    parts = []
    for kind, part, address in spans(text):
        shown = escape(part)
        if kind == "image":
            parts.append(f'<img alt="{shown}" src="{escape(quote(address))}">')
            continue
        tag = {"text": "", "code": "code", "strong": "strong", "link": "a"}[kind]
        opening = f'a href="{escape(quote(address))}"' if kind == "link" else tag
        parts.append(f"<{opening}>{shown}</{tag}>" if tag else shown)
    return "".join(parts).strip()


def _bold(text: str, bold: bool) -> str:
    return f"<strong>{inline(text)}</strong>" if bold else inline(text)


def anchors(tables: Sequence[Table]) -> list[list[str]]:
    """Return each row's place in the page's address, table by table."""
    taken: set[str] = set()
    return [[_anchor(line.source.row.name, taken) for line in table.lines] for table in tables]


def _anchor(name: str, taken: set[str], kind: str = "row") -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", printable(name).casefold()).strip("-")[:60] or kind
    result, number = f"{kind}-{slug}", 1
    while result in taken:
        number += 1
        result = f"{kind}-{slug}-{number}"
    taken.add(result)
    return result


def _board(experiment: str, tables: Sequence[Table], details: Details) -> dict[str, Any]:
    parts = zip(tables, details.shared, anchors(tables), strict=True)
    return {
        "experiment": printable(experiment),
        "labels": details.labels,
        "keys": [printable(key) for key in details.keys],
        "order": details.order,
        "places": details.places,
        "recalls": RECALLS.tolist(),
        "tables": [_table(table, shared, names) for table, shared, names in parts],
    }


def _table(table: Table, shared: Mapping[str, str], names: Sequence[str]) -> dict[str, Any]:
    plotted = [i for i, column in enumerate(table.columns) if column.strong and column.group != "name"]
    filters = {printable(t): [printable(value) for value in values] for t, values in table.filters.items()}
    return {
        "title": unmarked(table.title),
        "heads": [
            [unmarked(c.title), c.group, c.direction, c.first, printable(c.key), c.scale, c.ends] for c in table.columns
        ],
        "strong": [i for i, column in enumerate(table.columns) if column.strong],
        "filters": {title: list(dict.fromkeys(values)) for title, values in filters.items()},
        "plotted": plotted[0] if plotted else None,
        "shared": shared,
        "rows": [
            {
                "anchor": anchor,
                "name": printable(line.source.row.name),
                "text": [unmarked(cell.text) for cell in line.cells],
                "value": [printable(v) if isinstance(v := cell.value, str) else v and _six(v) for cell in line.cells],
                "ends": [
                    cell.ends and [_six(end) for end in cell.ends]
                    for cell, column in zip(line.cells, table.columns, strict=True)
                    if column.ends
                ],
                "leads": line.leading,
                "choices": [values[at] for values in filters.values()],
                "runs": [printable(r.run_id) for r in line.source.results],
            }
            for at, (line, anchor) in enumerate(zip(table.lines, names, strict=True))
        ],
    }


def _six(value: float) -> float:
    """Return a number to the digits of a results file; a whole one as it is."""
    return value if float(value).is_integer() else float(f"{value:.{DIGITS}g}")


def _policy(style: str, scripts: Sequence[str]) -> str:
    """Nothing is fetched, and no script or style runs but these: by their digests."""
    allowed = " ".join(_digest(script) for script in scripts)
    return (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _asset(name: str) -> str:
    return files("vsebench.leaderboard").joinpath("page", name).read_text(encoding="utf-8")


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["unmarked"] = unmarked
    return environment.from_string(_asset(name))
