"""Learning curves of a grid over the number of training items."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import grid_boards
import pytest

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.sections import learning_curves
from vsebench.runs.snapshot import Snapshot

SCORES = {"a": {"100": 0.2, "400": 0.5, "all": 0.9}, "b": {"100": 0.3, "400": 0.35, "all": 0.4}}


def grid(axis: str = "train.items") -> Snapshot:
    axes = {"fusion": ("b", "a"), axis: ("100", "400", "all")}

    def score(point: Any, seed: int) -> float:
        return SCORES[point["fusion"]][point[axis]] + 0.01 * seed

    snapshot = grid_boards.grid_board(axes, 2, score)
    results = {}
    for row in snapshot.rows:
        label = row.axes[axis]
        for run in row.runs.values():
            items = label if label == "all" else int(label)
            results[run] = replace(
                snapshot.results[run], config={**snapshot.results[run].config, "train": {"items": items}}
            )
    return replace(snapshot, results=results, dataset={**snapshot.dataset, "splits": {"train": 1000, "test": 100}})


def test_a_curve_for_each_combination_of_the_other_axes() -> None:
    curves = learning_curves.curves_of(grid())
    assert [curve.name for curve in curves] == ["a", "b"]
    assert [list(curve.items) for curve in curves] == [[100, 400, 1000]] * 2
    assert list(curves[0].value) == pytest.approx([0.205, 0.505, 0.905])
    assert all(half is not None for half in curves[0].half)


def test_the_section_says_what_changes_most_and_draws_it() -> None:
    (section,) = learning_curves.sections(BoardData(grid()))
    assert section.finding == "largest change: a, +70.0 points from 100 to 1,000 items"
    (figure,) = section.blocks
    svg = figure.svg()  # type: ignore[union-attr]
    assert svg.count("training items") == 1
    assert "1,000" in svg
    assert ">a</text>" in svg, "named at its end"
    changed = grid()
    first = next(iter(changed.results))
    result = changed.results[first]
    moved = replace(result, metrics={**result.metrics, "test/accuracy": 0.0})
    other = replace(changed, results={**changed.results, first: moved})
    (again,) = learning_curves.sections(BoardData(other))
    assert again.blocks[0].digest != figure.digest  # type: ignore[union-attr]


def test_an_axis_that_is_zipped_with_the_sizes_splits_no_curve() -> None:
    snapshot, epochs = grid(), {"100": "9", "400": "3", "all": "1"}
    rows = [replace(r, axes={**r.axes, "train.epochs": epochs[r.axes["train.items"]]}) for r in snapshot.rows]
    curves = learning_curves.curves_of(replace(snapshot, rows=tuple(rows)))
    assert [(curve.name, len(curve.items)) for curve in curves] == [("a", 3), ("b", 3)]


def test_other_boards_have_none() -> None:
    assert learning_curves.sections(BoardData(grid("dim"))) == []
