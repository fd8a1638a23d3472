"""Pictures of scenes, in integer arithmetic only: the same bytes on every machine.

A garment hangs in the column of its place, at any height; its proportions, tilt, light and mirror vary, and so do the
phase and tone of what it lies on. The PNG has a palette and stores its pixels uncompressed, because compressed bytes
differ between builds of zlib.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import numpy as np

from vsebench.data.garments.render import Point, fill, palette_png
from vsebench.data.scenes.model import PLACES, Garment, Scene

INK = (244, 232, 205)  # of patterns
DARK_INK = (105, 105, 118)  # of patterns on white
CLOTH: Mapping[str, tuple[int, int, int]] = {
    "red": (200, 40, 45),
    "blue": (45, 80, 190),
    "green": (40, 135, 65),
    "black": (40, 40, 46),
    "white": (240, 240, 240),
}
#: Two tones of what garments lie on; the first is the ground.
GROUND: Mapping[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "wood": ((152, 108, 66), (124, 84, 48)),
    "sand": ((208, 184, 132), (190, 164, 112)),
    "brick": ((178, 118, 98), (204, 190, 176)),
    "tiles": ((128, 176, 180), (100, 146, 152)),
    "stone": ((146, 146, 142), (120, 120, 118)),
    "carpet": ((138, 96, 152), (164, 124, 178)),
    "straw": ((192, 170, 78), (162, 138, 52)),
    "felt": ((212, 150, 166), (194, 130, 148)),
}
LANDMARKS = ("shoulder_left", "shoulder_right", "waist_left", "waist_right", "hem_left", "hem_right")


def render(scene: Scene, rng: Random, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a scene.

    Args:
        scene: what it shows.
        rng: for all that the scene leaves open.
        side: of the square picture, in pixels.

    Shape: -> pixels uint8 (side, side, 3), landmarks float32 (6 * garments, 3): x and y in pixels, visible 0 or 1, and
    boxes float32 (garments, 4): x0, y0, x1, y1 in pixels; garment after garment, from left to right.
    """
    pixels = _ground(scene.setting, rng, side)
    landmarks, boxes = [], []
    for garment in scene.garments:
        polygons, points = _outline(garment.silhouette, rng)
        pose = _Pose(garment.place, rng, side)
        covered = np.zeros((side, side), dtype=bool)
        for polygon in polygons:
            covered |= fill([pose(point) for point in polygon], side)
        cloth = _cloth(garment, rng, side)
        pixels = np.where(covered[:, :, None], cloth, pixels)
        if garment.silhouette == "coat":  # open in front
            front = [(-2, -26), (1, -26), (1, 32), (-2, 32)]
            slit = fill([pose(point) for point in front], side) & covered
            pixels = np.where(slit[:, :, None], np.asarray(cloth) // 2, pixels)
        rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        at = [(x / 256, y / 256) for x, y in map(pose, points)]
        landmarks += [(x, y, float(0 <= x <= side and 0 <= y <= side)) for x, y in at]
    return pixels.astype(np.uint8), np.array(landmarks, np.float32), np.array(boxes, np.float32)


def encode(pixels: np.ndarray) -> bytes:
    """Return a picture as PNG. Shape: uint8 (H, W, 3) of at most 256 colours."""
    return palette_png(pixels)


class _Pose:
    """Where a garment hangs: canvas units to pixels, times 256."""

    def __init__(self, place: str, rng: Random, side: int) -> None:
        column = side * 256 // len(PLACES)
        self.x = column * PLACES.index(place) + column // 2 + rng.randrange(-side * 6, side * 6 + 1)
        self.y = side * rng.randrange(84, 173)
        self.scale_x, self.scale_y = side * rng.randrange(154, 183), side * rng.randrange(160, 200)
        self.shear = side * rng.randrange(-12, 13)
        self.mirror = rng.randrange(2) == 1

    def __call__(self, point: Point) -> Point:
        x, y = (-point[0] if self.mirror else point[0]), point[1]
        return self.x + (x * self.scale_x + y * self.shear) // 96, self.y + y * self.scale_y // 96


def _outline(silhouette: str, rng: Random) -> tuple[list[list[Point]], list[Point]]:
    """Return the polygons of a garment around (0, 0), and its landmarks in the order of :data:`LANDMARKS`."""
    wide = rng.randrange(-1, 3)
    if silhouette in ("trousers", "skirt"):
        return _lower(silhouette, wide, rng)
    top, shoulder, waist = -28, 11 + wide, 9 + wide
    neck = [(-shoulder, top + 3), (-4, top), (0, top + 5), (4, top), (shoulder, top + 3)]
    if silhouette == "dress":
        hem, middle = 30, 0
        flare = rng.randrange(17, 22)
        trunk = [*neck, (6 + wide, middle), (flare, hem), (-flare, hem), (-6 - wide, middle)]
        points = [(-shoulder, top + 3), (shoulder, top + 3), (-6 - wide, middle), (6 + wide, middle)]
        return [trunk], [*points, (-flare, hem), (flare, hem)]
    hem = 31 if silhouette == "coat" else rng.randrange(8, 13)
    bottom = waist + (4 if silhouette == "coat" else 0)
    trunk = [*neck, (waist, -4), (bottom, hem), (-bottom, hem), (-waist, -4)]
    out, down = (21, -12) if silhouette == "top" else (20 + wide, rng.randrange(4, 9))
    sleeve = [(shoulder, top + 3), (out, down), (out - 6, down + 3), (shoulder - 2, -12)]
    other = [(-x, y) for x, y in sleeve]
    points = [(-shoulder, top + 3), (shoulder, top + 3), (-waist, -4), (waist, -4), (-bottom, hem), (bottom, hem)]
    return [trunk, sleeve, other], points


def _lower(silhouette: str, wide: int, rng: Random) -> tuple[list[list[Point]], list[Point]]:
    """Return the polygons and landmarks of trousers or a skirt."""
    top, half = -26, 9 + wide
    if silhouette == "skirt":
        hem, flare = rng.randrange(8, 16), rng.randrange(17, 22)
        polygons: list[list[Point]] = [[(-half, top + 8), (half, top + 8), (flare, hem), (-flare, hem)]]
        points = [(-half, top + 8), (half, top + 8)]
    else:
        hem, flare = rng.randrange(27, 32), half + 4
        leg = [(-half, top), (1, top), (-3, hem), (-flare, hem)]
        polygons = [leg, [(-x, y) for x, y in leg]]
        points = [(-half, top), (half, top)]
    return polygons, [*points, *points, (-flare, hem), (flare, hem)]


def _ground(setting: str, rng: Random, side: int) -> np.ndarray:
    """Draw what garments lie on. Shape: -> int64 (side, side, 3)."""
    light = rng.randrange(-10, 11)
    first, second = (np.array(tone, np.int64) + light for tone in GROUND[setting])
    y, x = np.arange(side)[:, None] + rng.randrange(24), np.arange(side)[None, :] + rng.randrange(24)
    marks: Sequence[np.ndarray] | np.ndarray
    if setting == "wood":
        marks = (y % 12 == 0) | ((y % 12 == 6) & (x % 7 < 4))
    elif setting == "sand":
        marks = (x * 7 + y * 13) % 11 == 0
    elif setting == "brick":
        marks = (y % 8 == 0) | ((x + (y // 8) % 2 * 8) % 16 == 0)
    elif setting == "tiles":
        marks = (y % 12 == 0) | (x % 12 == 0)
    elif setting == "stone":
        marks = (x + y) % 10 < 2
    elif setting == "carpet":
        marks = (x // 3 + y // 3) % 2 == 0
    elif setting == "straw":
        marks = (x * 3 + y) % 8 < 2
    else:
        marks = (x - y) % 6 == 0
    marks = np.broadcast_to(marks, (side, side))
    return np.where(marks[:, :, None], second, first)


def _cloth(garment: Garment, rng: Random, side: int) -> np.ndarray:
    """Draw a garment's cloth over the whole picture. Shape: -> int64 (side, side, 3)."""
    light = rng.randrange(-14, 15)
    base = np.array(CLOTH[garment.colour], np.int64) + light
    ink = np.array(DARK_INK if garment.colour == "white" else INK, np.int64)
    y, x = np.arange(side)[:, None] + rng.randrange(16), np.arange(side)[None, :] + rng.randrange(16)
    if garment.pattern == "striped":
        period = rng.randrange(6, 9)
        on = (y if rng.randrange(3) else x) % period < 2
    elif garment.pattern == "checked":
        size = rng.randrange(4, 6)
        on = (x // size + y // size) % 2 == 0
    elif garment.pattern == "dotted":
        period = rng.randrange(6, 8)
        on = ((x % period) < 2) & ((y % period) < 2)
    else:
        on = np.zeros((1, 1), dtype=bool)
    on = np.broadcast_to(on, (side, side))
    return np.clip(np.where(on[:, :, None], ink, base), 0, 255)
