"""Boards of a grid, made up: every combination of levels with seeds, some of them without a result."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vsebench.core.types import Result
from vsebench.leaderboard.factors import Grid
from vsebench.runs.snapshot import BoardRow, Snapshot

DATA = {"name": "demo", "title": "Demo", "fingerprint": "f" * 16, "splits": {"train": 8, "val": 4, "test": 40},
        "captions": {"train": 8, "val": 4, "test": 40}, "num_classes": 3, "relevance": "item",
        "split_rule": "by rule"}  # fmt: skip
#: Of a run: labels by axis and the seed -> test metric, or a status that is not ``finished``.
Outcome = Callable[[Mapping[str, str], int], float | str]


def grid_board(axes: Mapping[str, Sequence[str]], seeds: int, outcome: Outcome, **changes: Any) -> Snapshot:
    """A board of all combinations; validation has what test has."""
    points = [dict(zip(axes, labels, strict=True)) for labels in itertools.product(*axes.values())]
    return board_of(points, seeds, outcome, **changes)


def board_of(points: Sequence[Mapping[str, str]], seeds: int, outcome: Outcome, **changes: Any) -> Snapshot:
    """A board of these combinations."""
    key = changes.get("select", {"metric": "val/accuracy"})["metric"].removeprefix("val/")
    rows, results = [], {}
    for number, point in enumerate(points):
        name = " · ".join(point.values())
        runs = {str(seed): f"{number:03}-{seed}" for seed in range(seeds)}
        rows.append(BoardRow(name, "sweep", point, runs))
        for seed in range(seeds):
            output = outcome(point, seed)
            if output == "planned":
                continue
            metrics = {} if isinstance(output, str) else {f"val/{key}": output, f"test/{key}": output}
            status = output if isinstance(output, str) else "finished"
            results[runs[str(seed)]] = result(runs[str(seed)], name, seed, metrics, status=status)
    plain: dict[str, Any] = {"experiment": "demo", "title": "Demo", "dataset": DATA, "rows": rows,
                             "seeds": list(range(seeds)), "select": {"metric": "val/accuracy", "mode": "max"},
                             "board": {}, "command": "vsebench sweep x.yaml", "results": results}  # fmt: skip
    return Snapshot(**{**plain, **changes})


def result(
    run: str,
    name: str,
    seed: int,
    metrics: Mapping[str, float],
    *,
    config: Mapping[str, Any] | None = None,
    status: str = "finished",
) -> Result:
    return Result(run, "demo", name, seed, status, dict(config or {}), DATA, dict(metrics),
                  parameters={"total": 10, "trained": 5}, train_s=1.0,
                  finished_at="2026-01-02T03:04:05+00:00")  # fmt: skip


def random_grid(shape: Sequence[int], seeds: int, *, missing: float = 0.0, noise: float = 1.0, at: int = 0) -> Grid:
    """A grid of random cell means, seed effects and noise, a share of the runs missing."""
    generator = np.random.default_rng(at)
    cells = np.array(list(itertools.product(*(range(n) for n in shape))))
    means, of_seed = 3 * generator.normal(size=len(cells)), 2 * generator.normal(size=seeds)
    runs = [(c, s) for c in range(len(cells)) for s in range(seeds) if generator.random() >= missing]
    values = np.array([means[c] + of_seed[s] + noise * generator.normal() for c, s in runs])
    levels = tuple(tuple(f"{'abcd'[i]}{j}" for j in range(n)) for i, n in enumerate(shape))
    axes = tuple("abcd"[: len(shape)])
    return Grid(axes, levels, cells[[c for c, _ in runs]], np.array([s for _, s in runs]), values)
