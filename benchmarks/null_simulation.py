"""Tables of rows that are equally good, to count how often rank groups are found among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vsebench.stats.compared_metrics import Sums
from vsebench.stats.rank_groups import place


@dataclass(frozen=True)
class Null:
    """How equally good rows are made.

    Args:
        rows: of the table.
        seeds: of each row.
        clusters: of test items, and as many of validation items.
        views: items of a cluster.
        seed_spread: standard deviation, in logits, of how well a seed comes out, on validation and test alike.
        unequal: standard deviation of the logarithm of the rows' spreads over seeds.
        taste: standard deviation, in logits, of what a row makes of a cluster (its items succeed or fail together).
        level: log-odds of a right answer.
    """

    rows: int = 6
    seeds: int = 3
    clusters: int = 150
    views: int = 1
    seed_spread: float = 0.0
    unequal: float = 0.0
    taste: float = 1.0
    level: float = 1.0


def null_table(null: Null, generator: np.random.Generator) -> Sums:
    """One table, its rows sorted by validation as on a board."""
    spread = null.seed_spread * np.exp(null.unequal * generator.standard_normal((null.rows, 1)))
    shift = spread * generator.standard_normal((null.rows, null.seeds))
    splits = [_answers(null, shift, generator) for _ in range(2)]
    order = np.argsort(-splits[0].mean((1, 2, 3)), kind="stable")
    test = splits[1][order]  # (R, S, m, views)
    total = test.mean(1).sum(-1).T[:, :, None]  # (m, R, 1)
    count = np.full((null.clusters, 1), float(null.views))
    plain = null.seeds == 1 and null.views == 1
    binary = [row.ravel() if plain else None for row in test]
    return Sums([], total, count, test.mean((2, 3)).tolist(), binary)


def _answers(null: Null, shift: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Right or wrong, float64 (R, S, m, views): items differ in difficulty, and rows have tastes of their own."""
    hard = generator.standard_normal((null.clusters, null.views))
    row_taste = null.taste * generator.standard_normal((null.rows, 1, null.clusters, 1))
    odds = null.level + hard + row_taste + shift[:, :, None, None]
    return (generator.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(np.float64)


def false_groups(null: Null, tables: int, *, seed: int = 0, resamples: int = 1000, family: int | None = None) -> float:
    """Share of tables of equally good rows that have more than one group.

    Args:
        null: how the rows are made.
        tables: how many are made.
        seed: of the generator that makes them.
        resamples: of the bootstrap.
        family: comparisons to correct for; all pairs of rows by default.
    """
    generator = np.random.default_rng(seed)
    made = (null_table(null, generator) for _ in range(tables))
    result = (place(table, resamples=resamples, family=family)[0] for table in made)
    return sum(any(s.status == "worse" for s in ranked_rows) for ranked_rows in result) / tables
