"""Figures that others published, in tables of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.page import Section, plain_table, strong

PLACE = 90


def sections(board: BoardData) -> list[Section]:
    """Return a section for each table of ``board.reference`` and ``board.references``."""
    one = board.snapshot.board.get("reference")
    return [_section(reference) for reference in [*([one] if one else []), *board.snapshot.board.get("references", [])]]


def _section(reference: Mapping[str, Any]) -> Section:
    rows = reference["rows"]
    body = [[name, *("–" if v is None else str(v) for v in values)] for name, values in rows.items()]
    warning = strong("Not measured here, and not comparable with the tables above.")
    message = f"Source: {reference['source']}. {warning} {reference.get('note') or ''}"
    return Section(reference["title"], [message, plain_table(["System", *reference["columns"]], body)])
