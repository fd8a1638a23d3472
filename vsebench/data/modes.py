"""A decoded picture of any of Pillow's modes as 8-bit RGB.

What is black and what is white:

    bits of a pixel             0 is black, and white is
    8                           255
    12 or 16, unsigned          4,095 or 65,535: the upper 8 bits are kept, of grey as of colours
    32, float                   1.0; a picture with a value outside 0 to 1, or NaN, is refused
    signed, or 32-bit integer   refused: nothing says which value is white

Transparent pixels are laid on white. CMYK becomes RGB by Pillow's formula, L*a*b* by its colour transform; other colour
profiles are ignored, as training code in this field does. Of an animation or a file of several pages the first is read.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

TIFF_BITS, TIFF_PHOTOMETRIC, TIFF_SAMPLE_FORMAT = 258, 262, 339
WITH_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
WHITE = (255, 255, 255, 255)


def to_rgb(image: Image.Image) -> Image.Image:
    """Bring a picture to 8-bit RGB: turned as its EXIF says, on white where it is transparent.

    Args:
        image: as ``Image.open`` gives it, not loaded.

    Raises: ValueError for pixels whose black and white are not known.
    """
    _repair_transparency(image)
    ImageOps.exif_transpose(image, in_place=True)
    if _tag(image, TIFF_SAMPLE_FORMAT) == 2:
        raise ValueError("signed pixels do not say which value is black and which is white; save them as 8 or 16 bits")
    if image.mode.startswith("I"):
        return _from_grey(image, _upper_bits(image))
    if image.mode == "F":
        return _from_grey(image, _from_float(image))
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in WITH_ALPHA or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")
    return image.convert("RGB")


def _upper_bits(image: Image.Image) -> np.ndarray:
    # 16-bit grey of PNG (before Pillow 11) and PGM files comes in 32-bit integers.
    if image.mode == "I" and image.format not in ("PNG", "PPM"):
        raise ValueError("32-bit integer pixels do not say which value is white; save them as 8 or 16 bits")
    bits = _tag(image, TIFF_BITS) or 16
    upper: np.ndarray = (np.asarray(image) >> (bits - 8)).astype(np.uint8)
    return upper


def _from_float(image: Image.Image) -> np.ndarray:
    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise ValueError("float pixels hold NaN or infinite values")
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if low < 0 or high > 1:
        raise ValueError(
            f"float pixels are read from 0 (black) to 1 (white), these go from {low:g} to {high:g}; "
            "scale them, or save them as 8 or 16 bits"
        )
    rounded: np.ndarray = np.rint(values * 255).astype(np.uint8)
    return rounded


def _from_grey(image: Image.Image, grey: np.ndarray) -> Image.Image:
    if _tag(image, TIFF_PHOTOMETRIC) == 0:  # white is zero; Pillow turns 8 bits round, not 16 or 32
        grey = 255 - grey
    clear = image.info.get("transparency")
    if isinstance(clear, int):  # the one value of a PNG that is transparent
        grey = np.where(np.asarray(image) == clear, np.uint8(255), grey)
    return Image.fromarray(np.ascontiguousarray(grey)).convert("RGB")


def _repair_transparency(image: Image.Image) -> None:
    """Scale a PNG's transparent colour to 8 bits: the file states it in its own depth, Pillow compares 8-bit pixels."""
    clear, tile = image.info.get("transparency"), getattr(image, "tile", None)
    if image.format != "PNG" or clear is None or isinstance(clear, bytes) or not tile:
        return
    raw = str(tile[0][3])
    if raw == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    elif raw in ("1", "L;2", "L;4"):
        bits = int(raw[-1])
        image.info["transparency"] = clear * 255 // (2**bits - 1)


def _tag(image: Image.Image, number: int) -> int | None:
    """Read a number that a TIFF file states about its pixels."""
    if image.format != "TIFF":
        return None
    value = image.tag_v2.get(number)  # type: ignore[attr-defined]
    return int(value[0] if isinstance(value, tuple) else value) if value is not None else None
