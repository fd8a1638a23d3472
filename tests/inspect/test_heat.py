"""Heat lies on the pixels that a region was computed from."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vsebench.core.types import Preprocessing
from vsebench.data.pixels import decode
from vsebench.inspect.heat import colours, overlay, seen_box, upsample


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_hot_region_is_where_it_should_be(row: int, column: int) -> None:
    grid = np.zeros((2, 3))
    grid[row, column] = 1.0
    values = upsample(grid, (90, 40), (0, 0, 90, 40))
    y, x = np.unravel_index(values.argmax(), values.shape)
    assert (y // 20, x // 30) == (row, column)
    cells = values.reshape(2, 20, 3, 30).mean((1, 3))
    assert cells.argmax() == 3 * row + column
    assert values[20 * row + 10, 30 * column + 15] > 0.9
    drawn = np.asarray(overlay(Image.new("RGB", (90, 40), "white"), grid, low=0.1, high=1, box=(0, 0, 90, 40), side=90))
    assert drawn[20 * row + 10, 30 * column + 15, 1] < 60
    far = drawn[20 * (1 - row) + 10, 30 * ((column + 2) % 3 if column != 1 else 0) + 15]
    assert (far > 225).all()


def test_upsampling_equals_a_loop() -> None:
    grid = np.random.default_rng(0).random((3, 4))
    box, scale, size = (2.0, -3.0, 14.0, 12.0), 1.5, (24, 15)
    values = upsample(grid, size, box, scale)
    for y in range(size[1]):
        for x in range(size[0]):
            u, v = ((x + 0.5) / scale - 2) / 12, ((y + 0.5) / scale + 3) / 15
            if not (0 <= u <= 1 and 0 <= v <= 1):
                assert np.isnan(values[y, x])
                continue
            total = 0.0
            for i in range(3):
                for j in range(4):
                    place = min(max(v * 3 - 0.5, 0), 2), min(max(u * 4 - 0.5, 0), 3)
                    total += grid[i, j] * max(0, 1 - abs(place[0] - i)) * max(0, 1 - abs(place[1] - j))
            assert values[y, x] == pytest.approx(total)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(120, 40), (40, 120), (60, 60)])
def test_the_box_is_what_decoding_keeps(fit: str, size: tuple[int, int]) -> None:
    """A picture whose colours say where a pixel lies, decoded, has at its corners what the box's corners have."""
    width, height = size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    picture = np.stack([x * 2, y * 2, np.full_like(x, 128)], -1).astype(np.uint8)
    preprocessing = Preprocessing((64, 32), (0, 0, 0), (1, 1, 1), interpolation="bilinear", fit=fit)
    seen = decode(_png(picture), preprocessing).astype(float)
    x0, y0, x1, y1 = seen_box(size, preprocessing)
    for row in (8, 32, 56):
        for column in (4, 16, 28):
            at = x0 + (column + 0.5) / 32 * (x1 - x0), y0 + (row + 0.5) / 64 * (y1 - y0)
            if 2 < at[0] < width - 2 and 2 < at[1] < height - 2:
                assert seen[0, row, column] == pytest.approx(2 * at[0] - 1, abs=6)
                assert seen[1, row, column] == pytest.approx(2 * at[1] - 1, abs=6)


def _png(pixels: np.ndarray) -> bytes:
    import io

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_what_was_not_seen_is_dark_and_the_even_share_is_clear() -> None:
    picture = Image.new("RGB", (80, 40), (200, 200, 200))
    box = seen_box(picture.size, Preprocessing((32, 32), (0, 0, 0), (1, 1, 1), fit="crop"))
    assert box == (20, 0, 60, 40)
    drawn = np.asarray(overlay(picture, np.full((2, 2), 0.25), low=0.25, high=0.5, box=box, side=160))
    assert drawn.shape == (80, 160, 3)
    assert (drawn[:, 45:115] == 200).all()
    assert (drawn[:, :35] == 70).all()


def test_hotter_is_more_opaque() -> None:
    _, opacity = colours(np.linspace(0, 1, 20))
    assert opacity[0] == 0
    assert (np.diff(opacity) > 0).all()
