"""How often rows that are equally good fall into different rank groups, how often a row that is worse is found, and
what rank groups cost.

    python benchmarks/rank_groups.py [--tables 1000] [--resamples 300]

Tables are simulated: items of different difficulty, rows with tastes of their own, seeds that come out better or worse
on validation and test alike. Nothing is trained.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
from null_simulation import Null, detected, drop_of, false_groups, null_table

from vsebench.stats.rank_groups import place

TABLES = {
    "6 rows, 1 seed": Null(seeds=1),
    "6 rows, 1 seed, 3 views of each thing": Null(seeds=1, views=3),
    "6 rows, 3 seeds that do not matter": Null(),
    "12 rows, 3 seeds, spread 0.3": Null(seed_spread=0.3, rows=12),
    "12 rows, 3 seeds, spread 1": Null(seed_spread=1.0, rows=12),
    "12 rows, 3 seeds, unequal spreads around 0.5": Null(seed_spread=0.5, unequal=0.7, rows=12),
    "20 rows, 2 seeds, spread 0.5": Null(seed_spread=0.5, rows=20, seeds=2),
    "2 rows, 3 seeds, very unequal spreads around 1": Null(seed_spread=1.0, unequal=1.0, rows=2),
    "3 rows, 3 seeds, spread 0.2, 300 items": Null(seed_spread=0.2, rows=3, clusters=300, taste=0.0),
    "10 rows, 3 seeds, spread 0.15, 300 items": Null(seed_spread=0.15, rows=10, clusters=300, taste=0.0),
    "10 rows, 3 seeds, unequal spreads around 0.2, 300 items": Null(
        seed_spread=0.2, unequal=0.7, rows=10, clusters=300, taste=0.5
    ),
    "12 rows, 3 seeds that do not matter but in one row, spread 1.5": Null(rows=12, wild=1.5),
}
#: Ten rows of three seeds on 300 items, of which 78 % are answered rightly; one of them lower.
POWER = Null(rows=10, clusters=300, taste=0.0, level=1.5)
POINTS = (2.5, 5, 7.5, 10)
SPREADS = (0.0, 0.1, 0.3)
SIZES = ((10, 800), (100, 800), (100, 5000), (2000, 800))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=300)
    message = parser.parse_args()
    print("| tables with a false group, % | |\n|--|--:|")
    for name, null in TABLES.items():
        print(f"| {name} | {100 * false_groups(null, message.tables, resamples=message.resamples):.1f} |", flush=True)
    head = "".join(f" spread {spread} | z-test |" for spread in SPREADS)
    print(f"\n| tables in which a lower row is found, % |{head}\n|--|{'--:|' * 2 * len(SPREADS)}")
    for points in POINTS:
        cells = []
        for spread in SPREADS:
            null = replace(POWER, seed_spread=spread, drop=drop_of(points, POWER))
            cells += [f"{100 * share:.0f}" for share in detected(null, message.tables, resamples=message.resamples)]
        print(f"| {points} points | {' | '.join(cells)} |", flush=True)
    print("\n| intervals and groups of a table | seconds |\n|--|--:|")
    for rows, items in SIZES:
        table, _ = null_table(Null(rows=rows, clusters=items, seed_spread=0.3), np.random.default_rng(0))
        begin = time.perf_counter()
        place(table)
        print(f"| {rows:,} rows, {items:,} items, 10,000 resamples | {time.perf_counter() - begin:.1f} |", flush=True)


if __name__ == "__main__":
    main()
