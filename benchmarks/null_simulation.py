"""Tables of rows that are equally good, or all but one, to count how often rank groups are found among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vsebench.stats.compared_metrics import Sums, summed
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
        wild: standard deviation, in logits, of how the seeds of one row come out beside the others.
        drop: how much lower, in logits, one row lies than all others.
    """

    rows: int = 6
    seeds: int = 3
    clusters: int = 150
    views: int = 1
    seed_spread: float = 0.0
    unequal: float = 0.0
    taste: float = 1.0
    level: float = 1.0
    wild: float = 0.0
    drop: float = 0.0


def null_table(null: Null, generator: np.random.Generator) -> tuple[Sums, int]:
    """Make one table, its rows sorted by validation as on a board. Returns it, and where the odd row stands."""
    spread = null.seed_spread * np.exp(null.unequal * generator.standard_normal((null.rows, 1)))
    shift = spread * generator.standard_normal((null.rows, null.seeds))
    if null.wild:
        shift[0] = null.wild * generator.standard_normal(null.seeds)
    shift[0] -= null.drop
    splits = [_answers(null, shift, generator) for _ in range(2)]
    order = np.argsort(-splits[0].mean((1, 2, 3)), kind="stable")
    test = splits[1][order].reshape(null.rows, null.seeds, -1)
    items = [np.arange(test.shape[-1]) // null.views]
    return summed([], [[[seed] for seed in row] for row in test], items), int(np.argmin(order))


def _answers(null: Null, shift: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Right or wrong, float64 (R, S, m, views): items differ in difficulty, and rows have tastes of their own."""
    hard = generator.standard_normal((null.clusters, null.views))
    row_taste = null.taste * generator.standard_normal((null.rows, 1, null.clusters, 1))
    odds = null.level + hard + row_taste + shift[:, :, None, None]
    return (generator.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(np.float64)


def false_groups(null: Null, tables: int, *, seed: int = 0, resamples: int = 1000) -> float:
    """Share of tables of equally good rows that have more than one group.

    Args:
        null: how the rows are made.
        tables: how many are made.
        seed: of the generator that makes them.
        resamples: of the bootstrap.
    """
    generator = np.random.default_rng(seed)
    made = (null_table(null, generator)[0] for _ in range(tables))
    result = (place(table, resamples=resamples)[0] for table in made)
    return sum(any(s.status == "worse" for s in ranked_rows) for ranked_rows in result) / tables


def detected(null: Null, tables: int, *, seed: int = 0, resamples: int = 1000) -> tuple[float, float]:
    """Return how often the row that is lower is found to be worse, and how often a z-test of it alone would find it.

    The z-test knows which row is lower, compares it with one other over the items and takes seeds for no matter.
    """
    generator = np.random.default_rng(seed)
    worse = alone = 0
    for _ in range(tables):
        table, low = null_table(null, generator)
        worse += place(table, resamples=resamples)[0][low].status == "worse"
        apart = (table.total[:, 1 if low == 0 else 0] - table.total[:, low])[:, 0]
        alone += apart.mean() / (apart.std(ddof=1) / len(apart) ** 0.5) > 1.959963984540054
    return worse / tables, alone / tables


def drop_of(points: float, null: Null, *, answers: int = 400_000) -> float:
    """Return the drop in logits that lowers the accuracy of a row by so many points."""
    generator = np.random.default_rng(0)
    odds = null.level + generator.standard_normal(answers) + null.taste * generator.standard_normal(answers)
    low, high = 0.0, 3.0
    for _ in range(40):
        middle = (low + high) / 2
        lost = np.mean(1 / (1 + np.exp(-odds)) - 1 / (1 + np.exp(middle - odds)))
        low, high = (middle, high) if 100 * lost < points else (low, middle)
    return low
