from __future__ import annotations

import math

import pytest

from vsebench.components.schedule.cosine import cosine
from vsebench.core.errors import ConfigError


@pytest.mark.parametrize("final", [0.0, 0.2])
def test_equals_the_formula_and_falls_all_the_way(final: float) -> None:
    factors = [cosine(i / 20, final=final) for i in range(21)]
    assert factors[0] == 1.0
    assert factors[-1] == pytest.approx(final)
    assert factors[5] == pytest.approx(final + (1 - final) * (1 + math.sqrt(0.5)) / 2)
    assert factors == sorted(factors, reverse=True)


def test_a_final_factor_above_1_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'final' of schedule 'cosine'"):
        cosine(0.5, final=1.5)
