"""A board as one HTML file: tables that sort, filter and open; nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsebench.leaderboard import index_board, markdown
from vsebench.leaderboard.details import Details, Finder, details_of
from vsebench.leaderboard.html_markdown import Section, beside_table, html_of, sections_of
from vsebench.leaderboard.html_tables import Table, tables_of
from vsebench.leaderboard.markdown import Column
from vsebench.leaderboard.run_details import RECALLS
from vsebench.leaderboard.table import printable
from vsebench.runs.item_scores import ItemScores
from vsebench.runs.snapshot import INDEX_FORM, Snapshot
from vsebench.stats.rank_groups import compare_all

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
_SCRIPTS = ("make.js", "charts.js", "detail.js", "table.js", "start.js")


def page(
    snapshot: Snapshot,
    *,
    folder: Path | None = None,
    runs: Path | None = None,
    item_scores: ItemScores | None = None,
    unusable: str = "",
    finder: Finder | None = None,
    count: int = 0,
) -> str:
    """Return the whole page as HTML.

    Args:
        snapshot: the board's content.
        folder: of the board, where its plots lie.
        runs: folder of all experiments' runs; rows then open to curves, predictions and examples. None reads none.
        item_scores: per-item scores of every run on test; without them there are no intervals over items and no groups.
        unusable: why there are none, where they were collected and cannot be used.
        finder: what a run's model finds, asked of the first ``count`` rows of each table.
        count: number of rows of each table that are searched with ``finder``.

    Raises: DataError for a damaged file of a run.
    """
    tables = tables_of(snapshot, _standing(snapshot, item_scores))
    details = details_of(snapshot, tables, runs, finder, count)
    written = (
        index_board.page(snapshot) if snapshot.form == INDEX_FORM else markdown.page(snapshot, item_scores, unusable)
    )
    intro, *sections = sections_of(written)
    by_title = {table.title: number for number, table in enumerate(tables)}
    parts = [_part(section, folder, tables, by_title) for section in sections]
    script = "(() => {\n" + "\n".join(_asset(name) for name in _SCRIPTS) + "\n})();\n"
    return _template().render(
        title=printable(snapshot.title),
        experiment=printable(snapshot.experiment),
        intro=html_of(intro.lines, folder),
        parts=parts,
        style=_asset("board.css"),
        first=_FIRST,
        script=script,
        policy=_policy(_asset("board.css"), (_FIRST, script)),
        written=WRITTEN_ROWS,
        board=as_json(_board(snapshot, tables, details)),
        details=[[as_json(row) for row in rows] for rows in details.rows],
        pictures=dict(sorted(details.pictures.items())),
    )


def as_json(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it ends the element or begins a comment.

    Example:
        >>> as_json({"a": "</script><!--"})
        '{"a":"\\\\u003c/script\\\\u003e\\\\u003c!--"}'
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _standing(snapshot: Snapshot, item_scores: ItemScores | None) -> dict[str, list[Column]]:
    """Section -> intervals over items and rank groups; those of retrieval say so."""
    results: dict[str, list[Column]] = {}
    compared = {} if item_scores is None else compare_all(snapshot, item_scores)
    for (section, measure), comparison in compared.items():
        columns = markdown.over_items(comparison)
        if measure == "recall":
            columns = [c if "R@" in c.title else replace(c, title=f"{c.title}, R@k") for c in columns]
        elif comparison.measure.resampled:
            columns = [replace(c, title=f"{c.title}, {measure}") for c in columns]
        results.setdefault(section, []).extend(columns)
    return results


def _part(
    section: Section, folder: Path | None, tables: Sequence[Table], by_title: Mapping[str, int]
) -> dict[str, Any]:
    number = by_title.get(section.title)
    if number is None:
        return {"title": section.title, "html": html_of([f"## {section.title}", "", *section.lines], folder)}
    table = tables[number]
    return {
        "title": table.title,
        "number": number,
        "table": table,
        "html": html_of(beside_table(section, table), folder),
    }


def _board(snapshot: Snapshot, tables: Sequence[Table], details: Details) -> dict[str, Any]:
    return {
        "experiment": printable(snapshot.experiment),
        "labels": details.labels,
        "keys": [printable(key) for key in details.keys],
        "order": details.order,
        "places": details.places,
        "recalls": RECALLS.tolist(),
        "tables": [_table(table, shared) for table, shared in zip(tables, details.shared, strict=True)],
    }


def _table(table: Table, shared: Mapping[str, str]) -> dict[str, Any]:
    return {
        "title": table.title,
        "heads": [[head.title, head.group, head.best, head.shown] for head in table.heads],
        "filters": table.filters,
        "plotted": table.plotted,
        "shared": shared,
        "rows": [
            {
                "anchor": line.anchor,
                "name": printable(line.view.row.name),
                "text": [cell.text for cell in line.cells],
                "value": [cell.value for cell in line.cells],
                "best": [i for i, cell in enumerate(line.cells) if cell.best],
                "choices": line.choices,
                "runs": [printable(r.run_id) for r in line.view.results],
            }
            for line in table.lines
        ],
    }


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
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_asset("board.html"))
