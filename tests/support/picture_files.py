"""Pictures as files of every kind, byte by byte where Pillow cannot write them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

#: What each pixel of the tests' pictures is in 8 bits.
GREY = np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8)
COLOURS = np.stack([GREY, GREY[::-1], GREY.T], -1)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """A picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def tiff(
    pixels: bytes,
    *,
    bits: int,
    photometric: int = 1,
    sample_format: int = 1,
    order: str = "<",
    extra: int | None = None,
) -> bytes:
    """A grey TIFF of 8 by 8 pixels, uncompressed.

    Args:
        photometric: 0 white is zero, 1 black is zero.
        sample_format: 1 unsigned, 2 signed, 3 float.
        order: ``<`` little-endian, ``>`` big-endian.
        extra: what the second channel of 8 bits is: 1 alpha, by which grey is multiplied already.
    """
    channels = 1 if extra is None else 2
    tags = [(256, 8), (257, 8), (258, bits), (259, 1), (262, photometric), (273, 200), (277, channels), (278, 8)]
    tags += [(279, len(pixels))] + ([] if extra is None else [(338, extra)]) + [(339, sample_format)]
    head = {"<": b"II*\x00", ">": b"MM\x00*"}[order] + struct.pack(order + "I", 8)
    counts = {258: channels, 339: channels}  # two short numbers fit in an entry's value
    entries = b"".join(
        struct.pack(order + "HHIHH", tag, 3, counts.get(tag, 1), value, value if counts.get(tag, 1) > 1 else 0)
        for tag, value in tags
    )
    return (head + struct.pack(order + "H", len(tags)) + entries + bytes(4)).ljust(200, b"\0") + pixels


def png(rows: list[bytes], size: tuple[int, int], *, bits: int, colour: int, clear: bytes = b"") -> bytes:
    """A PNG from its packed rows.

    Args:
        colour: 0 grey, 2 RGB.
        clear: the content of its tRNS chunk.
    """

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, 0))
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    transparency = chunk(b"tRNS", clear) if clear else b""
    return b"\x89PNG\r\n\x1a\n" + head + transparency + chunk(b"IDAT", body) + chunk(b"IEND", b"")
