"""Builders, from files to pixels: depths, bombs and half sounds are noticed when a dataset is built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builder_layouts import picture, put, sound
from picture_files import encoded, tiff
from PIL import Image

from vsebench.core.errors import DataError
from vsebench.core.types import Preprocessing
from vsebench.data.dataset import Dataset
from vsebench.data.sound import encode_wav

Build = Callable[..., Dataset]
PLAIN = Preprocessing((24, 24), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "nearest")


def rows(root: Path, files: dict[str, bytes], column: str = "file_name") -> Path:
    """A folder with a metadata file: two classes, one text each."""
    lines = [f"{column},label,text"]
    for number, (name, content) in enumerate(files.items()):
        put(root / name, content)
        lines.append(f"{name},{'ab'[number % 2]},text {number}")
    put(root / "metadata.csv", "\n".join(lines))
    return root


def test_deep_pictures_are_those_of_8_bits(tmp_path: Path, build: Build) -> None:
    """16-bit grey was white: accuracy 1.000 became 0.333."""
    greys = [np.random.default_rng(i).integers(0, 256, (24, 24), dtype=np.uint8) for i in range(20)]
    files = {f"{i}.png": encoded(Image.fromarray(grey.astype(np.uint16) * 257), "PNG") for i, grey in enumerate(greys)}
    dataset = build("folder", rows(tmp_path / "in", files), id_column="file_name")
    for i, one in enumerate(dataset.ids):
        expected = greys[int(one.removesuffix(".png"))]
        assert np.array_equal(dataset.image(i, PLAIN), np.stack([expected] * 3))
    assert not any("nearly black" in note for note in dataset.provenance["notes"])


def test_twelve_bits_in_sixteen_are_noted(tmp_path: Path, build: Build) -> None:
    deep = [np.random.default_rng(i).integers(0, 4096, (24, 24), dtype=np.uint16) for i in range(20)]
    files = {f"{i}.png": encoded(Image.fromarray(values), "PNG") for i, values in enumerate(deep)}
    notes = build("folder", rows(tmp_path / "in", files), id_column="file_name").provenance["notes"]
    assert any(note.startswith("20 images are nearly black (no value is an eighth of white)") for note in notes)


def test_bad_pictures_are_all_named(tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_MAX_PIXELS", "2000")
    files = {f"{i}.png": picture(i, (24, 24), "PNG") for i in range(20)}
    files["bomb.png"] = picture(0, (50, 50), "PNG")
    files["float.tiff"] = tiff(np.full(64, 200, "<f4").tobytes(), bits=32, sample_format=3)
    files["half.jpg"] = picture(1, (24, 24), "JPEG")[:400]
    with pytest.raises(DataError) as error:
        build("folder", rows(tmp_path / "in", files), id_column="file_name")
    text = str(error.value)
    assert "image 'bomb.png': image has 2,500 pixels; at most 2,000 are read ($VSEBENCH_MAX_PIXELS changes it)" in text
    assert "image 'float.tiff': image cannot be decoded (float pixels are read from 0 (black) to 1 (white)" in text
    assert "image 'half.jpg': image cannot be decoded (" in text
    assert len(text.splitlines()) == 4


def test_half_sounds_are_named(tmp_path: Path, build: Build) -> None:
    """The header was read alone, so that half files and NaN failed at the first run."""
    import io

    import soundfile

    files = {f"{i}.wav": sound(i) for i in range(20)}
    buffer = io.BytesIO()
    soundfile.write(buffer, np.full(2000, np.nan, np.float32), 8000, format="WAV", subtype="FLOAT")
    mp3 = io.BytesIO()
    soundfile.write(mp3, np.random.default_rng(0).normal(0, 0.1, 16_000).clip(-1, 1), 16_000, format="MP3")
    files["nan.wav"] = buffer.getvalue()
    files["half.mp3"] = mp3.getvalue()[: len(mp3.getvalue()) // 2]
    files["half.wav"] = sound(3)[:500]
    files["empty.wav"] = encode_wav(np.zeros(0), 8000)
    files["fast.wav"] = sound(1)[:24] + (2_000_000_000).to_bytes(4, "little") + sound(1)[28:]
    with pytest.raises(DataError) as error:
        build("audio", rows(tmp_path / "in", files))
    text = str(error.value)
    for message in (
        "audio 'nan.wav': sound holds NaN or infinite samples",
        "audio 'half.mp3': sound is cut short: ",
        "audio 'half.wav': sound is cut short: 456 of 800 bytes of samples",
        "audio 'empty.wav' has no samples",
        "audio 'fast.wav': sound has 2,000,000,000 samples a second; at most 768,000 are read",
    ):
        assert message in text, text
    assert len(text.splitlines()) == 6
