"""What a reader of a committed board sees first, in a browser; the script measures all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from board_screens import Seen, seen_of
from html_boards import browser

BOARDS = Path(__file__).parents[2] / "leaderboard"
GOOD = Seen("demo", "html", 390, 2.0, answer=True, plot=True, scores=5, rows=5, hidden=False, wide=[])


def test_committed_boards_answer_on_their_first_screen() -> None:
    with browser() as chromium:
        seen = list(seen_of(chromium, BOARDS, ["fashion_products", "indexes"]))
    assert [(one.name, one.form, one.width, one.failures()) for one in seen if one.failures()] == []
    assert len(seen) == 8


@pytest.mark.parametrize(
    "change", [{"answer": False}, {"plot": False}, {"scores": 4}, {"hidden": True}, {"wide": [1100]}, {"screens": 5.1}]
)
def test_each_bar_fails_by_itself(change: dict[str, object]) -> None:
    assert len(replace(GOOD, **change).failures()) == 1  # type: ignore[arg-type]
    assert GOOD.failures() == []
