"""Two rows over all their seeds: the board's own test and p, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsebench.results.paired_rows import PairedRows, compare_rows
from vsebench.runs.item_scores import load_for
from vsebench.runs.snapshot import load_board
from vsebench.stats.compared_metrics import Measure
from vsebench.stats.paired_tests import Difference
from vsebench.stats.rank_groups import Comparisons

BOARDS = Path(__file__).parents[2] / "leaderboard"


def test_rows_have_the_p_of_their_board() -> None:
    board = load_board(BOARDS, "mmfrb")
    item_scores = load_for(board, BOARDS)
    assert item_scores is not None
    comparison = Comparisons(board, item_scores)["systems", "accuracy"]
    other = next(name for name in comparison.ranked_rows if name != comparison.leader)
    row = comparison.ranked_rows[other]
    result = compare_rows(f"mmfrb/{other}", f"mmfrb/{comparison.leader}", BOARDS)
    (accuracy,) = [one for one in result if one.measure.name == "accuracy"]
    assert (accuracy.corrected, accuracy.difference.value) == (row.p, pytest.approx(row.difference))
    reverse = compare_rows(f"mmfrb/{comparison.leader}", f"mmfrb/{other}", BOARDS)
    (turned,) = [one for one in reverse if one.measure.name == "accuracy"]
    assert (turned.difference.p, turned.corrected) == (accuracy.difference.p, accuracy.corrected)
    assert turned.difference.value == -accuracy.difference.value
    assert compare_rows("mmfrb/nothing", f"mmfrb/{other}", BOARDS) == []
    assert compare_rows("0123", "4567", BOARDS) == [], "of runs, not rows"


def test_the_verdict_comes_first() -> None:
    def verdict(value: float, p: float, corrected: float, measure: Measure) -> str:
        return PairedRows("one", "two", measure, Difference(value, 0.01, 100.0, p), (3, 2), 9, corrected).verdict

    accuracy, nll = Measure("accuracy", "accuracy"), Measure("nll", "nll", 1.0, "nll", resampled=True, mode="min")
    assert verdict(0.03, 0.001, 0.01, accuracy) == (
        "one is better than two by accuracy over all seeds (3 and 2): A - B +3.0 [+1.0, +5.0] points, p = 0.001; 0.01 "
        "corrected for the 9 rows of the table, as on the board."
    )
    assert verdict(-0.03, 0.02, 0.2, accuracy).startswith("two is better than one, though not after correction")
    assert verdict(0.03, 0.2, 1.0, accuracy).startswith("one and two are not shown to differ by accuracy")
    assert verdict(0.03, 0.001, 0.01, nll).startswith("two is better than one by nll"), "less is better"
