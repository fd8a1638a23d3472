"""Encoded image bytes to pixels of the size an encoder wants."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps

from vsebench.types import Preprocessing

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


#: What may say that an image is turned or transparent.
EXTRAS = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif", "transparency"}


def open_rgb(data: bytes) -> Image.Image:
    """Decode to RGB: turned as its EXIF says, transparency on white.

    Raises: OSError when it is not an image or damaged.
    """
    try:
        with Image.open(io.BytesIO(data)) as encoded:
            if encoded.mode == "RGB" and encoded.format in ("JPEG", "PNG") and not encoded.info.keys() & EXTRAS:
                encoded.load()
                return encoded  # as most photos are: nothing to turn, to fill or to copy
            image = ImageOps.exif_transpose(encoded)
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                rgba = image.convert("RGBA")
                white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
                return Image.alpha_composite(white, rgba).convert("RGB")
            return image.convert("RGB")
    except Exception as error:  # Pillow raises SyntaxError, ValueError, struct.error… for damaged files
        raise OSError(f"image cannot be decoded ({error})") from error


def decode(data: bytes, preprocessing: Preprocessing) -> np.ndarray:
    """Decode and fit. Shape: -> uint8 (3, H, W).

    Raises: OSError when it is not an image or damaged.
    """
    image = open_rgb(data)
    height, width = preprocessing.size
    resample = RESAMPLING[preprocessing.interpolation]
    if image.size != (width, height):
        if preprocessing.fit == "crop":
            image = ImageOps.fit(image, (width, height), method=resample)
        elif preprocessing.fit == "pad":
            edge = np.asarray(image)[[0, -1]].reshape(-1, 3).mean(0).round().astype(int)
            image = ImageOps.pad(image, (width, height), method=resample, color=tuple(int(c) for c in edge))
        else:
            image = image.resize((width, height), resample)
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1))
