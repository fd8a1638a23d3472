"""Weights of a picture's regions, drawn over the picture."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vsebench.core.types import Preprocessing

#: Colour and opacity (the last four columns) at shares of the scale (the first): from clear over amber and red to a
#: dark red-violet. It is steep at first, so that weights well above the even share are seen beside a single large one.
RAMP = np.array(
    [[0, 255, 196, 0, 0.0], [0.25, 255, 160, 0, 0.6], [0.6, 226, 42, 32, 0.78], [1, 122, 0, 88, 0.9]],
)
#: How far the picture is drawn towards its grey tones below the heat, so that its own reds do not look like heat.
GREY = 0.65

Box = tuple[float, float, float, float]


def seen_box(size: tuple[int, int], preprocessing: Preprocessing | None) -> Box:
    """Return the box of a picture that an encoder sees, as x0, y0, x1, y1 in pixels; larger where it is padded.

    Args:
        size: (width, height).
        preprocessing: of the encoder; None where it sees the whole picture.

    Example:
        >>> seen_box((200, 100), Preprocessing((64, 64), (0, 0, 0), (1, 1, 1), fit="crop"))
        (50.0, 0.0, 150.0, 100.0)
        >>> seen_box((200, 100), Preprocessing((64, 64), (0, 0, 0), (1, 1, 1), fit="crop", share=0.8))
        (60.0, 10.0, 140.0, 90.0)
    """
    width, height = size
    if preprocessing is None or preprocessing.fit == "stretch":
        return 0.0, 0.0, float(width), float(height)
    ratio = preprocessing.size[1] / preprocessing.size[0]
    wider = width / height > ratio
    if wider == (preprocessing.fit == "crop"):
        wide, high = height * ratio, float(height)
    else:
        wide, high = float(width), width / ratio
    if preprocessing.fit == "crop":
        wide, high = wide * preprocessing.share, high * preprocessing.share
    x, y = (width - wide) / 2, (height - high) / 2
    return x, y, x + wide, y + high


def upsample(grid: np.ndarray, size: tuple[int, int], box: Box, scale: float = 1.0) -> np.ndarray:
    """Interpolate a grid over ``box`` at each pixel, bilinear between the centres of its cells, NaN outside.

    Args:
        grid: values, (h, w).
        size: (width, height) of what is drawn.
        box: where the grid lies, in pixels of the picture.
        scale: pixels drawn per pixel of the picture.

    Shape: (h, w) -> float64 (height, width).

    Example:
        >>> upsample(np.array([[0.0, 1.0]]), (4, 1), (0, 0, 4, 1)).tolist()
        [[0.0, 0.25, 0.75, 1.0]]
    """
    (x0, y0, x1, y1), (rows, columns) = box, grid.shape
    across = ((np.arange(size[0]) + 0.5) / scale - x0) / (x1 - x0)
    down = ((np.arange(size[1]) + 0.5) / scale - y0) / (y1 - y0)
    left, right, to_right = _between(across, columns)
    upper, lower, to_lower = _between(down, rows)
    top = grid[upper][:, left] * (1 - to_right) + grid[upper][:, right] * to_right
    bottom = grid[lower][:, left] * (1 - to_right) + grid[lower][:, right] * to_right
    values = top * (1 - to_lower[:, None]) + bottom * to_lower[:, None]
    outside = ((down < 0) | (down > 1))[:, None] | ((across < 0) | (across > 1))
    return np.where(outside, np.nan, values)


def _between(share: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two cells whose centres are nearest to each place, and its distance from the first, in [0, 1]."""
    place = np.clip(share * cells - 0.5, 0, cells - 1)
    first = np.minimum(place.astype(np.int64), max(cells - 2, 0))
    return first, np.minimum(first + 1, cells - 1), place - first


def colours(share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colour, float (…, 3) in [0, 255], and opacity (…) of shares of the scale in [0, 1]."""
    channels = [np.interp(share, RAMP[:, 0], RAMP[:, i]) for i in range(1, 5)]
    return np.stack(channels[:3], -1), channels[3]


def overlay(picture: Image.Image, grid: np.ndarray, *, low: float, high: float, box: Box, side: int) -> Image.Image:
    """Draw the weights of regions over a picture.

    Args:
        picture: that is drawn over.
        grid: weights, (h, w).
        low: weight that is clear.
        high: weight that is hottest, above ``low``.
        box: of :func:`seen_box`; what lies outside was not seen, and is darkened.
        side: of the drawing, its longer one, in pixels.
    """
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    pixels = np.asarray(picture.resize(size, Image.Resampling.LANCZOS), np.float64)
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    pixels = GREY * grey[:, :, None] + (1 - GREY) * pixels
    values = upsample(grid, size, box, scale)
    seen = ~np.isnan(values)
    colour, opacity = colours(np.clip((np.where(seen, values, low) - low) / (high - low), 0, 1))
    drawn = pixels * (1 - opacity[:, :, None]) + colour * opacity[:, :, None]
    drawn = np.where(seen[:, :, None], drawn, 0.35 * pixels)
    return Image.fromarray(np.clip(np.round(drawn), 0, 255).astype(np.uint8), "RGB")
