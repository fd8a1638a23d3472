"""Pictures of every mode have the right pixels."""

from __future__ import annotations

import numpy as np
import PIL
import pytest
from picture_files import COLOURS, GREY, encoded, png, tiff
from PIL import Image, ImageCms

from vsebench.data.pixels import open_rgb

DEEP = GREY.astype(np.uint16) * 257
#: Older ones refuse these files; none gives other pixels.
READS_MORE = pytest.mark.skipif(int(PIL.__version__.split(".")[0]) < 13, reason="Pillow before 13 refuses such files")
LOSSLESS = ("PNG", "TIFF", "BMP", "PPM", "JPEG2000", "WEBP", "SGI", "PCX", "TGA")


def grey(data: bytes) -> np.ndarray:
    """The one channel of a picture whose channels are equal."""
    pixels = np.asarray(open_rgb(data))
    assert pixels.dtype == np.uint8
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


def packed_12(values: np.ndarray) -> bytes:
    """Pairs of 12-bit numbers in three bytes."""
    pairs = values.reshape(-1, 2).astype(int)
    return b"".join(int(a << 12 | b).to_bytes(3, "big") for a, b in pairs)


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.fromarray(DEEP), "PNG"),
        encoded(Image.fromarray(DEEP), "TIFF"),
        encoded(Image.fromarray(DEEP), "TIFF", compression="tiff_lzw"),
        encoded(Image.fromarray(DEEP), "JPEG2000"),
        tiff(DEEP.astype("<u2").tobytes(), bits=16),
        tiff(DEEP.astype(">u2").tobytes(), bits=16, order=">"),
        tiff((65535 - DEEP).astype("<u2").tobytes(), bits=16, photometric=0),
        tiff((255 - GREY).tobytes(), bits=8, photometric=0),
        tiff(packed_12(GREY.astype(np.uint16) << 4), bits=12),
        tiff((GREY / np.float32(255)).astype("<f4").tobytes(), bits=32, sample_format=3),
        tiff((GREY / np.float32(255)).astype(">f4").tobytes(), bits=32, sample_format=3, order=">"),
        tiff((1 - GREY / np.float32(255)).astype("<f4").tobytes(), bits=32, sample_format=3, photometric=0),
        b"P5 8 8 65535\n" + DEEP.astype(">u2").tobytes(),
        b"P5 8 8 255\n" + GREY.tobytes(),
        b"Pf 8 8\n-1\n" + (GREY[::-1] / np.float32(255)).astype("<f4").tobytes(),
        *(encoded(Image.fromarray(GREY), form) for form in ("PNG", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")),
    ],
)
def test_grey_of_any_depth_is_the_same_picture(data: bytes) -> None:
    """16-bit grey used to be white, and floats black."""
    assert np.array_equal(grey(data), GREY)


def test_a_pgm_of_another_range() -> None:
    assert (
        np.abs(
            grey(b"P5 8 8 1023\n" + (GREY.astype(np.uint16) * 4).astype(">u2").tobytes()).astype(int)
            - GREY * (1020 / 1023)
        ).max()
        < 1
    )


def test_the_upper_bits_of_grey_and_of_colours_agree() -> None:
    values = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    rows = [np.repeat(row[:, None], 3, 1).astype(">u2").tobytes() for row in values]
    alpha = [np.stack([row, row * 0 + 65535], 1).astype(">u2").tobytes() for row in values]
    assert np.array_equal(grey(png(rows, (8, 8), bits=16, colour=2)), values >> 8)
    assert np.array_equal(grey(png(alpha, (8, 8), bits=16, colour=4)), values >> 8)
    assert np.array_equal(grey(encoded(Image.fromarray(values), "PNG")), values >> 8)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tiff(GREY.astype("<i4").tobytes(), bits=32), "32-bit integer pixels do not say which value is white"),
        (tiff(GREY.astype("<i4").tobytes(), bits=32, sample_format=2), "signed pixels"),
        (tiff(GREY.astype("<i2").tobytes(), bits=16, sample_format=2), "signed pixels"),
        (tiff(GREY.view(np.int8).tobytes(), bits=8, sample_format=2), "signed pixels"),
        (tiff(GREY.astype("<f4").tobytes(), bits=32, sample_format=3), "these go from 0 to 252; scale them"),
        (tiff((GREY - np.float32(9)).astype("<f4").tobytes(), bits=32, sample_format=3), "these go from -9 to 243"),
        (tiff(np.full(64, np.nan, "<f4").tobytes(), bits=32, sample_format=3), "NaN"),
        (encoded(Image.fromarray(GREY.astype(np.int32)), "TIFF"), "signed pixels"),
    ],
)
def test_pixels_of_no_known_range_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(OSError, match=message):
        open_rgb(data)


