"""Plots of a comparison of indexes: recall against speed and against size.

A plot carries a digest of what it shows and one of its own drawing, so that a stale or edited file is found without
drawing it again, whatever the version of matplotlib.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vsebench.leaderboard.plots import FOLDER
from vsebench.leaderboard.table import short
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.pareto import front
from vsebench.stats.rows import views

#: Raised when plots are drawn in another way, so that committed ones are drawn again.
DRAWING = 1
_STAMP = re.compile(r"vsebench plot, shows ([0-9a-f]{16}), drawing ([0-9a-f]{16})")
_BLANK = "0" * 16
COLOURS = ("#0b6e99", "#c4480c", "#2f7d32", "#7b3fa0", "#b3860b", "#a8325e", "#3f4fb5", "#4f6d6d", "#7a5230", "#222222")
MARKERS = "osD^vP*X<>"


@dataclass(frozen=True)
class Kind:
    """A plot of recall against a cost or speed.

    Args:
        name: ends the file's name; ``title``: in the table; ``superlative``: of the best.
        what: the other number, in words.
        falling: whether less of it is better.
    """

    name: str
    title: str
    superlative: str
    what: str
    falling: bool

    def key(self, k: int) -> str:
        """Return the metric of a plot."""
        return "bytes_per_vector" if self.falling else f"qps@{k}"


KINDS = (
    Kind("speed", "speed", "Fastest", "queries per second", False),
    Kind("size", "size", "Smallest", "bytes per vector", True),
)


@dataclass(frozen=True)
class Point:
    """A row of the board.

    Args:
        recall: in percent.
        cost: queries per second, or bytes per vector.
        least: bytes of a further vector's code; the speed where that is drawn.
    """

    name: str
    family: str
    recall: float
    cost: float
    least: float


def plot_name(snapshot: Snapshot, kind: Kind) -> str:
    """Where a plot lies, from the board's folder."""
    return f"{FOLDER}/{snapshot.experiment}-{kind.name}.svg"


def drawn(snapshot: Snapshot) -> list[Kind]:
    """Return the plots that a board has."""
    return [kind for kind in KINDS if points(snapshot, kind)]


def points(snapshot: Snapshot, kind: Kind) -> list[Point]:
    """Return the points of a plot, in the order of the board."""
    metric = snapshot.select["metric"]
    k = int(metric.rsplit("@", 1)[1])
    results = []
    for row in views(snapshot, "indexes"):
        recall, cost, code = row.estimate(metric), row.estimate(kind.key(k)), row.estimate("code_bytes")
        if recall is not None and cost is not None and cost.mean > 0:
            least = code.mean if kind.falling and code is not None and code.mean > 0 else cost.mean
            name = str(row.config["index"]["name"])
            results.append(Point(row.row.name, name, 100 * recall.mean, cost.mean, min(least, cost.mean)))
    return results


def current(file: Path, snapshot: Snapshot) -> bool:
    """Whether a file is the plot that the results give, as it was drawn."""
    kind = next(kind for kind in KINDS if file.name == Path(plot_name(snapshot, kind)).name)
    return shows(file, _shown(snapshot, kind))


def shows(file: Path, shown: str) -> bool:
    """Whether a file is a plot of this content, as it was drawn."""
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return _STAMP.search(text) is not None and text == stamped(text, shown)


def svg(snapshot: Snapshot, kind: Kind) -> str:
    """Return a plot as SVG text, with its digests."""
    return stamped(as_svg(figure(snapshot, kind)), _shown(snapshot, kind))


def _shown(snapshot: Snapshot, kind: Kind) -> str:
    """Digest of what a plot shows."""
    drawn = [asdict(point) for point in points(snapshot, kind)]
    parts = [DRAWING, kind.name, snapshot.title, snapshot.select["metric"], drawn]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def stamped(text: str, shown: str) -> str:
    """Add to a drawing the digest of its data, and one of itself."""
    blank = _STAMP.sub(f"vsebench plot, shows {shown}, drawing {_BLANK}", text)
    drawing = hashlib.sha256(blank.encode()).hexdigest()[:16]
    return blank.replace(f"drawing {_BLANK}", f"drawing {drawing}")


