from __future__ import annotations

import pytest

from vsebench.components.schedule.step import step
from vsebench.core.errors import ConfigError


def test_falls_at_each_point_whatever_their_order() -> None:
    factors = [step(p / 10, at=[0.8, 0.3], factor=0.5) for p in range(11)]
    assert factors == [1.0] * 3 + [0.5] * 5 + [0.25] * 3


def test_falls_tenfold_at_half_by_default() -> None:
    assert step(0.499) == 1.0
    assert step(0.5) == pytest.approx(0.1)


def test_no_points_change_nothing() -> None:
    assert step(1.0, at=[]) == 1.0


@pytest.mark.parametrize("at", [[0.0], [1.0], [30]])
def test_points_are_shares_of_the_training(at: list) -> None:
    with pytest.raises(ConfigError, match="option 'at' of schedule 'step'"):
        step(0.5, at=at)
