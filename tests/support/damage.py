"""Hypothesis strategies for files that were damaged or changed on purpose."""

from __future__ import annotations

import io
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st
from PIL import Image

#: Numbers that headers do not expect.
ODD_NUMBERS = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
#: What an array of a dataset file may be replaced by.
ODD_ARRAYS: tuple[Any, ...] = (
    np.zeros(0, np.int64),
    np.zeros(12, np.int64),
    np.arange(13),
    np.arange(13)[::-1].copy(),
    np.full(12, -1),
    np.full(13, 2**62),
    np.full(13, np.iinfo(np.int64).min),
    np.zeros(12, np.int8),
    np.full(12, 127, np.int8),
    np.zeros((12, 3), np.uint8),
    np.full((12, 2), np.nan, np.float32),
    np.zeros((3, 4, 5), np.float32),
    np.zeros(13, np.float64),
    np.zeros(12, np.complex64),
    np.zeros(12, [("a", "i4"), ("b", "f8")]),
    np.frombuffer(b"{}", np.uint8),
    np.frombuffer(b"[1, [2", np.uint8),
    np.frombuffer(b'"\\ud800"', np.uint8),
    np.frombuffer(b"\xff\xfe\x00", np.uint8),
    np.frombuffer(b"[" * 5000, np.uint8),
    np.int64(3),
    "a text",
    b"bytes",
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file with bytes flipped, cut, lost, doubled, or numbers of its header replaced."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(("flip", "flip early", "number", "cut", "lose", "double", "fill")))
        at = draw(st.integers(0, max(0, len(data) - 1)))
        if not data:
            break
        if kind == "flip":
            data[at] ^= draw(st.integers(1, 255))
        elif kind == "flip early":
            data[at % min(len(data), 200)] ^= draw(st.integers(1, 255))
        elif kind == "number":
            size = draw(st.sampled_from((2, 4, 8)))
            order = draw(st.sampled_from(("little", "big")))
            number = draw(st.sampled_from(ODD_NUMBERS)) % 256**size
            at %= min(len(data), 200)
            data[at : at + size] = number.to_bytes(size, order)
        elif kind == "cut":
            del data[at:]
        elif kind == "lose":
            del data[at : at + draw(st.integers(1, 64))]
        elif kind == "double":
            data[at:at] = data[at : at + draw(st.integers(1, 64))]
        else:
            end = min(len(data), at + draw(st.integers(1, 512)))
            data[at:end] = bytes([draw(st.sampled_from((0, 255, 0x55)))]) * (end - at)
    return bytes(data)


def pictures() -> list[bytes]:
    """A small picture in every format that Pillow writes, in every mode that the format takes."""
    Image.init()
    rng = np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 256, (24, 20, 4), dtype=np.uint8), "RGBA")
    deep = Image.fromarray(rng.integers(0, 65536, (24, 20), dtype=np.uint16))
    modes = [colours.convert(mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "F")]
    exif = Image.Exif()
    exif[0x0112] = 6
    files = []
    for form in sorted(set(Image.SAVE) - {"PDF", "EPS", "ICNS"}):
        for image in (colours, colours.convert("RGB")) if form == "AVIF" else (*modes, deep):  # slow to write
            files += _written(image, form)
            if form in ("GIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP"):
                files += _written(image, form, exif=exif)
                files += _written(image, form, save_all=True, append_images=[image.rotate(90)])
    return list(dict.fromkeys(files))


def _written(image: Image.Image, form: str, **options: Any) -> list[bytes]:
    """The file, or nothing where the format does not take the mode."""
    buffer = io.BytesIO()
    try:
        image.save(buffer, form, **options)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SystemError):
        return []
    return [buffer.getvalue()]


def sounds() -> list[bytes]:
    """A short sound in every format that is read, and in others."""
    import soundfile

    wave = np.random.default_rng(0).normal(0, 0.1, 3000).clip(-1, 1)
    kinds = {"WAV": ("PCM_16", "PCM_24", "PCM_U8", "FLOAT", "IMA_ADPCM"), "WAVEX": ("PCM_16",), "RF64": ("PCM_16",)}
    kinds |= {"AIFF": ("PCM_16",), "FLAC": ("PCM_16", "PCM_24"), "OGG": ("VORBIS", "OPUS"), "MP3": ("MPEG_LAYER_III",)}
    kinds |= {"AU": ("PCM_16",), "CAF": ("PCM_16",), "W64": ("PCM_16",), "VOC": ("PCM_16",), "NIST": ("PCM_16",)}
    files = []
    for form, subtypes in kinds.items():
        for subtype in subtypes:
            for samples in (wave, np.stack([wave, -wave], 1)):
                buffer = io.BytesIO()
                soundfile.write(buffer, samples, 16_000, format=form, subtype=subtype)
                files.append(buffer.getvalue())
    return files


@st.composite
def changes(draw: st.DrawFn, names: tuple[str, ...]) -> list[tuple[str, str, Any]]:
    """What is done to some arrays of an HDF5 file."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(("replace", "remove", "group", "link", "values", "cast", "shape")))
        name = draw(st.sampled_from(names))
        value = draw(st.sampled_from(range(len(ODD_ARRAYS)))) if kind == "replace" else draw(st.integers(0, 2**31))
        made.append((kind, name, value))
    return made


def apply(file: h5py.File, kind: str, name: str, value: Any) -> None:
    """Change one array; what cannot be done is left."""
    node = file.get(name)
    if kind == "values" and isinstance(node, h5py.Dataset) and node.size:
        flat = node[()].ravel().copy()
        raw = flat.view(np.uint8) if flat.dtype.kind in "iuf" else None
        if raw is not None:
            raw[value % len(raw)] ^= 1 + value % 255
            node[...] = flat.reshape(node.shape)
        return
    before = node[()] if isinstance(node, h5py.Dataset) and node.shape is not None else np.zeros(3)
    if name in file:
        del file[name]
    if kind == "replace":
        file[name] = ODD_ARRAYS[value]
    elif kind == "group":
        file.create_group(name)["inside"] = 1
    elif kind == "link":
        file[name] = (h5py.SoftLink("/labels"), h5py.ExternalLink("nowhere.h5", "/x"), h5py.SoftLink(f"/{name}"))[
            value % 3
        ]
    elif kind == "cast":
        with np.errstate(invalid="ignore"):
            file[name] = np.asarray(before).astype(("f8", "i4", "u2", "S3")[value % 4], casting="unsafe")
    elif kind == "shape":
        file[name] = np.asarray(before).reshape(-1)[: value % 30][:, None]
