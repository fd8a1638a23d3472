"""Sounds as batches: what is read of files of every kind."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import butter, sosfilt
from sounding import RATE, tone, write

from vsebench.core.errors import DataError
from vsebench.core.types import AudioPreprocessing
from vsebench.engine import inputs as sources
from vsebench.engine.inputs import Sounds, prepared


def encoded(samples: np.ndarray, rate: int, subtype: str = "PCM_16", kind: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def wave(rate: int, seconds: float = 0.5) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)


def sounds(path: Path, data: bytes | None, sampling: AudioPreprocessing) -> Sounds:
    dataset = write(path, complete=True, audio=lambda i: data if i == 7 else tone(i))
    positions = np.arange(len(dataset))
    return Sounds(dataset, positions, sampling, dataset.sound_seconds(positions))


@pytest.mark.parametrize(
    ("rate", "subtype", "channels"),
    [(16_000, "PCM_16", 1), (96_000, "PCM_16", 1), (44_100, "PCM_24", 2), (16_000, "PCM_U8", 1), (8_000, "FLOAT", 2)],
)
def test_files_of_every_kind_give_the_same_sound(tmp_path: Path, rate: int, subtype: str, channels: int) -> None:
    loudness = np.linspace(0.5, 1.5, channels) if channels > 1 else np.ones(1)  # of each channel; 1 on average
    samples = wave(rate)[:, None] * loudness
    result = sounds(tmp_path / "a.h5", encoded(samples, rate, subtype), AudioPreprocessing(16_000)).take(np.array([7]))
    assert result.lengths.tolist() == [8000]
    wanted = torch.from_numpy(wave(16_000)).float()
    inner = slice(200, -200)  # a resampled sound rings at its ends
    torch.testing.assert_close(result.values[0][inner], wanted[inner], atol=0.01, rtol=0)


@pytest.mark.parametrize("data", [None, encoded(np.zeros(0), RATE), encoded(np.zeros((0, 2)), 96_000)])
def test_a_sound_of_no_samples_is_none(tmp_path: Path, data: bytes | None) -> None:
    source = sounds(tmp_path / "a.h5", data, AudioPreprocessing(RATE))
    assert source.seconds[7] == 0
    result = source.take(np.array([7, 8]))
    assert result.lengths[0] == 0
    assert result.lengths[1] > 0
    assert not result.values[0].any()


@pytest.mark.parametrize("data", [b"no sound at all", encoded(wave(RATE), RATE)[:30]])
def test_a_header_that_cannot_be_read(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match=r"1 of 90 sounds cannot be read\.\n  item 'item-7': sound (cannot be|is cut)"):
        sounds(tmp_path / "a.h5", data, AudioPreprocessing(RATE))


def test_a_sound_that_is_not_finite(tmp_path: Path) -> None:
    samples = np.array([0.1, np.nan, 0.2] * 50)
    source = sounds(tmp_path / "a.h5", encoded(samples, RATE, "FLOAT"), AudioPreprocessing(RATE))
    with pytest.raises(DataError, match="item 'item-7': sound holds NaN or infinite samples"):
        source.take(np.array([6, 7]))


def test_batches_do_not_depend_on_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, positions = write(tmp_path / "a.h5"), np.array([4, 3, 8, 0, 5])
    seconds = dataset.sound_seconds(positions)
    assert seconds.tolist() == [0.06, 0, 0, 0.05, 0.0625]
    selected = Sounds(dataset, positions, AudioPreprocessing(RATE), seconds)
    monkeypatch.setattr(sources, "PIXEL_MEMORY", 10)
    read = Sounds(dataset, positions, AudioPreprocessing(RATE), seconds)
    assert selected.cache is not None
    assert read.cache is None
    for rows in ([2, 0, 4, 0], [1, 2], [3]):
        one, other, again = (source.take(np.array(rows)) for source in (selected, read, selected))
        assert torch.equal(one.values, other.values)
        assert torch.equal(one.values, again.values)
        assert torch.equal(one.lengths, other.lengths)
        for i, row in enumerate(rows):
            if seconds[row]:
                current = torch.from_numpy(dataset.audio(int(positions[row]), RATE))
                assert torch.equal(one.values[i, : one.lengths[i]], current)
            assert not one.values[i, one.lengths[i] :].any()


def test_sounds_are_cut_and_filtered() -> None:
    hum = np.sin(2 * np.pi * 20 * np.arange(RATE) / RATE).astype(np.float32)
    assert len(prepared(hum, AudioPreprocessing(RATE, max_seconds=0.25))) == RATE // 4
    filtered = prepared(hum, AudioPreprocessing(RATE, highpass=80.0))
    wanted = sosfilt(butter(4, 80.0, "highpass", fs=RATE, output="sos"), hum)
    np.testing.assert_allclose(filtered, wanted, atol=1e-6)
    assert np.abs(filtered[RATE // 2 :]).max() < 0.01
    assert prepared(np.zeros(0, np.float32), AudioPreprocessing(RATE, highpass=80.0)).shape == (0,)
