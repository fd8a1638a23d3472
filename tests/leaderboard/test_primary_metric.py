"""The number that effects are about, and how differences of it are written."""

from __future__ import annotations

from grid_boards import grid_board

from vsebench.leaderboard.primary_metric import Headline, headline

ONE = {"fusion": ["concat", "gated"]}


def test_the_test_number_of_what_sorts_rows() -> None:
    assert headline(grid_board(ONE, 1, lambda p, s: 0.5)) == Headline("test/accuracy")
    ranked = {"metric": "val/i2t/map@5", "mode": "max"}
    assert headline(grid_board(ONE, 1, lambda p, s: 0.5, select=ranked)) == Headline("test/i2t/map@5")
    for name, digits in (("nll", 3), ("rsum", 1), ("i2t/median_rank", 1)):
        board = grid_board(ONE, 1, lambda p, s: 2.0, select={"metric": f"val/{name}", "mode": "min"})
        found = headline(board)
        assert found == Headline(f"test/{name}", 1.0, digits)
        assert found is not None
        assert found.unit == ""
    assert headline(grid_board(ONE, 1, lambda p, s: "failed")) is None


def test_differences_have_signs_and_units() -> None:
    share, sum_of = Headline("test/accuracy"), Headline("test/rsum", 1.0, 1)
    assert share.interval(0.0123, 0.02) == "+1.2 [−0.8, +3.2]"
    assert share.interval(-0.5, None) == "−50.0"
    assert share.said(0.0123, 0.02) == "+1.2 points [−0.8, +3.2]"
    assert sum_of.said(-3.04, None) == "−3.0"
    assert share.signed(-0.0004) == "0.0"


def test_rounding_noise_does_not_choose_a_digit() -> None:
    for tie in (0.0005, 0.0125, 0.3335):
        shown = {Headline("test/accuracy").signed(tie + noise) for noise in (-1e-15, 0.0, 1e-15)}
        assert len(shown) == 1
