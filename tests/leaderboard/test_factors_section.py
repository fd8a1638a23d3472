"""What a page and its plot say of a grid's parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from board_texts import page, section_text
from grid_boards import board_of, grid_board

from vsebench.leaderboard import factors_plot
from vsebench.leaderboard.palette import COLOURS, GREY
from vsebench.leaderboard.render import render, stale
from vsebench.leaderboard.sections import factors
from vsebench.leaderboard.titles import AXIS_TITLES
from vsebench.runs.snapshot import Snapshot, results_file, save

AXES = {"text_encoder": ["bow", "lstm", "bert"], "fusion": ["concat", "gated"]}
WORTH = {"bow": 0.5, "lstm": 0.6, "bert": 0.65, "concat": 0.0, "gated": 0.02}
HOSTILE = "a|b `c` <script>alert(1)</script> *x* $\\frac$\nnew \u202e line"


def made(seeds: int = 3, *, without: str = "", noise: float = 0.01) -> Snapshot:
    """Each part adds what it is worth; levels named in ``without`` failed."""
    generator = np.random.default_rng(0)

    def outcome(point: dict[str, str], seed: int) -> float | str:
        value = sum(WORTH[label] for label in point.values()) + noise * float(generator.normal())
        return "failed" if without in point.values() else round(value, 4)

    return grid_board(AXES, seeds, outcome)  # type: ignore[arg-type]


def lines_of(snapshot: Snapshot) -> str:
    return section_text(factors, snapshot)


def tables(text: str) -> list[list[dict[str, str]]]:
    results = []
    for block in re.findall(r"(?:^\|.*(?:\n|$))+", text, re.MULTILINE):
        head, _, *body = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()]
        results.append([dict(zip(head, cells, strict=True)) for cells in body])
    return results


def test_the_page_says_what_each_part_does() -> None:
    board = made()
    text = lines_of(board)
    levels, changes, shares = tables(text)
    assert [row["Level"] for row in levels] == AXES["text_encoder"]  # of two levels, the change says it
    assert [(row["From"], row["To"]) for row in changes] == [
        ("bow", "lstm"), ("bow", "bert"), ("lstm", "bert"), ("concat", "gated")]  # fmt: skip
    value = {r.run_id: r.metrics["test/accuracy"] for r in board.results.values()}
    differences = []
    for concat, gated in zip(board.rows[::2], board.rows[1::2], strict=True):
        assert (concat.axes["fusion"], gated.axes["fusion"]) == ("concat", "gated")
        differences.append([100 * (value[gated.runs[s]] - value[concat.runs[s]]) for s in "012"])
    mean, half = np.mean(differences), 2.446912 * np.sqrt(np.var(differences, axis=1, ddof=1).mean() / 9)  # t, 6 df
    shown = f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]".replace("-", "−")
    assert changes[-1]["Change"] == shown
    assert changes[-1]["Combinations (pairs of runs)"] == "3 (9)"
    sentence = shown.replace(" [", " points [")
    assert f"changing only the fusion from concat to gated, all else equal: {sentence}, 3 matched combin" in text
    ends = [f"{end:+.1f}".replace("-", "−") for end in sorted(np.mean(differences, axis=1))[:: len(differences) - 1]]
    assert changes[-1]["Range over combinations"] == " … ".join(ends)
    assert [row["Source"] for row in shares] == ["Text encoder", "Fusion", "Text encoder × Fusion", "Seeds"]
    assert float(shares[0]["η² %"]) > 90
    assert shares[0]["p"] == "< 0.001"
    assert "the variation over seeds within a combination" in text
    assert "![The effect of each level with its interval, all on one scale](plots/demo-factors.svg)" in text


def test_one_seed_says_what_its_intervals_are() -> None:
    text = lines_of(made(1))
    assert "Intervals (t) are over matched combinations" in text
    _, changes, shares = tables(text)
    assert changes[-1]["Combinations"] == "3"
    assert list(shares[0]) == ["Source", "df", "η² %", "Largest deviation"]
    assert "interactions cannot be separated from chance" in text
    assert "Bonferroni" not in text


def test_one_part_and_one_seed_have_no_interval() -> None:
    text = lines_of(grid_board({"fusion": ["concat", "gated"]}, 1, lambda p, s: WORTH[p["fusion"]]))
    assert "No repetitions, so no intervals." in text
    assert "+2.0 points, 1 matched combination." in text
    assert "variance" not in text
    assert len(tables(text)) == 1
    repeated = lines_of(
        grid_board({"fusion": ["concat", "gated"]}, 3, lambda p, s: WORTH[p["fusion"]] + 0.01 * s * (s - 1))
    )
    assert [row["Source"] for row in tables(repeated)[-1]] == ["Fusion", "Seeds"]


def test_what_is_missing_is_named() -> None:
    text = lines_of(made(without="bert"))
    assert "Omitted, because no run has finished: Text encoder bert." in text
    board = made()
    results = {k: v for k, v in board.results.items() if not k.startswith("005")}
    text = lines_of(replace(board, results=results))
    assert "5 of the 6 combinations of these levels have a finished run." in text
    assert tables(text)[1][-1]["Combinations (pairs of runs)"] == "2 (6)"
    assert "not estimable: combinations are missing" in text


def test_without_a_grid_nothing_is_said_and_without_matches_why() -> None:
    assert factors.TITLE in lines_of(made())
    assert lines_of(replace(made(), search={"method": "random", "budget": 6, "seed": 0})) == ""
    assert factors.TITLE in lines_of(made(without="bow"))
    assert lines_of(grid_board(AXES, 1, lambda p, s: "failed")) == ""
    # Each level of a part with another one of the others: no two runs differ in one part alone.
    points = [dict(zip("abc", labels, strict=True)) for labels in ("000", "011", "101", "110")]
    text = lines_of(board_of(points, 2, lambda p, s: 0.5))
    assert "No two finished runs of the grid differ in one part alone" in text
    assert tables(text) == []


def test_each_grid_has_a_part_of_its_own() -> None:
    """The same level is worth something else in each grid; no run is compared with one of the other."""
    mechanisms = [{"fusion": f, "attention": a} for f in ("concat", "gated") for a in ("none", "intra", "inter")]
    encoders = [{"fusion": f, HOSTILE: e} for f in ("concat", "gated") for e in ("bow", "lstm")]
    worth = {"gated": 0.02, "intra": 0.05, "inter": 0.01, "lstm": 0.1}

    def outcome(point: Mapping[str, str], seed: int) -> float:
        base = 0.4 if HOSTILE in point else 0.5
        return base + sum(worth.get(v, 0.0) for v in point.values()) * (2 if HOSTILE in point else 1) + 0.001 * seed

    text = lines_of(board_of([*mechanisms, *encoders], 2, outcome))
    assert "<summary><b>Contribution of each part</b>: 2 grids</summary>" in text
    assert "<summary><b>Fusion × Attention</b>: 12 runs</summary>" in text
    assert "<script" not in text.replace("\\<script", "")
    first, second = text.split("<summary><b>Fusion × ")[1:]
    assert "from 12 finished runs of the grid (2 seeds)" in first
    assert "from 8 finished runs of the grid (2 seeds)" in second
    assert "plots/demo-factors-1.svg" in first
    assert "plots/demo-factors-2.svg" in second
    levels, changes, shares = tables(first)
    assert [(row["Level"], row["Combinations"]) for row in levels] == [("none", "2"), ("intra", "2"), ("inter", "2")]
    assert [row["Change"].split()[0] for row in changes] == ["+2.0", "+5.0", "+1.0", "−4.0"]
    assert [row["Source"] for row in shares] == ["Fusion", "Attention", "Fusion × Attention", "Seeds"]
    changes, shares = tables(second)
    assert [row["Change"].split()[0] for row in changes] == ["+4.0", "+20.0"]
    assert len(shares) == 4


def test_equal_runs_have_no_variance_to_share() -> None:
    text = lines_of(grid_board(AXES, 2, lambda p, s: 0.5))
    assert "All runs have the same value" in text
    assert "0.0 [0.0, 0.0]" in text


def test_lower_may_be_better() -> None:
    board = grid_board(AXES, 2, lambda p, s: 1.0 + s, select={"metric": "val/nll", "mode": "min"})
    assert "Effects on `test/nll` (lower is better), from 12 finished runs" in lines_of(board)


def test_hostile_names_are_text() -> None:
    board = grid_board({HOSTILE: [HOSTILE, "other"], "fusion": ["x", "y"]}, 2, lambda p, s: 0.5 + 0.1 * s)
    text = page(board)
    assert "<script" not in text.replace("\\<script", "")
    assert "\u202e" not in text
    assert all(len(row) for table in tables(text) for row in table)
    (effects,) = factors_plot.effects_of(board)
    drawn = factors_plot.factors_figure(effects, AXIS_TITLES).svg()
    assert "<script" not in drawn
    ElementTree.fromstring(drawn)


def test_the_plot_is_drawn_checked_and_goes_stale(tmp_path: Path) -> None:
    board = made()
    save(board, results_file(tmp_path, "demo"))
    (effects,) = factors_plot.effects_of(board)
    file = tmp_path / factors_plot.factors_figure(effects, AXIS_TITLES).file
    assert file in render(tmp_path)
    assert stale(tmp_path) == []
    file.write_text(file.read_text(encoding="utf-8").replace(COLOURS[0], "#ff0000"), encoding="utf-8")
    assert stale(tmp_path) == [file]
    render(tmp_path)
    first = next(iter(board.results))
    changed = replace(board.results[first], metrics={**board.results[first].metrics, "test/accuracy": 0.9})
    save(replace(board, results={**board.results, first: changed}), results_file(tmp_path, "demo"))
    assert file in stale(tmp_path)


def test_all_parts_share_one_scale_and_what_is_not_shown_is_grey() -> None:
    (result,) = factors_plot.effects_of(made())
    drawn = factors_plot.figure(result, AXIS_TITLES)
    (axes,) = drawn.axes
    parts = [["Text encoder", *result.grid.levels[0]], ["Fusion", *result.grid.levels[1]]]
    assert [label.get_text() for label in axes.get_yticklabels()] == [name for names in parts for name in names]
    effects = [effect for levels in result.levels for effect in levels if effect is not None]
    points = [container.lines[0] for container in axes.containers]
    assert [point.get_xdata()[0] for point in points] == [pytest.approx(100 * effect.value) for effect in effects]
    assert [text.get_text() for text in axes.texts] == [result.shown.interval(e.value, e.half) for e in effects]
    colours = [COLOURS[0] if factors_plot.is_shown(effect) else GREY for effect in effects]
    assert [point.get_color() for point in points] == colours
    assert not factors_plot.is_shown(replace(effects[0], value=0.5, half=0.6))
    assert factors_plot.is_shown(replace(effects[0], value=-0.5, half=0.4))
