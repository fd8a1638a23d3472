"""Colours and markers of plots: one of each per method, in all panels and on all boards, in light and dark."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from vsebench.leaderboard.table import printable
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.rows import SECTIONS, RowView, views

#: Far apart also under deuteranopia, and each three times as bright or dark as white; in dark, those of DARK.
COLOURS = ("#017dfe", "#da7602", "#38817b", "#cd65df", "#061b85", "#b4805b", "#1a2b50", "#571711")
MARKERS = "osD^vP*X<>"
WHITE, BLACK, GREY, PALE, GRID, SHADE = "#ffffff", "#000000", "#808080", "#c8ccd2", "#dfe3e8", "#e3eef4"
_DARK_COLOURS = ("#117bf7", "#b97601", "#95ee92", "#da89fe", "#bc86a9", "#8b6e49", "#fdfdff", "#ffed59")
DARK = {
    **dict(zip(COLOURS, _DARK_COLOURS, strict=True)),
    WHITE: "#0d1117",
    BLACK: "#e6edf3",
    GREY: "#8b949e",
    PALE: "#4a525c",
    GRID: "#262c34",
    SHADE: "#15304a",
}
#: Axes of a grid that give one method several sizes.
SIZES = ("fitter.bits", "train.items")

T = TypeVar("T")


@dataclass(frozen=True)
class Style:
    """How a method is drawn."""

    colour: str
    marker: str


def styles(names: Iterable[str]) -> dict[str, Style]:
    """Return colour and marker of each name: those that a digest of it prefers, or the next that fewer names have.

    So a name looks the same on every board where no name before it prefers the same, and as many names as there are
    colours differ in both.
    """
    colours: Counter[str] = Counter()
    markers: Counter[str] = Counter()
    result: dict[str, Style] = {}
    for name in dict.fromkeys(names):
        first, second, *_ = hashlib.sha256(name.encode("utf-8", "replace")).digest()
        colour, marker = _free(COLOURS, first, colours), _free(MARKERS, second, markers)
        colours[colour] += 1
        markers[marker] += 1
        result[name] = Style(colour, marker)
    return result


def _free(choices: Sequence[str], first: int, taken: Counter[str]) -> str:
    least = min(taken[choice] for choice in choices)
    turned = [choices[(first + i) % len(choices)] for i in range(len(choices))]
    return next(choice for choice in turned if taken[choice] == least)


def method_of(row: RowView) -> str:
    """Return what a row is of, whatever its size: its name, or the labels of its other axes."""
    sizes = [axis for axis in row.row.axes if axis in SIZES]
    # Zipped with the number of items, epochs give every size as many steps.
    beside = (*SIZES, "train.epochs") if "train.items" in sizes else SIZES
    labels = [label for axis, label in row.row.axes.items() if axis not in beside]
    return printable(" · ".join(labels) if sizes and labels else row.row.name)


def styles_of(snapshot: Snapshot) -> dict[str, Style]:
    """Return the style of each method of a board, a table's best on validation first."""
    return styles(method_of(row) for section in SECTIONS for row in views(snapshot, section))


def with_dark(svg: str) -> str:
    """Return a drawing that shows the colours of :data:`DARK` where its reader prefers a dark scheme."""
    used = [(light, dark) for light, dark in DARK.items() if light in svg or light in (WHITE, BLACK)]
    rules = "".join(
        f'[style*="{part}: {light}"]{{{part}:{dark} !important}}' for light, dark in used for part in ("fill", "stroke")
    )
    text = f"text:not([style*=fill]){{fill:{DARK[BLACK]}}}"
    style = f'<style type="text/css">@media (prefers-color-scheme: dark){{{text}{rules}}}</style>'
    return re.sub(r"</defs>", f" {style}\n </defs>", svg, count=1)
