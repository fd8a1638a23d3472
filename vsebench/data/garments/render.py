"""Pictures of garments, in integer arithmetic only: the same bytes on every machine.

No library draws or compresses here: outlines are filled by counting crossings, and the PNG stores its pixels
uncompressed, because compressed bytes differ between builds of zlib.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from random import Random

import numpy as np

from vsebench.data.garments.latent import COLOURS, PAIRS, Garment

CANVAS = 256  # units of the outlines
CONTRAST = 130  # least sum of differences over the channels between a background and the garment's colours
Point = tuple[int, int]


def outline(silhouette: str, rng: Random) -> tuple[list[list[Point]], list[list[Point]], list[tuple[int, int, int]]]:
    """Return a garment's trunk, its deciding parts, and its landmarks (x, y, exists), on the canvas."""
    if PAIRS[silhouette] == "upper_body":
        return _upper(silhouette == "long_sleeves", rng)
    return _lower(silhouette == "skirt", rng)


def _upper(long: bool, rng: Random) -> tuple[list[list[Point]], list[list[Point]], list[tuple[int, int, int]]]:
    half, bottom = rng.randrange(36, 46), rng.randrange(190, 212)
    flare = rng.randrange(-4, 8)
    left, right = 128 - half, 128 + half
    neck = rng.randrange(12, 20)
    trunk = [
        (left, 62), (128 - neck, 54), (128, 54 + rng.randrange(6, 22)), (128 + neck, 54), (right, 62),
        (right + flare, bottom), (left - flare, bottom),
    ]  # fmt: skip
    if long:
        out, down, thick = rng.randrange(30, 48), rng.randrange(172, 196), 18
    else:
        out, down, thick = rng.randrange(24, 36), rng.randrange(98, 116), 22
    sleeve_left = [(left, 62), (left - out, down), (left - out + thick, down + 6), (left + 2, 108)]
    sleeve_right = [(256 - x, y) for x, y in sleeve_left]
    marks = [
        (128 - neck, 54, 1), (128 + neck, 54, 1),
        (left - out + thick // 2, down, 1), (right + out - thick // 2, down, 1),
        (left, 130, 1), (right, 130, 1), (left - flare, bottom, 1), (right + flare, bottom, 1),
    ]  # fmt: skip
    return [trunk], [sleeve_left, sleeve_right], marks


def _lower(skirt: bool, rng: Random) -> tuple[list[list[Point]], list[list[Point]], list[tuple[int, int, int]]]:
    half = rng.randrange(30, 38)
    left, right = 128 - half, 128 + half
    trunk = [(left, 52), (right, 52), (right + 6, 92), (left - 6, 92)]
    if skirt:
        flare, bottom = rng.randrange(8, 34), rng.randrange(168, 214)
        parts = [[(left - 6, 92), (right + 6, 92), (right + flare, bottom), (left - flare, bottom)]]
        hem = [(left - flare, bottom, 1), (right + flare, bottom, 1)]
    else:
        flare, bottom, gap = rng.randrange(0, 14), rng.randrange(196, 222), rng.randrange(12, 20)
        leg = [(left - 6, 92), (130, 92), (128 - gap, bottom), (left - flare, bottom)]
        parts = [leg, [(256 - x, y) for x, y in leg]]
        hem = [(left - flare, bottom, 1), (right + flare, bottom, 1)]
    none = (0, 0, 0)
    return [trunk], parts, [none, none, none, none, (left, 52, 1), (right, 52, 1), *hem]


class Pose:
    """Scale, shear and shift in 1/256 units, and a mirror."""

    def __init__(self, rng: Random, side: int) -> None:
        self.side = side
        self.scale_x, self.scale_y = rng.randrange(212, 284), rng.randrange(212, 276)
        self.shear = rng.randrange(-36, 37)
        self.dx, self.dy = rng.randrange(-20, 21), rng.randrange(-14, 15)
        self.mirror = rng.randrange(2) == 1

    def __call__(self, point: Point) -> Point:
        """Return a canvas point in pixels, times 256."""
        x, y = point[0] - 128, point[1] - 128
        if self.mirror:
            x = -x
        sheared = x * self.scale_x + y * self.shear
        return (sheared + (128 + self.dx) * 256) * self.side // CANVAS, (
            y * self.scale_y + (128 + self.dy) * 256
        ) * self.side // CANVAS


