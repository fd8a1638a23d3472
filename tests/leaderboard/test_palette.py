"""Colours and markers: told apart under deuteranopia, in print and in the dark, and the same for a name everywhere."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from html_boards import board

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.forest import forest
from vsebench.leaderboard.palette import BLACK, COLOURS, DARK, GREY, MARKERS, WHITE, styles

#: Machado et al. 2009, severity 1, on linear RGB.
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
#: A difference of 2 is just seen between large patches; thin lines and small marks need many times that.
APART = 20.0


def linear(colours: Sequence[str]) -> Any:
    """Linear RGB of colours in hexadecimal."""
    parts = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: Any) -> Any:
    """CIELAB of linear RGB."""
    x = np.clip(rgb, 0, 1) @ np.array(XYZ).T / [0.95047, 1.0, 1.08883]
    f = np.where(x > 216 / 24389, np.cbrt(x), (24389 / 27 * x + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def contrast(colour: str, other: str) -> float:
    """Contrast ratio of WCAG."""
    bright = np.sort(linear([colour, other]) @ np.array(XYZ)[1])
    return float((bright[1] + 0.05) / (bright[0] + 0.05))


@pytest.mark.parametrize("colours", [COLOURS, [DARK[c] for c in COLOURS]], ids=["light", "dark"])
@pytest.mark.parametrize("seen", [np.eye(3), np.array(DEUTERANOPIA)], ids=["all cones", "deuteranopia"])
def test_colours_are_told_apart(colours: Sequence[str], seen: Any) -> None:
    points = lab(linear(colours) @ seen.T)
    nearest = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(points, 2))
    assert nearest > APART
    confused = lab(linear(["#d62728", "#2ca02c"]) @ np.array(DEUTERANOPIA).T)
    assert np.linalg.norm(confused[0] - confused[1]) < APART, "a red and a green that are not told apart"


def test_colours_stand_out_from_the_page() -> None:
    for colour in (*COLOURS, GREY, BLACK):
        assert contrast(colour, WHITE) >= 3
        assert contrast(DARK[colour], DARK[WHITE]) >= 3


def test_as_many_names_as_colours_differ_in_colour_and_marker() -> None:
    names = [f"method {i}" for i in range(len(COLOURS))]
    known = styles(names)
    assert len({style.colour for style in known.values()}) == len(COLOURS)
    assert len({style.marker for style in known.values()}) == len(COLOURS), "so that print in grey tells them apart"
    assert len(MARKERS) > len(COLOURS)


def test_a_name_looks_the_same_on_every_board() -> None:
    alone = styles(["VSE"])["VSE"]
    assert styles(["VSE", "CIM", "Image only"])["VSE"] == alone
    assert styles(["a", "b"]) == styles(["a", "b", "a"])


def test_a_drawing_is_light_and_dark_and_its_text_is_text() -> None:
    figure = forest(BoardData(board(3, 2)))
    assert figure is not None
    svg = figure.svg()
    assert svg.count("@media (prefers-color-scheme: dark)") == 1
    for light in (WHITE, styles(["Row 0"])["Row 0"].colour):
        assert f'[style*="fill: {light}"]{{fill:{DARK[light]} !important}}' in svg
    for text in ("Row 0", "90.1", "3 rows, best on test first"):
        assert f">{text}</text>" in svg
