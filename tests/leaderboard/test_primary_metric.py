"""The number that effects are about, and how differences of it are written."""

from __future__ import annotations

from grid_boards import grid_board

from vsebench.leaderboard.primary_metric import PrimaryMetric, primary_metric

ONE = {"fusion": ["concat", "gated"]}


def test_the_test_number_of_what_sorts_rows() -> None:
    assert primary_metric(grid_board(ONE, 1, lambda p, s: 0.5)) == PrimaryMetric("test/accuracy")
    ranked = {"metric": "val/i2t/map@5", "mode": "max"}
    assert primary_metric(grid_board(ONE, 1, lambda p, s: 0.5, select=ranked)) == PrimaryMetric("test/i2t/map@5")
    for name, digits in (("nll", 3), ("rsum", 1), ("i2t/median_rank", 1)):
        board = grid_board(ONE, 1, lambda p, s: 2.0, select={"metric": f"val/{name}", "mode": "min"})
        result = primary_metric(board)
        assert result == PrimaryMetric(f"test/{name}", 1.0, digits)
        assert result is not None
        assert result.unit == ""
    assert primary_metric(grid_board(ONE, 1, lambda p, s: "failed")) is None


def test_differences_have_signs_and_units() -> None:
    share, sum_of = PrimaryMetric("test/accuracy"), PrimaryMetric("test/rsum", 1.0, 1)
    assert share.interval(0.0123, 0.02) == "+1.2 [−0.8, +3.2]"
    assert share.interval(-0.5, None) == "−50.0"
    assert share.in_sentence(0.0123, 0.02) == "+1.2 points [−0.8, +3.2]"
    assert sum_of.in_sentence(-3.04, None) == "−3.0"
    assert share.signed(-0.0004) == "0.0"


def test_rounding_noise_does_not_choose_a_digit() -> None:
    for tie in (0.0005, 0.0125, 0.3335):
        shown = {PrimaryMetric("test/accuracy").signed(tie + noise) for noise in (-1e-15, 0.0, 1e-15)}
        assert len(shown) == 1
