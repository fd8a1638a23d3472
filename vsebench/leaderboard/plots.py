"""A board's plots: curves of codes, drawn from the results as SVG files beside the page."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsebench.leaderboard.table import link, printable, short
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.rows import SECTIONS, RowView, views

FOLDER = "plots"
#: Raised when the same curves are drawn in another way.
VERSION = 1
#: Lines of a panel that have a colour and a name, the best on validation; the others are grey.
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
    """One row's curve of one direction: points, means over its seeds."""

    name: str
    direction: str
    bits: int
    x: Sequence[float]
    y: Sequence[float]


def requested_kinds(snapshot: Snapshot) -> list[str]:
    """Return the requested kinds of plots, ``lookup`` and ``topn``, for which any row has curves."""
    kinds: list[str] = list(snapshot.board.get("plots") or [])
    return kinds if any(lines_of(snapshot, kind) for kind in kinds) else []


def plot_file(snapshot: Snapshot, kind: str) -> str:
    """Where a plot lies, from the board's folder."""
    return f"{FOLDER}/{snapshot.experiment}-{kind}.svg"


def curves_section(snapshot: Snapshot) -> list[str]:
    """Return the page's section; empty where no plots are requested."""
    if not snapshot.board.get("plots"):
        return []
    kinds = requested_kinds(snapshot)
    if not kinds:
        return ["## Curves", "", "No row has codes; there are no curves to draw.", ""]
    results = ["## Curves", ""]
    for kind in kinds:
        results += [f"!{link(CAPTIONS[kind].split(':')[0], plot_file(snapshot, kind))}", "", CAPTIONS[kind], ""]
    return results


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
    x, y = _mean(across), _mean([part["precision"] for part in parts])
    points = [(a, b) for a, b in zip(x, y, strict=True) if a is not None and b is not None]
    bits = int(curves[0]["bits"])
    return Line(printable(view.row.name), direction, bits, [a for a, _ in points], [b for _, b in points])


def _mean(values: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Point by point over seeds; None where a seed has no value."""
    results: list[float | None] = []
    for point in zip(*values, strict=True):
        known = [value for value in point if value is not None]
        results.append(sum(known) / len(known) if len(known) == len(point) else None)
    return results


def digest_of(snapshot: Snapshot, kind: str) -> str:
    """Of all that is drawn. A file that carries it is current, whichever version of matplotlib drew it."""
    plain = [[line.name, line.direction, line.bits, list(line.x), list(line.y)] for line in lines_of(snapshot, kind)]
    return hashlib.sha256(json.dumps([VERSION, kind, plain]).encode()).hexdigest()[:16]


def is_current(file: Path, snapshot: Snapshot, kind: str) -> bool:
    """Whether a file shows these curves."""
    return file.is_file() and _mark(snapshot, kind) in file.read_text(encoding="utf-8")


def svg(snapshot: Snapshot, kind: str) -> str:
    """Return the plot as SVG text, with its digest."""
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": snapshot.experiment}):
        figure(snapshot, kind).savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    lines = "\n".join(line.rstrip() for line in text.rstrip().splitlines())
    return lines.removesuffix("</svg>") + f"{_mark(snapshot, kind)}\n</svg>\n"


def _mark(snapshot: Snapshot, kind: str) -> str:
    return f"<!-- curves {digest_of(snapshot, kind)} -->"


def figure(snapshot: Snapshot, kind: str) -> Any:
    """Draw a panel for each length of codes and direction, as a matplotlib figure."""
    from matplotlib.figure import Figure

    lines = lines_of(snapshot, kind)
    lengths = sorted({line.bits for line in lines})
    drawn = Figure(figsize=(9.6, 0.6 + 3.4 * len(lengths)), layout="constrained")
    panels = drawn.subplots(len(lengths), len(DIRECTIONS), squeeze=False, sharey="row")
    for row, bits in enumerate(lengths):
        for column, (direction, title) in enumerate(DIRECTIONS.items()):
            panel = panels[row][column]
            _draw(panel, [n for n in lines if (n.bits, n.direction) == (bits, direction)], kind)
            panel.set_title(f"{title}, {bits} bits", fontsize=10)
            if column == 0:
                panel.set_ylabel("precision")
    return drawn


def _draw(panel: Any, lines: Sequence[Line], kind: str) -> None:
    handles: list[Any] = []
    names: list[str] = []
    for number, line in reversed(list(enumerate(lines))):  # the best lie on top
        named = number < NAMED
        style = {"color": f"C{number}", "linewidth": 1.4} if named else {"color": "0.8", "linewidth": 0.8}
        (handle,) = panel.plot(line.x, line.y, marker="." if named else None, markersize=4, **style)
        if kind == "topn" and line.y:
            panel.axhline(line.y[-1], color="0.5", linewidth=0.8, linestyle=":")
        if named or number == NAMED:
            handles.insert(0, handle)
            names.insert(0, _name(line.name) if named else f"{len(lines) - NAMED} others")
    if kind == "topn":
        panel.set_xscale("log")
    panel.set_xlabel("recall" if kind == "lookup" else "N")
    panel.grid(alpha=0.3)
    if handles:
        panel.legend(handles, names, fontsize=7)


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
