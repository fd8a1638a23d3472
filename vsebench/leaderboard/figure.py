"""A plot beside a board: what it shows, how it is drawn, and whether a file is that plot.

A file carries a digest of what it shows and one of its own drawing, so that a stale or edited file is recognised
without drawing it again, whatever the version of matplotlib.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsebench.leaderboard.palette import GREY, with_dark

FOLDER = "plots"
#: Raised when plots are drawn in another way, so that committed ones are drawn again.
DRAWING = 3
_STAMP = re.compile(r"vsebench plot, shows ([0-9a-f]{16}), drawing ([0-9a-f]{16})")
_BLANK = "0" * 16


@dataclass(frozen=True)
class Figure:
    """A plot.

    Args:
        name: of its file, without ending; begins with the experiment's.
        alt: what it shows, for those who cannot see it.
        data: all that is drawn, as plain data.
        draw: makes the matplotlib figure.
        caption: below it.
        beside: whether it is narrow enough for the text that follows to stand beside it.
    """

    name: str
    alt: str
    data: Any
    draw: Callable[[], Any]
    caption: str = ""
    beside: bool = False

    @property
    def file(self) -> str:
        """Where it lies, from the board's folder."""
        return f"{FOLDER}/{self.name}.svg"

    @property
    def digest(self) -> str:
        """Of all that is drawn."""
        text = json.dumps([DRAWING, self.data], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def is_current(self, folder: Path) -> bool:
        """Return whether the file in a board's folder is this plot, as it was drawn."""
        file = folder / self.file
        text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
        return _STAMP.search(text) is not None and text == _stamped(text, self.digest)

    def svg(self) -> str:
        """Return the plot as SVG, the same text each time: no date, no random ids."""
        from matplotlib import rc_context

        stream = io.StringIO()
        about = f"vsebench plot, shows {_BLANK}, drawing {_BLANK}"
        settings: dict[Any, Any] = {"svg.hashsalt": "vsebench", "svg.fonttype": "none"}
        with rc_context(settings), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # of a name in another script; the table has it
            self.draw().savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Description": about})
        text = "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"
        return _stamped(with_dark(text), self.digest)


def _stamped(text: str, shown: str) -> str:
    """Write into a drawing the digest of its data, and one of itself."""
    blank = _STAMP.sub(f"vsebench plot, shows {shown}, drawing {_BLANK}", text)
    drawing = hashlib.sha256(blank.encode()).hexdigest()[:16]
    return blank.replace(f"drawing {_BLANK}", f"drawing {drawing}")


@dataclass(frozen=True)
class Label:
    """A name beside a point of a plot."""

    x: float
    y: float
    text: str
    colour: str
    bold: bool = False


def plot_title(drawn: Any, text: str) -> None:
    """Write above a plot what it says."""
    drawn.suptitle(text, fontsize=10.5, x=0.01, ha="left", parse_math=False)


def label_points(drawn: Any, axes: Any, labels: Sequence[Label], marks: Sequence[tuple[float, float]]) -> None:
    """Write names beside their points, the first before the others, and leave out those that would cover anything.

    Args:
        drawn: the figure, whose layout is settled by this.
        axes: the plot.
        labels: the names.
        marks: all points.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    canvas = FigureCanvasAgg(drawn)
    canvas.draw()  # settles the layout, so that positions are known
    drawn.set_layout_engine("none")
    renderer, frame = canvas.get_renderer(), axes.get_window_extent()
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in (axes.transData.transform(mark) for mark in marks)]
    for label in labels:
        text = axes.annotate(label.text, (label.x, label.y), xytext=(0, 0), textcoords="offset points", fontsize=8,
                             color=label.colour, fontweight="bold" if label.bold else "normal", parse_math=False,
                             zorder=6)  # fmt: skip
        distance = next((d for d in (1.0, 2.0, 3.2, 4.5) if _placed(text, renderer, frame, taken, d)), None)
        if distance is None:
            text.remove()
        elif distance > 1.0:
            axes.annotate("", (label.x, label.y), xytext=text.get_position(), textcoords="offset points", zorder=5,
                          arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5})  # fmt: skip


def label_ends(axes: Any, labels: Sequence[Label], height: float) -> None:
    """Write names to the right of their lines' ends, pushed apart where they would cover each other.

    Args:
        axes: the plot, whose limits are final.
        labels: the names, at the ends.
        height: of the plot, in points.
    """
    low, high = axes.get_ylim()
    places = sorted((((one.y - low) / (high - low) * height, one) for one in labels), key=lambda place: place[0])
    above = -10.0
    for place, label in places:
        above = max(place, above + 10.0)
        axes.annotate(label.text, (label.x, label.y), xytext=(7, above - place), textcoords="offset points", fontsize=8,
                      va="center", color=label.colour, parse_math=False, annotation_clip=False)  # fmt: skip


def _placed(text: Any, renderer: Any, frame: Any, taken: list[Any], distance: float = 1.0) -> bool:
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
