"""Curves of codes: precision against recall for every radius, and precision of the first N."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from typing import Any

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.figure import Figure, plot_title
from vsebench.leaderboard.page import Section
from vsebench.leaderboard.palette import GREY, GRID, PALE, Style, method_of, styles_of
from vsebench.leaderboard.table import printable, short
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.rows import SECTIONS, RowView, views

PLACE = 70
#: Methods that have a colour and a name, the best on validation; the others are grey.
NAMED = 10
DIRECTIONS = {"i2t": "image → text", "t2i": "text → image"}
CAPTIONS = {
    "lookup": "Hash lookup: precision against recall for every radius from 0 to the length of the code, pooled over "
    "all pairs of a query and an item (micro). Radii at which nothing is returned are left out.",
    "topn": "Precision of the first N: by Hamming distance, ties in expectation. Dotted: the whole gallery, which is "
    "what random codes reach.",
}


@dataclass(frozen=True)
class Line:
    """One row's curve of one direction: points, means over its seeds.

    Args:
        method: the row without the length of its codes, which has one colour in all panels.
    """

    name: str
    method: str
    direction: str
    bits: int
    x: Sequence[float]
    y: Sequence[float]


def sections(board: BoardData) -> list[Section]:
    """Return the curves that are asked for, where any row has codes."""
    kinds: list[str] = list(board.snapshot.board.get("plots") or [])
    figures = [figure for kind in kinds if (figure := figure_of(board.snapshot, kind)) is not None]
    if not kinds:
        return []
    return [Section("Curves", figures or ["No row has codes; there are no curves to draw."])]


def figure_of(snapshot: Snapshot, kind: str) -> Figure | None:
    """Return a plot, ``lookup`` or ``topn``; None where no row has curves."""
    lines, styles = lines_of(snapshot, kind), styles_of(snapshot)
    data = [kind, [astuple(line) for line in lines]]
    alt, caption = CAPTIONS[kind].split(":")[0], CAPTIONS[kind]
    return (
        Figure(f"{snapshot.experiment}-{kind}", alt, data, partial(draw, lines, kind, styles), caption)
        if lines
        else None
    )


def lines_of(snapshot: Snapshot, kind: str) -> list[Line]:
    """Return the lines of all panels, a section's best rows on validation first."""
    results = []
    for section in SECTIONS:
        for view in views(snapshot, section):
            for direction in DIRECTIONS:
                curves = [r.curves[direction] for r in view.results if direction in r.curves]
                if curves and len(curves) == len(view.results):
                    results.append(_line(view, direction, kind, curves))
    return results


def _line(view: RowView, direction: str, kind: str, curves: Sequence[Mapping[str, Any]]) -> Line:
    parts = [curve[kind] for curve in curves]
    across = [part["recall" if kind == "lookup" else "n"] for part in parts]
    means = zip(_mean(across), _mean([part["precision"] for part in parts]), strict=True)
    points = [(a, b) for a, b in means if a is not None and b is not None]
    bits = int(curves[0]["bits"])
    return Line(
        printable(view.row.name), method_of(view), direction, bits, [a for a, _ in points], [b for _, b in points]
    )


def _mean(values: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Point by point over seeds; None where a seed has no value."""
    results: list[float | None] = []
    for point in zip(*values, strict=True):
        known = [value for value in point if value is not None]
        results.append(sum(known) / len(known) if len(known) == len(point) else None)
    return results


def draw(lines: Sequence[Line], kind: str, styles: Mapping[str, Style]) -> Any:
    """Draw a panel for each length of codes and direction, as a matplotlib figure."""
    from matplotlib.figure import Figure as Drawn

    lengths = sorted({line.bits for line in lines})
    methods = list(dict.fromkeys(line.method for line in lines))
    drawn = Drawn(figsize=(9.6, 0.6 + 3.4 * len(lengths)), layout="constrained")
    panels = drawn.subplots(len(lengths), len(DIRECTIONS), squeeze=False, sharey="row")
    handles: dict[str, Any] = {}
    plot_title(drawn, _title(lines, kind))
    shown = {method: styles[method] for method in methods[:NAMED]}
    for row, bits in enumerate(lengths):
        for column, (direction, title) in enumerate(DIRECTIONS.items()):
            panel = panels[row][column]
            current = [n for n in lines if (n.bits, n.direction) == (bits, direction)]
            handles = _draw(panel, current, shown, kind) | handles
            panel.set_title(f"{title}, {bits} bits", fontsize=10)
            if column == 0:
                panel.set_ylabel("precision")
    names = [method for method in methods[:NAMED] if method in handles]
    lines_of_legend, texts = [handles[name] for name in names], [_name(name) for name in names]
    if "" in handles:
        lines_of_legend, texts = [*lines_of_legend, handles[""]], [*texts, f"{len(methods) - NAMED} others"]
    drawn.legend(lines_of_legend, texts, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return drawn


def _title(lines: Sequence[Line], kind: str) -> str:
    """Return what the plot says, of the longest codes."""
    line = max(lines, key=lambda one: (one.bits, one.direction == "i2t", _height(one, kind)))
    best = "has the highest precision over all recalls" if kind == "lookup" else "has the most precise first items"
    return f"{short(line.method, 40)} {best} ({DIRECTIONS[line.direction]}, {line.bits} bits)"


def _height(line: Line, kind: str) -> float:
    """Return the area under a line of lookups; of others the first precision."""
    if kind != "lookup":
        return line.y[0] if line.y else 0.0
    steps = zip(line.x, line.x[1:], line.y, line.y[1:], strict=False)
    return sum((b - a) * (y + z) / 2 for a, b, y, z in steps)


def _draw(panel: Any, lines: Sequence[Line], styles: Mapping[str, Style], kind: str) -> dict[str, Any]:
    """Draw a panel; returns a line of each method, and one of the others under an empty name."""
    handles: dict[str, Any] = {}
    for line in reversed(lines):  # the best lie on top
        named = styles.get(line.method)
        style: dict[str, Any] = {"color": PALE, "linewidth": 0.8}
        if named is not None:
            style = {"color": named.colour, "marker": named.marker, "linewidth": 1.4}
        (handles[line.method if named else ""],) = panel.plot(line.x, line.y, markersize=4, **style)
        if kind == "topn" and line.y:
            panel.axhline(line.y[-1], color=GREY, linewidth=0.8, linestyle=":")
    if kind == "topn":
        panel.set_xscale("log")
    panel.set_xlabel("recall" if kind == "lookup" else "N")
    panel.grid(color=GRID, linewidth=0.6)
    return handles


def _name(text: str) -> str:
    """Format a legend's entry: no mathematics between dollars, and no underscore that hides it."""
    shown = short(text, 48).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def points(snapshot: Snapshot) -> tuple[list[str], list[list[Any]]]:
    """All curves of all finished runs as a table: columns and rows."""
    rows: list[list[Any]] = []
    for section in SECTIONS:
        for view in views(snapshot, section):
            for result in view.results:
                for direction, one in result.curves.items():
                    head = [view.row.name, result.seed, direction, one["bits"]]
                    lookup = zip(one["lookup"]["precision"], one["lookup"]["recall"], strict=True)
                    rows += [[*head, "lookup", radius, *point] for radius, point in enumerate(lookup)]
                    topn = zip(one["topn"]["n"], one["topn"]["precision"], strict=True)
                    rows += [[*head, "topn", n, precision, None] for n, precision in topn]
    return ["system", "seed", "direction", "bits", "curve", "radius or n", "precision", "recall"], rows
