"""How numbers are shown: titles, units and digits of every metric, and how differences are written."""

from __future__ import annotations

import pytest
from grid_boards import grid_board

from vsebench.core.display import shown
from vsebench.core.registry import METRICS
from vsebench.leaderboard.board import primary_metric

ONE = {"fusion": ["concat", "gated"]}


@pytest.mark.parametrize("name", METRICS.names())
def test_every_metric_says_how_it_is_shown(name: str) -> None:
    display = METRICS.get(name).facts["shows"]
    low, high = display.bounds
    assert display.title
    assert low is not None
    assert (display.unit == "%") == (high == 1.0), "a share is in percent, and nothing else is"


def test_the_test_number_of_what_sorts_rows() -> None:
    assert primary_metric(grid_board(ONE, 1, lambda p, s: 0.5)).key == "test/accuracy"
    for name, digits in (("nll", 3), ("rsum", 1), ("i2t/median_rank", 1)):
        board = grid_board(ONE, 1, lambda p, s: 2.0, select={"metric": f"val/{name}", "mode": "min"})
        result = primary_metric(board)
        assert (result.key, result.factor, result.display.digits, result.unit) == (f"test/{name}", 1.0, digits, "")


def test_titles_units_and_directions() -> None:
    assert [(n.title, n.factor, n.direction, n.family) for n in map(shown, (
        "test/i2t/map@50:min", "test/rsum", "val/nll", "test/f1/micro", "test/i2t/chance/recall@1",
    ))] == [
        ("i→t MAP@50:min", 100.0, "max", "retrieval"),
        ("rsum", 1.0, "max", "retrieval"),
        ("NLL", 1.0, "min", "classification"),
        ("F1 micro", 100.0, "max", "classification"),
        ("i→t chance R@1", 100.0, None, "retrieval"),
    ]  # fmt: skip
    unknown = shown("test/i2t/of_a_plug_in@3")
    assert (unknown.title, unknown.factor, unknown.direction) == ("i→t of_a_plug_in@3", 1.0, None)


def test_differences_have_signs_and_units() -> None:
    share, sum_of = shown("test/accuracy"), shown("test/rsum")
    assert share.interval(0.0123, 0.02) == "+1.2 [−0.8, +3.2]"
    assert share.interval(-0.5, None) == "−50.0"
    assert share.in_sentence(0.0123, 0.02) == "+1.2 points [−0.8, +3.2]"
    assert sum_of.in_sentence(-3.04, None) == "−3.0"
    assert share.signed(-0.0004) == "0.0"


def test_rounding_noise_does_not_choose_a_digit() -> None:
    for tie in (0.0005, 0.0125, 0.3335):
        assert len({shown("test/accuracy").signed(tie + noise) for noise in (-1e-15, 0.0, 1e-15)}) == 1