def fill(polygon: list[Point], side: int) -> np.ndarray:
    """Return which pixels' centres lie inside, by the even-odd rule, points in 1/256 pixel. Shape: -> bool (side,
    side).
    """
    centre = np.arange(side, dtype=np.int64) * 256 + 128
    inside = np.zeros((side, side), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if y0 == y1:
            continue
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        rows = np.flatnonzero((centre >= y0) & (centre < y1))
        cross = x0 + (centre[rows] - y0) * (x1 - x0) // (y1 - y0)
        inside[rows] ^= centre[None, :] >= cross[:, None]
    return inside


def render(garment: Garment, hidden: bool, rng: Random, side: int) -> tuple[np.ndarray, np.ndarray]:
    """One view. Shape: -> pixels uint8 (side, side, 3), landmarks float32 (8, 3): x, y in pixels, visible."""
    work = 2 * side  # drawn at twice the size and averaged
    pose = Pose(rng, work)
    trunk, parts, marks = outline(garment.silhouette, rng)
    shapes = trunk if hidden else [*trunk, *parts]
    mask = np.zeros((work, work), dtype=bool)
    for polygon in shapes:
        mask |= fill([pose(p) for p in polygon], work)
    image = _background(garment, rng, work)
    light = rng.randrange(190, 282)
    image = np.where(mask[:, :, None], _cloth(garment, rng, work) * light // 256, image)
    cover = np.zeros((work, work), dtype=bool)
    if hidden:
        for polygon in _covers(garment):
            cover |= fill([pose(p) for p in polygon], work)
        image = np.where(cover[:, :, None], _colour(rng), image)
    elif rng.randrange(2):
        image = _clutter(image, rng, work)
    noise = np.frombuffer(hashlib.shake_128(str(rng.getrandbits(64)).encode()).digest(work * work), np.uint8)
    image = image + (noise.reshape(work, work, 1).astype(np.int64) % 13 - 6)
    image = np.clip(image, 0, 255)
    small = (image.reshape(side, 2, side, 2, 3).sum((1, 3)) + 2) // 4
    return small.astype(np.uint8), _landmarks(marks, pose, cover, side)


def _landmarks(marks: list[tuple[int, int, int]], pose: Pose, cover: np.ndarray, side: int) -> np.ndarray:
    result = np.zeros((len(marks), 3), np.float32)
    for i, (x, y, exists) in enumerate(marks):
        if exists:
            px, py = (c // 256 for c in pose((x, y)))
            inside = 0 <= px < 2 * side and 0 <= py < 2 * side
            result[i] = px / 2, py / 2, float(inside and not cover[py, px])
    return result


def _covers(garment: Garment) -> list[list[Point]]:
    """Hides where sleeves, or legs and skirt, would be, whatever they are."""
    if PAIRS[garment.silhouette] == "upper_body":
        return [[(20, 40), (86, 40), (86, 214), (20, 214)], [(170, 40), (236, 40), (236, 214), (170, 214)]]
    return [[(50, 88), (206, 88), (206, 230), (50, 230)]]


def _colour(rng: Random) -> np.ndarray:
    return np.array([rng.randrange(20, 236) for _ in range(3)], dtype=np.int64)


def _apart(garment: Garment, rng: Random) -> np.ndarray:
    """Draw a colour that the garment can be told from."""
    cloth = np.array([COLOURS[garment.colour], COLOURS[garment.second_colour]])
    while True:
        colour = _colour(rng)
        if np.abs(cloth - colour).sum(1).min() >= CONTRAST:
            return colour


def _background(garment: Garment, rng: Random, side: int) -> np.ndarray:
    first, second = _apart(garment, rng), _apart(garment, rng)
    ramp = np.arange(side, dtype=np.int64)
    kind = rng.randrange(3)
    if kind == 0:
        share = np.zeros((side, side), np.int64)
    elif kind == 1:
        share = np.broadcast_to(ramp[:, None] * 256 // side, (side, side))
    else:
        share = (ramp[:, None] // (side // 6) + ramp[None, :] // (side // 6)) % 2 * rng.randrange(40, 120)
    mixed: np.ndarray = (first * (256 - share[:, :, None]) + second * share[:, :, None]) // 256
    return mixed


def _cloth(garment: Garment, rng: Random, side: int) -> np.ndarray:
    base, second = (np.array(COLOURS[c], dtype=np.int64) for c in (garment.colour, garment.second_colour))
    jitter = np.array([rng.randrange(-14, 15) for _ in range(3)], dtype=np.int64)
    y, x = np.arange(side)[:, None], np.arange(side)[None, :]
    period = side * rng.randrange(10, 15) // 128
    if garment.pattern == "striped":
        on = (y if rng.randrange(2) else x) // (period // 2) % 2 == 0
        on = np.broadcast_to(on, (side, side))
    elif garment.pattern == "checked":
        on = (x // (period // 2) + y // (period // 2)) % 2 == 0
    elif garment.pattern == "dotted":
        on = (x % period - period // 2) ** 2 + (y % period - period // 2) ** 2 < (period // 4) ** 2 + 2
    else:
        on = np.zeros((side, side), dtype=bool)
    cloth: np.ndarray = np.where(on[:, :, None], second, base + jitter)
    return cloth


def _clutter(image: np.ndarray, rng: Random, side: int) -> np.ndarray:
    """Draw a small thing in front: too small to hide what decides."""
    x, y = rng.randrange(side) * 256, rng.randrange(side) * 256
    size = side * rng.randrange(8, 16) // 128 * 256
    corners = [(x, y), (x + size, y + size // 4), (x + size // 2, y + size), (x - size // 3, y + size // 2)]
    return np.where(fill(corners, side)[:, :, None], _colour(rng), image)


def png(pixels: np.ndarray) -> bytes:
    """Return a PNG, its pixels stored uncompressed. Shape: uint8 (H, W, 3)."""
    height, width, _ = pixels.shape
    return _png(pixels.reshape(height, width * 3), struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def palette_png(pixels: np.ndarray) -> bytes:
    """Return a PNG of few colours, its pixels stored uncompressed. Shape: uint8 (H, W, 3).

    Raises: ValueError for more than 256 colours.
    """
    height, width, _ = pixels.shape
    packed = (pixels.astype(np.int32) * (65536, 256, 1)).sum(-1)
    colours, places = np.unique(packed, return_inverse=True)
    if len(colours) > 256:
        raise ValueError(f"a palette has at most 256 colours; the picture has {len(colours)}.")
    rows = places.reshape(height, width).astype(np.uint8)
    depth = 4 if len(colours) <= 16 else 8
    if depth == 4:  # two pixels a byte
        rows = np.pad(rows, ((0, 0), (0, width % 2)))
        rows = rows[:, ::2] * 16 + rows[:, 1::2]
    table = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], 1).astype(np.uint8)
    header = struct.pack(">IIBBBBB", width, height, depth, 3, 0, 0, 0)
    return _png(rows, header, _chunk(b"PLTE", table.tobytes()))


def _png(rows: np.ndarray, header: bytes, extra: bytes = b"") -> bytes:
    """Return a PNG of unfiltered rows, in stored blocks."""
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    blocks = [data[i : i + 65535] for i in range(0, len(data), 65535)]
    stream = b"\x78\x01"
    for i, block in enumerate(blocks):
        last = i == len(blocks) - 1
        stream += struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block
    stream += struct.pack(">I", zlib.adler32(data))
    chunks = _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", stream) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