@pytest.mark.parametrize("form", LOSSLESS)
def test_colours_are_kept(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    assert np.array_equal(np.asarray(open_rgb(encoded(Image.fromarray(COLOURS), form, **options))), COLOURS)


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("CMYK", "TIFF"),
        pytest.param("YCbCr", "TIFF", marks=READS_MORE),
        ("LAB", "TIFF"),
        ("P", "PNG"),
        ("P", "GIF"),
        ("1", "PNG"),
    ],
)
def test_other_colours_are_the_same_picture(mode: str, form: str) -> None:
    image = Image.fromarray(COLOURS)
    if mode == "LAB":
        profiles = [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
        changed = ImageCms.profileToProfile(image, profiles[0], profiles[1], outputMode="LAB")
    else:
        changed = image.convert(mode, dither=Image.Dither.NONE)
    near = {"P": 60, "LAB": 20}.get(mode, 5)  # a web palette has steps of 51; 8 bits of L*a*b* are few for bright blue
    expected = np.asarray(image.convert("L").point(lambda v: 255 * (v > 127))) if mode == "1" else COLOURS
    pixels = np.asarray(open_rgb(encoded(changed, form))).astype(int)
    assert np.abs(pixels - (expected[..., None] if mode == "1" else expected)).max() <= near


def test_a_cmyk_jpeg_is_not_inverted() -> None:
    data = encoded(Image.new("RGB", (16, 16), (200, 30, 90)).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(np.asarray(open_rgb(data)).astype(int) - (200, 30, 90)).max() <= 4


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", pytest.param("La", marks=READS_MORE)])
def test_transparent_pixels_are_white(mode: str) -> None:
    half = Image.fromarray(
        np.dstack([np.full((8, 8, 3), 102, np.uint8), np.where(GREY < 128, 0, 255).astype(np.uint8)])
    )
    if mode in ("RGBA", "LA"):
        data = encoded(half.convert(mode), "PNG")
    elif mode == "La":
        multiplied = np.stack([np.where(GREY < 128, 0, 102), np.where(GREY < 128, 0, 255)], -1).astype(np.uint8)
        data = tiff(multiplied.tobytes(), bits=8, extra=1)
    elif mode == "PA":
        palette = half.convert("RGB").convert("P").convert("PA")
        palette.putalpha(half.getchannel("A"))
        data = encoded(palette, "TIFF")
    else:
        numbers = Image.fromarray((GREY >= 128).astype(np.uint8)).convert("P")
        numbers.putpalette([0, 0, 0, 102, 102, 102])
        data = encoded(numbers, "PNG", transparency=0)
    assert np.array_equal(grey(data), np.where(GREY < 128, 255, 102))


def test_the_transparent_colour_of_a_png_of_few_or_many_bits() -> None:
    """It stands in the file's bits: 3 of 0 to 3 is white, 300 of 65,535 is nearly black."""
    fours = png([bytes([0b00011011])] * 8, (4, 8), bits=2, colour=0, clear=struct_be(2))
    assert grey(fours)[0].tolist() == [0, 85, 255, 255]
    ones = png([bytes([0b01010101])] * 8, (8, 8), bits=1, colour=0, clear=struct_be(0))
    assert grey(ones).min() == 255
    deep = png([np.array([300, 301, 600], ">u2").tobytes()], (3, 1), bits=16, colour=0, clear=struct_be(300))
    assert grey(deep)[0].tolist() == [255, 1, 2]
    colours = np.array([[40000] * 3, [300] * 3], ">u2").tobytes()
    assert grey(png([colours], (2, 1), bits=16, colour=2, clear=struct_be(40000) * 3))[0].tolist() == [255, 1]


def struct_be(value: int) -> bytes:
    """Two bytes, the upper first."""
    return value.to_bytes(2, "big")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_exif_turns_a_picture(form: str, orientation: int) -> None:
    image = np.zeros((16, 32), np.uint8)
    image[:8, :8] = 255  # the upper left corner, of the 16-bit picture too
    deep = Image.fromarray(image.astype(np.uint16) * 257) if form in ("PNG", "TIFF") else Image.fromarray(image)
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = grey(encoded(deep if form != "WEBP" else deep.convert("RGB"), form, exif=exif, quality=100)) > 128
    assert pixels.shape == ((16, 32) if orientation <= 4 else (32, 16))
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    assert pixels[corner[orientation]]
    assert pixels.sum() == 64


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_picture_of_several_is_read(form: str) -> None:
    frames = [Image.new("RGB", (8, 8), (value, 0, 0)) for value in (200, 100, 50)]
    data = encoded(
        frames[0], form, save_all=True, append_images=frames[1:], **({"lossless": True} if form == "WEBP" else {})
    )
    assert np.asarray(open_rgb(data)).tolist() == np.full((8, 8, 3), (200, 0, 0)).tolist()


def test_colour_profiles_change_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(Image.fromarray(COLOURS), "PNG", icc_profile=profile)
    assert np.array_equal(np.asarray(open_rgb(data)), COLOURS)


@pytest.mark.parametrize(
    "data", [b"", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", b"\x89HDF\r\n\x1a\n"]
)
def test_what_is_no_picture_is_said_in_words(data: bytes) -> None:
    with pytest.raises(OSError, match=r"^not an image that is read \(JPEG, .*\), or damaged at its beginning$"):
        open_rgb(data)
