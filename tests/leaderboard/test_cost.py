"""The board's cost: which rows are on the front, what the page says, plots that go stale, hostile names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from board_texts import page

from vsebench.core.types import Result
from vsebench.leaderboard.cost import COSTS, MARK, compared, cost_sections, costed, front_of
from vsebench.leaderboard.cost_plots import figure, figures
from vsebench.leaderboard.render import render, stale
from vsebench.runs.snapshot import BoardRow, Snapshot, load, results_file, save

DATA = {"name": "demo", "title": "Demo", "fingerprint": "f" * 16, "splits": {"train": 8, "val": 4, "test": 40},
        "captions": {"train": 8, "val": 4, "test": 40}, "num_classes": 3, "relevance": "item",
        "split_rule": "by rule"}  # fmt: skip
HOSTILE = "a|b `c` <script>alert(1)</script> *x* $\\frac$\nnew \u202e line"
TIME, OPERATIONS = COSTS


def values(milliseconds: float, gflops: float, **changes: Any) -> dict[str, Any]:
    latency = {"median": milliseconds, "low": milliseconds, "high": 2 * milliseconds, "repeats": 5}
    parts = {"encoders/image": {"total": 1_500_000, "trained": 0}, "head": {"total": 500, "trained": 500}}
    plain = {
        "answer": "item",
        "hardware": {"device": "cpu x", "threads": 1, "load": 0.5},
        "parameters": {"total": 1_500_500, "trained": 500, "parts": parts},
        "gflops": {"item": gflops},
        "latency_ms": {"item@1": latency, "item@64": {**latency, "median": milliseconds / 2}},
        "memory_bytes": {"weights": 6_000_000, "item@1": 10, "item@64": 14_000_000},
        "energy_missing": {"processor": "this system shows no counters of the processor"},
    }
    return {**plain, **changes}


def board(rows: Mapping[str, tuple[list[float], Mapping[str, Any] | None]], **changes: Any) -> Snapshot:
    """Rows: name -> test accuracies over seeds, and what was measured of the first."""
    results, listed, measures = {}, [], {}
    for number, (name, (accuracies, cost)) in enumerate(rows.items()):
        runs = {}
        for seed, accuracy in enumerate(accuracies):
            run = f"{number:02}-{seed}"
            metrics = {"val/accuracy": accuracy, "test/accuracy": accuracy}
            results[run] = Result(run, "demo", name, seed, "finished", {"attention": {"name": "none"}}, DATA, metrics,
                                  parameters={"total": 1_500_500, "trained": 500}, train_s=3.0,
                                  finished_at="2026-01-02T03:04:05+00:00")  # fmt: skip
            runs[str(seed)] = run
        if cost is not None:
            measures[runs["0"]] = {"cost": cost}
        listed.append(BoardRow(name, "systems", {}, runs))
    plain: dict[str, Any] = {"experiment": "demo", "title": "Demo", "dataset": DATA, "rows": listed, "seeds": [0, 1],
                             "select": {"metric": "val/accuracy", "mode": "max"}, "board": {}, "command": "x",
                             "results": results, "measures": measures}  # fmt: skip
    return Snapshot(**{**plain, **changes})


def names(rows: Any) -> list[str]:
    return [row.view.row.name for row in rows]


FOUR = {
    "quick": ([0.5, 0.6], values(1.0, 8.0)),
    "slow and worse": ([0.5, 0.5], values(5.0, 1.0)),
    "good": ([0.8, 0.9], values(4.0, 4.0)),
    "best": ([0.9, 0.9], values(20.0, 6.0)),
    "unknown": ([1.0, 1.0], None),
}


def test_fronts() -> None:
    snapshot = board(FOUR)
    assert names(costed(snapshot)) == ["best", "good", "quick", "slow and worse"]
    assert names(front_of(snapshot, TIME)) == ["quick", "good", "best"]
    assert names(front_of(snapshot, OPERATIONS)) == ["slow and worse", "good", "best"]


def test_front_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        accuracies, costs = rng.integers(0, 6, 12) / 10, rng.integers(1, 6, 12)
        snapshot = board(
            {f"r{i}": ([a], values(float(c), 1.0)) for i, (a, c) in enumerate(zip(accuracies, costs, strict=True))}
        )
        points = list(zip(accuracies, costs, strict=True))
        beaten = {
            i for i, (a, c) in enumerate(points) if any(x >= a and y <= c and (x, y) != (a, c) for x, y in points)
        }
        assert set(names(front_of(snapshot, TIME))) == {f"r{i}" for i in range(12) if i not in beaten}


def test_lower_is_better_where_the_board_says_so() -> None:
    snapshot = board(
        {"low": ([0.1], values(9.0, 1.0)), "high": ([0.7], values(5.0, 1.0)), "no": ([0.8], values(6.0, 1.0))}
    )
    results = {
        run: replace(
            r, metrics={"val/mean_rank": r.metrics["val/accuracy"], "test/mean_rank": r.metrics["val/accuracy"]}
        )
        for run, r in snapshot.results.items()
    }
    snapshot = replace(snapshot, results=results, select={"metric": "val/mean_rank", "mode": "min"})
    assert names(front_of(snapshot, TIME)) == ["high", "low"]
    assert figure(snapshot, TIME).axes[0].yaxis_inverted()


def test_times_of_another_machine_are_not_compared() -> None:
    other = values(0.1, 0.1, hardware={"device": "gpu y", "threads": 8})
    snapshot = board({**FOUR, "elsewhere": ([0.95], other)})
    assert "elsewhere" not in names(compared(snapshot, TIME))
    assert "elsewhere" in names(front_of(snapshot, OPERATIONS)), "operations are the same anywhere"
    text = page(snapshot)
    assert "[1] cpu x, 1 thread" in text or "[2] cpu x, 1 thread" in text
    assert "gpu y, 8 threads" in text


def test_queries_are_not_compared_with_items() -> None:
    query = values(0.01, 0.01, answer="query", gallery=1000)
    query["gflops"] = {"i2t": 2.0, "t2i": 4.0}
    query["latency_ms"] = {
        "i2t@1": {"median": 2.0, "low": 1.0, "high": 3.0},
        "t2i@1": {"median": 4.0, "low": 3.0, "high": 5.0},
    }
    snapshot = board({**FOUR, "ranks": ([0.99], query)})
    assert "ranks" not in names(compared(snapshot, OPERATIONS))
    row = next(row for row in costed(snapshot) if row.view.row.name == "ranks")
    assert (row.gflops(), row.latency(1), row.latency(64)) == (3.0, {"median": 3.0, "low": 2.0, "high": 4.0}, None)


def test_page() -> None:
    text = page(board(FOUR))
    line = next(line for line in text.splitlines() if line.startswith("| good ") and MARK in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1].startswith("85.0 ±")
    assert cells[2:] == ["500", "1.5 M", "4", "4 (4–8)", "2 (4–8)", "20", "3", f"{MARK} time, operations"]
    assert "- Rows not measured, and so not compared: 1." in text
    assert "no counters of the processor" in text
    assert "kJ" not in text, "no column for what nobody could read"


def test_energy_has_a_column_where_it_was_read() -> None:
    known = values(1.0, 1.0, energy_j={"processor": 1500.0, "gpu": 500.0})
    text = page(board({"a": ([0.5], known), "b": ([0.4], values(2.0, 2.0))}))
    assert "Train kJ" in text
    assert re.search(r"\| a +\|.*\| +2 \|", text)


def test_nothing_is_said_where_nothing_was_measured() -> None:
    snapshot = board({name: (accuracies, None) for name, (accuracies, _) in FOUR.items()})
    assert figures(snapshot) == []
    assert cost_sections(snapshot, []) == []


@pytest.mark.parametrize("against", COSTS, ids=lambda a: a.name)
def test_plot_has_all_rows_and_names_the_front(against: Any) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    rows = {
        f"row number {i}": ([0.5 + 0.01 * i, 0.52 + 0.01 * i], values(1.0 + 0.01 * i, 1.0 + 0.02 * i))
        for i in range(12)
    }
    snapshot = board({**rows, "beaten": ([0.1], values(50.0, 50.0))})
    picture = figure(snapshot, against)
    axes = picture.axes[0]
    assert axes.get_xscale() == "log"
    renderer = FigureCanvasAgg(picture).get_renderer()
    named = [text for text in axes.texts if text.get_text()]
    assert {text.get_text() for text in named} <= rows.keys()
    assert len(named) > 6
    boxes = [text.get_window_extent(renderer) for text in named]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert picture.get_suptitle() == "Cheapest: row number 0; best: row number 11; grey: 1 beaten in both"


def test_plots_go_stale(tmp_path: Path) -> None:
    save(board(FOUR), results_file(tmp_path, "demo"))
    changed = render(tmp_path)
    assert {f.name for f in changed} >= {"demo-cost-time.svg", "demo-cost-operations.svg"}
    assert render(tmp_path) == []
    snapshot = load(results_file(tmp_path, "demo"))
    time, _ = figures(snapshot)
    file = tmp_path / time.file
    assert time.is_current(tmp_path)
    file.write_text(file.read_text().replace("<g ", "<g  ", 1))
    assert stale(tmp_path) == [file], "edited"
    render(tmp_path)
    slower = board({**FOUR, "good": ([0.8, 0.9], values(4.5, 4.0))})
    assert [plot.is_current(tmp_path) for plot in figures(slower)] == [False, True]


def test_hostile_names() -> None:
    first, second = (values(i, i, hardware={"device": HOSTILE, "threads": 1}) for i in (1.0, 2.0))
    snapshot = board({HOSTILE: ([0.9], first), "b": ([0.5], second)}, title=HOSTILE)
    text = page(snapshot)
    assert "<script" not in text.replace("\\<", "")
    assert "\u202e" not in text
    table = [line for line in text.splitlines() if MARK in line and line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    drawing = figures(snapshot)[0].svg()
    assert ">b</text>" in figures(board(FOUR | {"b": ([0.95], values(9.0, 9.0))}))[0].svg(), "text is text"
    ElementTree.fromstring(drawing)
    assert "<script" not in drawing