def as_svg(drawn: Any) -> str:
    """Convert a figure to SVG, the same bytes each time: no date, no random ids."""
    from matplotlib import rc_context

    stream = io.StringIO()
    about = f"vsebench plot, shows {_BLANK}, drawing {_BLANK}"
    settings: dict[Any, Any] = {"svg.hashsalt": "vsebench", "svg.fonttype": "path"}
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # of a name in another script; the table has it
        drawn.savefig(stream, format="svg", metadata={"Date": None, "Creator": "vsebench", "Description": about})
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def figure(snapshot: Snapshot, kind: Kind) -> Any:
    """Draw a matplotlib figure: recall to the right, the other number upwards, the front as a line."""
    from matplotlib.figure import Figure

    shown = points(snapshot, kind)
    drawn = Figure(figsize=(9.0, 5.6), layout="constrained")
    axes = drawn.add_subplot()
    axes.set_yscale("log")
    if kind.falling:
        axes.invert_yaxis()
    styles = _styles(shown)
    best = front([(p.recall, -p.cost if kind.falling else p.cost) for p in shown])
    line = sorted((shown[i] for i in best), key=lambda p: (p.recall, p.cost))
    axes.plot([p.recall for p in line], [p.cost for p in line], color="#999999", linewidth=1.2, zorder=1,
              label="no row is better in both")  # fmt: skip
    for family, (colour, marker) in styles.items():
        ours = [p for p in shown if p.family == family]
        if kind.falling:
            axes.vlines([p.recall for p in ours], [p.least for p in ours], [p.cost for p in ours],
                        color=colour, linewidth=1.0, alpha=0.5, zorder=2)  # fmt: skip
        axes.scatter([p.recall for p in ours], [p.cost for p in ours], s=42, color=colour, marker=marker,
                     edgecolors="white", linewidths=0.6, zorder=3, label=_legend(family))  # fmt: skip
    metric = snapshot.select["metric"]
    better = "fewer upwards; the line leads to the code alone" if kind.falling else "more upwards"
    axes.set_xlabel(f"{short(metric, 60)} in %, against the exact index", parse_math=False)
    axes.set_ylabel(f"{kind.what} ({better})")
    axes.set_title(short(snapshot.title), fontsize=11, loc="left", parse_math=False)
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6, zorder=0)
    axes.margins(x=0.08, y=0.1)
    legend = axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_parse_math(False)
    _label(drawn, axes, shown, {shown[i].name for i in best}, styles)
    return drawn


def _styles(shown: list[Point]) -> Mapping[str, tuple[str, str]]:
    families = sorted({p.family for p in shown})
    return {f: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, f in enumerate(families)}


def _label(drawn: Any, axes: Any, shown: list[Point], best: set[str], styles: Mapping[str, tuple[str, str]]) -> None:
    """Names beside their points where there is room; those of the front first."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    canvas = FigureCanvasAgg(drawn)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        canvas.draw()  # settles the layout, so that positions are known
        drawn.set_layout_engine("none")
        renderer: Any = canvas.get_renderer()
        frame = axes.get_window_extent(renderer)
        at = [axes.transData.transform((p.recall, p.cost)) for p in shown]
        taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in at]
        order = sorted(range(len(shown)), key=lambda i: (shown[i].name not in best, i))
        for i in order:
            point = shown[i]
            text = axes.annotate(short(point.name, 48), (point.recall, point.cost), xytext=(0, 0),
                                 textcoords="offset points", fontsize=7.5, color=styles[point.family][0],
                                 parse_math=False, fontweight="bold" if point.name in best else "normal")  # fmt: skip
            if not placed(text, renderer, frame, taken):
                text.remove()


def placed(text: Any, renderer: Any, frame: Any, taken: list[Any], distance: float = 1.0) -> bool:
    """Find a place near its point that covers nothing. ``distance`` stretches what is near."""
    sides = (("left", "center", 6, 0), ("right", "center", -6, 0), ("center", "bottom", 0, 6), ("center", "top", 0, -6),
             ("left", "bottom", 4, 4), ("left", "top", 4, -4), ("right", "bottom", -4, 4), ("right", "top", -4, -4),
             ("left", "bottom", 8, 12), ("left", "top", 8, -12), ("right", "bottom", -8, 12), ("right", "top", -8, -12),
             )  # fmt: skip
    for across, up, dx, dy in sides:
        text.set_horizontalalignment(across)
        text.set_verticalalignment(up)
        text.set_position((distance * dx, distance * dy))
        box = text.get_window_extent(renderer)
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        if inside and not any(box.overlaps(other) for other in taken):
            taken.append(box)
            return True
    return False


def _legend(family: str) -> str:
    """Format a legend's entry; matplotlib leaves out one that begins with an underscore."""
    shown = short(family, 48)
    return f" {shown}" if shown.startswith("_") else shown
