"""Figures that others published, in tables of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vsebench.leaderboard.table import escape, table
from vsebench.runs.snapshot import Snapshot


def references(snapshot: Snapshot) -> list[str]:
    """Return a section for each table of ``board.reference`` and ``board.references``."""
    one = snapshot.board.get("reference")
    results = [*([one] if one else []), *snapshot.board.get("references", [])]
    return [line for reference in results for line in _section(reference)]


def _section(reference: Mapping[str, Any]) -> list[str]:
    names = list(reference["rows"])
    body = [[escape(n), *("–" if v is None else escape(str(v)) for v in reference["rows"][n])] for n in names]
    header = ["System", *(escape(c) for c in reference["columns"])]
    lines = [f"## {escape(reference['title'])}", "", f"Source: {escape(reference['source'])}."]
    lines[-1] += " **Not measured here, and not comparable with the tables above.**"
    if reference.get("note"):
        lines[-1] += f" {escape(reference['note'])}"
    return [*lines, "", *table(header, body), ""]
