"""Bytes to pixels."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from vsebench.core.types import Preprocessing
from vsebench.data.pixels import decode

PLAIN = Preprocessing((16, 16), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "nearest")


def test_decoding(png: Callable[..., bytes]) -> None:
    exact = decode(png(0), PLAIN)
    assert exact.shape == (3, 16, 16)
    assert np.array_equal(exact, np.asarray(Image.open(io.BytesIO(png(0)))).transpose(2, 0, 1))
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    buffer = io.BytesIO()
    clear.save(buffer, "PNG")
    assert decode(buffer.getvalue(), PLAIN).min() == 255, "transparent pixels are white"
    turned = Image.new("RGB", (8, 4), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", exif=exif)
    for fit in ("stretch", "crop", "pad"):
        size = Preprocessing((10, 6), PLAIN.mean, PLAIN.std, "bilinear", fit)
        assert decode(buffer.getvalue(), size).shape == (3, 10, 6)
