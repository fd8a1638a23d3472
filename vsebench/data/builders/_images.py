"""Image files read, decoded once and looked at, several at a time."""

from __future__ import annotations

import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from PIL import Image

from vsebench.data.files import read_inside
from vsebench.data.pixels import decoded

AHEAD = 64  # files that may be read before they are asked for: bounds memory, whatever the number of items
TOGETHER = 8  # files of one task of a thread
DARK = 32  # of 255
STRIP = 256  # rows of a picture that are hashed at a time
A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Loaded:
    """An image file.

    Args:
        data: the bytes to store; None where there is a problem.
        pixels: digest of size and pixels, equal for images that look the same.
        size: (width, height) as stored.
        longest: side of the file's picture, before ``resize``.
        problem: what is wrong, or None.
        dark: no value is an eighth of white.
    """

    data: bytes | None = None
    pixels: bytes = b""
    size: tuple[int, int] = (0, 0)
    longest: int = 0
    problem: str | None = None
    dark: bool = False

    @property
    def scale(self) -> float:
        """Stored pixels per pixel of the source: coordinates of landmarks and boxes are multiplied by it."""
        return max(self.size) / self.longest if self.longest else 1.0


def load_image(root: Path, path: str, resize: int | None = None) -> Loaded:
    """Read an image below a folder and decode it, to know that it can be.

    Args:
        root: the folder.
        path: as a metadata file has it, relative to the folder; it must stay inside.
        resize: longest side in pixels; a larger image is scaled down and encoded again.
    """
    if not path:
        return Loaded(problem="empty image path")
    try:
        data = read_inside(root, path, "image")
    except OSError as error:
        return Loaded(problem=str(error))
    return look_at(data, f"image '{path}'", resize, lossless=path.lower().endswith(".png"))


def look_at(data: bytes, name: str, resize: int | None = None, *, lossless: bool = False) -> Loaded:
    """Decode an encoded image, and scale it down where it is larger than ``resize``."""
    try:
        with decoded(data, side=resize) as (picture, longest):
            if resize is not None and longest > resize:
                data = _shrink(picture, resize, lossless=lossless)
            dark = max(high for _, high in picture.getextrema()) < DARK  # type: ignore[misc]
            return Loaded(data, _digest(picture), picture.size, longest, dark=dark)
    except OSError as error:
        return Loaded(problem=f"{name}: {error}")


def _digest(picture: Image.Image) -> bytes:
    pixels = hashlib.sha256(repr(picture.size).encode())
    for top in range(0, picture.height, STRIP):  # a copy of a whole large picture is half of its memory again
        pixels.update(picture.crop((0, top, picture.width, min(top + STRIP, picture.height))).tobytes())
    return pixels.digest()


def prefetch(function: Callable[[A], B], arguments: Iterable[A]) -> Iterator[B]:
    """``map(function, arguments)`` in order, a bounded number of calls ahead, on every core.

    Decoding and hashing release the interpreter's lock, so threads do.

    Example:
        >>> list(prefetch(str, range(3)))
        ['0', '1', '2']
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    waiting: deque[Future[list[B]]] = deque()
    arguments = iter(arguments)
    with ThreadPoolExecutor(cores) as pool:
        try:
            while chunk := list(islice(arguments, TOGETHER)):
                waiting.append(pool.submit(_each, function, chunk))
                if len(waiting) > AHEAD // TOGETHER:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _each(function: Callable[[A], B], arguments: list[A]) -> list[B]:
    return [function(argument) for argument in arguments]


def _shrink(picture: Image.Image, side: int, *, lossless: bool) -> bytes:
    """Scale the picture itself down, and encode it."""
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if lossless:
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
