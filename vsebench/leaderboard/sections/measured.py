"""What was measured of finished runs, as each measurement shows it."""

from __future__ import annotations

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.measured import measurement_sections
from vsebench.leaderboard.page import Section

PLACE = 60


def sections(board: BoardData) -> list[Section]:
    """Return the sections of all measurements."""
    return measurement_sections(board.snapshot)
