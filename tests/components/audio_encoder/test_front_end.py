"""Frames of frequencies against SciPy, slow loops and what a tone must give."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.signal import get_window, stft

from vsebench.components.audio_encoder._front_end import (
    FrontEnd,
    FrontOptions,
    magnitudes,
    mel_filters,
    normalised,
    num_frames,
)
from vsebench.core.errors import ConfigError
from vsebench.core.types import Waveforms

RATE, FRAME, HOP = 16_000, 400, 160
DEFAULTS: dict[str, Any] = {
    "features": "stft",
    "sample_rate": RATE,
    "max_seconds": 10.0,
    "highpass": None,
    "n_fft": FRAME,
    "hop": HOP,
    "frame_seconds": None,
    "mels": 40,
    "gain_db": 0.0,
    "shift_seconds": 0.0,
    "freq_masks": 0,
    "time_masks": 0,
    "mask_share": 0.2,
}


def options(**changes: Any) -> FrontOptions:
    return FrontOptions(**{**DEFAULTS, **changes})


def noise(count: int, length: int) -> torch.Tensor:
    return torch.randn(count, length, generator=torch.Generator().manual_seed(0))


def waveforms(values: torch.Tensor, *lengths: int) -> Waveforms:
    return Waveforms(values, torch.tensor(lengths or [values.shape[1]] * len(values)))


@pytest.mark.parametrize(("n_fft", "hop"), [(400, 160), (256, 256), (401, 100)])
def test_agrees_with_scipy(n_fft: int, hop: int) -> None:
    values = noise(2, 5000).double()
    window = get_window("hann", n_fft)
    _, _, wanted = stft(
        values.numpy(), window=window, nperseg=n_fft, noverlap=n_fft - hop, boundary=None, padded=False, detrend=False
    )
    wanted = np.abs(wanted).transpose(0, 2, 1) * window.sum()  # SciPy divides by the window's sum
    result = magnitudes(values, n_fft, hop)
    assert result.shape == wanted.shape == (2, 1 + (5000 - n_fft) // hop, n_fft // 2 + 1)
    np.testing.assert_allclose(result.numpy(), wanted, atol=1e-10)
    front = FrontEnd(options(n_fft=n_fft, hop=hop))(waveforms(values.float()))
    peak = values.float().abs().amax(1)[:, None, None].double().numpy()
    np.testing.assert_allclose(front.values.numpy(), np.log1p(wanted / peak), atol=1e-5)


@pytest.mark.parametrize("frequency", [90.0, 440.0, 1234.0, 7910.0])
def test_a_tone_peaks_in_its_bin(frequency: float) -> None:
    tone = torch.sin(2 * math.pi * frequency * torch.arange(RATE) / RATE)[None]
    result = FrontEnd(options())(waveforms(tone)).values[0]
    assert result.shape == (98, 201)
    assert (result.argmax(1) == round(frequency * FRAME / RATE)).all()


def test_mel_filters_are_triangles() -> None:
    result = mel_filters(40, FRAME, RATE)
    mel = [2595 * math.log10(1 + f / 700) for f in (0.0, RATE / 2)]
    corners = [700 * (10 ** ((mel[0] + (mel[1] - mel[0]) * i / 41) / 2595) - 1) for i in range(42)]
    for band in range(40):
        low, centre, high = corners[band : band + 3]
        for k in range(201):
            f = k * RATE / FRAME
            wanted = 0.0
            if low < f <= centre:
                wanted = (f - low) / (centre - low)
            elif centre < f < high:
                wanted = (high - f) / (high - centre)
            assert float(result[k, band]) == pytest.approx(wanted, abs=1e-6)


def test_log_mel_is_the_logarithm_of_the_bands_power() -> None:
    values = noise(1, 3000)
    result = FrontEnd(options(features="log_mel"))(waveforms(values)).values[0]
    power = magnitudes(values / values.abs().max(), FRAME, HOP)[0].square()
    wanted = torch.tensor([[float((power[t] * h).sum()) for h in mel_filters(40, FRAME, RATE).T] for t in range(17)])
    torch.testing.assert_close(result, ((1e-5 + wanted).log() + 2.5) / 5, atol=1e-4, rtol=1e-4)


def test_bands_that_no_bin_falls_into_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"mels \(128\): \d+ of the bands are narrower than the 40 Hz"):
        mel_filters(128, FRAME, RATE)
    assert mel_filters(128, 1024, RATE).sum(0).min() > 0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"hop": 401}, r"hop \(401\) must not be longer"),
        ({"highpass": 8000.0}, r"highpass \(8000 Hz\) must be below"),
        ({"frame_seconds": 0.02}, r"frame_seconds \(0.02 s, 320 samples\) must not be shorter than n_fft \(400\)"),
    ],
)
def test_what_is_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        options(**change)


def test_lengths() -> None:
    lengths = [0, 1, 399, 400, 559, 560, RATE]
    result = num_frames(torch.tensor(lengths), FRAME, HOP)
    assert result.tolist() == [0, 1, 1, 1, 1, 2, 98]
    values = noise(len(lengths), RATE)
    together = FrontEnd(options())(waveforms(values, *lengths))
    assert together.mask.sum(1).tolist() == result.tolist()
    for i, length in enumerate(lengths[1:], 1):
        alone = FrontEnd(options())(waveforms(values[i : i + 1, :length])).values[0]
        torch.testing.assert_close(together.values[i, : len(alone)], alone)
        assert not together.values[i, len(alone) :].any()


def test_each_second_begins_anew() -> None:
    """98 frames of 201 numbers for every second, as methods 1.6 has them, against a loop over seconds."""
    lengths = [3 * RATE, 2 * RATE + 600, RATE, 1, 0]
    values = noise(len(lengths), 3 * RATE)
    result = FrontEnd(options(frame_seconds=1.0))(waveforms(values, *lengths))
    assert result.values.shape == (len(lengths), 3 * 98, 201)
    assert result.mask.sum(1).tolist() == [294, 196 + 2, 98, 1, 0]
    for i, length in enumerate(lengths):
        sound = values[i, :length] / values[i, :length].abs().max() if length else values[i, :0]
        frames = []
        for start in range(0, length, RATE):
            second = torch.nn.functional.pad(sound[start : start + RATE], (0, max(0, FRAME - (length - start))))
            frames += [magnitudes(second[None], FRAME, HOP)[0].log1p()]
        wanted = torch.cat(frames) if frames else values.new_zeros(0, 201)
        torch.testing.assert_close(result.values[i, : len(wanted)], wanted)
        assert result.mask[i].tolist() == [True] * len(wanted) + [False] * (294 - len(wanted))


@pytest.mark.parametrize("features", ["stft", "log_mel"])
@pytest.mark.parametrize("junk", [1e6, float("nan"), float("inf")])
def test_what_stands_behind_the_end_changes_nothing(features: str, junk: float) -> None:
    front, values = FrontEnd(options(features=features)), noise(2, 2000)
    other = values.clone()
    other[0, 700:], other[1, :] = junk, junk
    result, wanted = (front(waveforms(v, 700, 0)) for v in (other, values))
    assert torch.equal(result.values, wanted.values)
    assert torch.equal(result.mask, wanted.mask)


@pytest.mark.parametrize("features", ["stft", "log_mel"])
def test_loudness_does_not_matter_and_silence_is_finite(features: str) -> None:
    front, values = FrontEnd(options(features=features)), noise(1, 1000)
    torch.testing.assert_close(
        front(waveforms(values)).values, front(waveforms(values / 500)).values, atol=1e-4, rtol=1e-4
    )
    assert normalised(waveforms(values)).abs().max() == 1
    silent = front(waveforms(torch.zeros(2, 1000)))
    assert silent.values.isfinite().all()
    assert silent.mask.all(1).all()


def test_half_precision_around_it_changes_nothing() -> None:
    front, sound = FrontEnd(options(features="log_mel")), waveforms(noise(1, 1000))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(front(sound).values, front(sound).values.float())
        result = front(sound).values
    assert result.dtype == torch.float32
    assert torch.equal(result, front(sound).values)


@pytest.mark.parametrize("change", [{"gain_db": 12.0}, {"shift_seconds": 0.05}, {"freq_masks": 2}, {"time_masks": 1}])
def test_sounds_change_in_training_alone_and_by_the_seed(change: dict[str, Any]) -> None:
    front, sound = FrontEnd(options(**change)), waveforms(noise(3, 4000), 4000, 2000, 0)
    plain = FrontEnd(options())(sound)
    assert torch.equal(front.eval()(sound).values, plain.values)
    front.train()
    torch.manual_seed(1)
    first = front(sound)
    torch.manual_seed(1)
    assert torch.equal(front(sound).values, first.values)
    assert not torch.equal(front(sound).values, first.values)
    assert torch.equal(first.mask, plain.mask)
    assert not torch.equal(first.values, plain.values)
    assert not first.values[2].any()
