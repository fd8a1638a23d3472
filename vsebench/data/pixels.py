"""Encoded image bytes to pixels of the size an encoder wants. Every picture that vsebench reads comes through here."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from vsebench.core.types import Preprocessing
from vsebench.data.limits import BYTES_A_PIXEL, PIXELS, ROOM
from vsebench.data.modes import to_rgb

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
#: Formats that are read, where this Pillow has them. Not among them: those that start another program (EPS), that only
#: point to one (HDF5, GRIB, WMF), or that hold a picture of another size than they say (ICO, ICNS).
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "AVIF", "PPM", "PCX", "SGI", "TGA", "QOI")
#: What may say that an image is turned or transparent.
EXTRAS = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif", "transparency"}
TILE_WIDTH, TILE_LENGTH = 322, 323  # of a TIFF; a tile is decoded whole
DRAFTS = (2, 4, 8)  # a JPEG can be decoded at a half, a quarter and an eighth of its width and height


def pixel_count(data: bytes) -> int:
    """Return the number of pixels that an encoded image would be decoded to, from its header alone.

    Raises: OSError when it is not an image.
    """
    with _opened(data) as image:
        return _pixels(image)


@contextmanager
def decoded(data: bytes, *, side: int | None = None) -> Iterator[tuple[Image.Image, int]]:
    """Decode to 8-bit RGB: turned as its EXIF says, transparency on white; :mod:`vsebench.data.modes` has the rest.

    While the block lasts its memory counts among what this process decodes at the same time; a thread waits where that
    would be too much.

    Args:
        data: the encoded image.
        side: the longest side that is needed, in pixels. A JPEG with more pixels than are read is then decoded at a
            half, a quarter or an eighth of its size, where that is still enough, instead of being refused.

    Yields: the picture, and the longest side that it has in the file.

    Raises: OSError when it is not an image, damaged, has too many pixels, or has pixels whose black and white are not
    known.
    """
    with _opened(data) as image:
        longest = max(image.size)
        if _pixels(image) > PIXELS.value():
            _reduce(image, side)
        with ROOM.taken(BYTES_A_PIXEL * _pixels(image)):
            try:
                if image.mode == "RGB" and image.format in ("JPEG", "PNG") and not image.info.keys() & EXTRAS:
                    image.load()  # as most photos are: nothing to turn, to fill or to copy
                else:
                    image = to_rgb(image)
            except Exception as error:  # Pillow raises SyntaxError, ValueError, struct.error… for damaged files
                raise OSError(f"image cannot be decoded ({error})") from error
            yield image, longest


def open_rgb(data: bytes) -> Image.Image:
    """Decode the picture as :func:`decoded` does.

    Raises: OSError likewise.
    """
    with decoded(data) as (image, _):
        return image


def decode(data: bytes, preprocessing: Preprocessing) -> np.ndarray:
    """Decode and fit. Shape: -> uint8 (3, H, W).

    Raises: OSError as :func:`open_rgb` does.
    """
    height, width = preprocessing.size
    with decoded(data, side=2 * max(height, width)) as (image, _):
        return np.ascontiguousarray(_fitted(image, preprocessing).transpose(2, 0, 1))


def _fitted(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    height, width = preprocessing.size
    resample = RESAMPLING[preprocessing.interpolation]
    if preprocessing.fit == "crop" and preprocessing.share < 1:
        border = (1 - preprocessing.share) / 2  # on each side
        image = ImageOps.fit(image, (width, height), method=resample, bleed=border)
    elif image.size != (width, height):
        if preprocessing.fit == "crop":
            image = ImageOps.fit(image, (width, height), method=resample)
        elif preprocessing.fit == "pad":
            edge = np.asarray(image)[[0, -1]].reshape(-1, 3).mean(0).round().astype(int)
            image = ImageOps.pad(image, (width, height), method=resample, color=tuple(int(c) for c in edge))
        else:
            image = image.resize((width, height), resample)
    return np.asarray(image, dtype=np.uint8)


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    # Pillow's own limit prints a warning at first; ours, which refuses, stands in its place.
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(io.BytesIO(data), formats=_formats())
    except UnidentifiedImageError:
        raise OSError(f"not an image that is read ({', '.join(FORMATS)}), or damaged at its beginning") from None
    except Exception as error:
        raise OSError(f"image cannot be decoded ({error})") from error
    yield image


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _pixels(image: Image.Image) -> int:
    tags = getattr(image, "tag_v2", {})
    tile = [tags.get(number, 0) for number in (TILE_WIDTH, TILE_LENGTH)]
    return max(image.width * image.height, tile[0] * tile[1] if all(isinstance(n, int) for n in tile) else 0)


def _reduce(image: Image.Image, side: int | None) -> None:
    """Have a large JPEG decoded smaller. A progressive one is held whole by the decoder, whatever its scale."""
    if side is not None and image.format in ("JPEG", "MPO") and not image.info.get("progressive"):
        for scale in DRAFTS:
            small = (max(1, image.width // scale), max(1, image.height // scale))
            if small[0] * small[1] <= PIXELS.value() and max(small) >= side:
                image.draft(None, small)
                return
    raise OSError(f"image has {PIXELS.refuse(_pixels(image))}")


def jpeg(data: bytes, side: int) -> bytes:
    """Convert a picture of any format to a JPEG of at most ``side`` pixels each way.

    Raises: OSError when it is not an image or damaged.
    """
    with decoded(data, side=side) as (picture, _):
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()
