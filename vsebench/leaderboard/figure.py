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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "plots"
#: Raised when plots are drawn in another way, so that committed ones are drawn again.
DRAWING = 2
#: One style of all plots: colours that differ in brightness too, and a marker each.
COLOURS = ("#0b6e99", "#c4480c", "#2f7d32", "#7b3fa0", "#b3860b", "#a8325e", "#3f4fb5", "#4f6d6d", "#7a5230", "#222222")
MARKERS = "osD^vP*X<>"
GREY, PALE, GRID = "#9a9a9a", "#cfcfcf", "#dddddd"
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
        return _stamped(text, self.digest)


def _stamped(text: str, shown: str) -> str:
    """Write into a drawing the digest of its data, and one of itself."""
    blank = _STAMP.sub(f"vsebench plot, shows {shown}, drawing {_BLANK}", text)
    drawing = hashlib.sha256(blank.encode()).hexdigest()[:16]
    return blank.replace(f"drawing {_BLANK}", f"drawing {drawing}")


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
