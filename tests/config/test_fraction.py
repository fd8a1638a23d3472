"""A balanced part of a grid."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from vsebench.config.experiment import load_experiment
from vsebench.config.fraction import balanced_part, is_balanced
from vsebench.core.errors import ConfigError

Write = Callable[[Any], Path]


@pytest.mark.parametrize(
    ("levels", "share"),
    [
        ((2, 2, 2), "1/2"),
        ((2, 2, 3, 2), "1/2"),
        ((4, 4, 2, 3), "1/2"),
        ((2, 2, 2, 2), "1/2"),
        ((3, 3, 3), "1/3"),
        ((3, 3, 3), "2/3"),
        ((4, 4, 4), "3/4"),
        ((2, 2, 2, 2, 2), "1/4"),
    ],
)
def test_every_pair_of_levels_appears_equally_often(levels: tuple[int, ...], share: str) -> None:
    names = [f"axis {i}" for i in range(len(levels))]
    whole = set(itertools.product(*map(range, levels)))
    for seed in range(5):
        part = balanced_part(levels, Fraction(share), seed, names)
        assert part < whole
        assert len(part) == Fraction(share) * len(whole)
        for i, j in itertools.combinations(range(len(levels)), 2):
            counts = Counter((point[i], point[j]) for point in part)
            assert set(counts.values()) == {len(part) // (levels[i] * levels[j])}
        assert part == balanced_part(levels, Fraction(share), seed, names)
    assert len({frozenset(balanced_part((2, 2, 2), Fraction(1, 2), seed, "abc")) for seed in range(20)}) == 2


def test_an_unbalanced_part_is_seen() -> None:
    part = balanced_part((2, 2, 2), Fraction(1, 2), 0, "abc")
    assert is_balanced(part, (2, 2, 2))
    moved = {next(iter(set(itertools.product(range(2), repeat=3)) - part)), *sorted(part)[1:]}
    assert not is_balanced(moved, (2, 2, 2))


GRID = {
    "dim": [8, 16],
    "attention": {"none": "none", "two heads": {"name": "intra", "heads": 2}},
    "fusion": ["concat", "gated"],
}


def load(write: Write, **sweep: Any) -> list[dict[str, str]]:
    base = {"image_encoder": "features", "text_encoder": "features", "head": "linear"}
    file = write({"experiment": "e", "dataset": "x", "sweep": {"base": base, "grid": GRID, **sweep}})
    return [row.axes for row in load_experiment(file).rows]


def test_the_rows_of_an_experiment(write_experiment: Write) -> None:
    rows = load(write_experiment, fraction="1/2")
    assert len(rows) == 4
    assert Counter(row["fusion"] for row in rows) == {"concat": 2, "gated": 2}
    assert {(row["dim"], row["fusion"]) for row in rows} == set(itertools.product(("8", "16"), ("concat", "gated")))
    parts = {tuple(tuple(row.values()) for row in load(write_experiment, fraction="1/2", seed=s)) for s in range(8)}
    assert len(parts) == 2, "another seed draws the other half"


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (
            {"fraction": "1/3"},
            "'fraction' 1/3 of the grid's 8 points is 2.66667, which cannot hold",
        ),
        ({"fraction": "1/4"}, "of 'dim' and 'attention' equally often"),
        ({"fraction": "3/2"}, "'fraction' must lie between 0 and 1. Got 3/2."),
        ({"fraction": "1/2", "exclude": [{"dim": 8}]}, "'fraction' and 'exclude' do not go together"),
        ({"fraction": "1/2", "grid": {"dim": [8, 16], "fusion": ["concat", "gated"]}}, "needs three axes or more"),
        ({"fraction": "1/2", "method": "random", "budget": 3}, "this sweep is a search (random)"),
        ({"fraction": "half"}, "fraction"),
    ],
)
def test_what_is_no_part_of_a_grid(write_experiment: Write, sweep: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(write_experiment, **sweep)
    assert message in str(error.value)
    assert "experiment.yaml:" in str(error.value)
