"""A board's page, and parts of it, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.page import Block
from vsebench.leaderboard.pages import board_page
from vsebench.leaderboard.renderers.markdown import lines_of, page_text
from vsebench.runs.item_scores import ItemScores
from vsebench.runs.snapshot import Snapshot


def page(snapshot: Snapshot, item_scores: ItemScores | None = None, unusable: str = "") -> str:
    """Return the whole page of a board."""
    return page_text(board_page(BoardData(snapshot, item_scores, unusable)))


def section_text(module: ModuleType, snapshot: Snapshot, item_scores: ItemScores | None = None) -> str:
    """Return what a section's file adds to a page; empty where that is nothing."""
    return blocks_text(module.sections(BoardData(snapshot, item_scores)))


def blocks_text(blocks: Sequence[Block]) -> str:
    """Return some blocks as Markdown."""
    return "\n".join(lines_of(blocks)).strip()
