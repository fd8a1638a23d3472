"""Waveforms to frames of frequencies: what the encoders that are trained from scratch have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.audio_encoder._augment import gain, shift, spec_mask
from vsebench.core.errors import ConfigError
from vsebench.core.shared_options import SharedOptions
from vsebench.core.types import AudioPreprocessing, Tokens, Waveforms

Features = Literal["stft", "log_mel"]
#: What is added to the power of a mel band before the logarithm: 90 dB below that of a full-scale tone, about 1e4.
FLOOR = 1e-5
#: Mean and deviation of ln(FLOOR + power) over spoken digits at peak 1, rounded; they bring bands near N(0, 1).
MEL_MEAN, MEL_DEVIATION = -2.5, 5.0


@dataclass(frozen=True)
class FrontOptions(SharedOptions):
    """How encoders over frames make them of a waveform.

    Args:
        features: ``stft`` (n_fft // 2 + 1 magnitudes) or ``log_mel`` (``mels`` bands).
        sample_rate: in Hz, to which sounds are resampled, > 0.
        max_seconds: samples after it are cut, > 0.
        highpass: in Hz, damps hum and wind below it (Butterworth, order 4), > 0; the source takes 80. Null leaves it.
        n_fft: samples of a frame, > 1.
        hop: samples from one frame to the next, > 0, <= n_fft.
        frame_seconds: the transform begins anew after each stretch of this length, > 0; 1 in the source. Null runs on.
        mels: bands of ``log_mel``, > 0.
        gain_db: in training, each sound is louder or softer by up to this many decibels, in [0, 60].
        shift_seconds: in training, each sound is moved in time by up to this, >= 0.
        freq_masks: in training, number of bands that are blanked (SpecAugment), >= 0.
        time_masks: the same of stretches of frames.
        mask_share: the most of all bands, or of a sound's frames, that one mask blanks, in [0, 1].

    Raises: ConfigError if ``hop`` is longer than ``n_fft``, ``n_fft`` than ``frame_seconds``, or ``highpass`` not below
        half of the sample rate.
    """

    features: Features = "log_mel"
    sample_rate: Annotated[int, Gt(0)] = 16_000
    max_seconds: Annotated[float, Gt(0)] = 10.0
    highpass: Annotated[float, Gt(0)] | None = None
    n_fft: Annotated[int, Gt(1)] = 400
    hop: Annotated[int, Gt(0)] = 160
    frame_seconds: Annotated[float, Gt(0)] | None = None
    mels: Annotated[int, Gt(0)] = 64
    gain_db: Annotated[float, Ge(0), Le(60)] = 0.0
    shift_seconds: Annotated[float, Ge(0)] = 0.0
    freq_masks: Annotated[int, Ge(0)] = 0
    time_masks: Annotated[int, Ge(0)] = 0
    mask_share: Annotated[float, Ge(0), Le(1)] = 0.2

    def __post_init__(self) -> None:
        if self.hop > self.n_fft:
            raise ConfigError(
                f"hop ({self.hop}) must not be longer than a frame, n_fft ({self.n_fft}): samples between frames would "
                "be lost.",
                path=("hop",),
            )
        if self.stretch is not None and self.stretch < self.n_fft:
            raise ConfigError(
                f"frame_seconds ({self.frame_seconds:g} s, {self.stretch} samples) must not be shorter than n_fft "
                f"({self.n_fft}).",
                path=("frame_seconds",),
            )
        if self.highpass is not None and self.highpass >= self.sample_rate / 2:
            raise ConfigError(
                f"highpass ({self.highpass:g} Hz) must be below half of the sample rate ({self.sample_rate / 2:g} Hz).",
                path=("highpass",),
            )

    @property
    def stretch(self) -> int | None:
        """Samples after which the transform begins anew; None where it runs on."""
        return None if self.frame_seconds is None else round(self.frame_seconds * self.sample_rate)

    @property
    def sampling(self) -> AudioPreprocessing:
        """How sounds are read for it."""
        return AudioPreprocessing(self.sample_rate, self.max_seconds, self.highpass)


def num_frames(lengths: Tensor, n_fft: int, hop: int) -> Tensor:
    """1 + ⌊(T - n_fft) / hop⌋ whole frames; one of a shorter sound, none of one without a sample.

    Shape: (B,) -> (B,).
    """
    whole = 1 + torch.div(lengths - n_fft, hop, rounding_mode="floor")
    return whole.clamp(min=1).masked_fill(lengths == 0, 0)


def num_frames_anew(lengths: Tensor, n_fft: int, hop: int, stretch: int) -> Tensor:
    """Frames of whole stretches and of the rest, none of which lies across a border. Shape: (B,) -> (B,)."""
    each = 1 + (stretch - n_fft) // hop
    return lengths // stretch * each + num_frames(lengths % stretch, n_fft, hop)


def magnitudes(values: Tensor, n_fft: int, hop: int) -> Tensor:
    """|X| of the short-time Fourier transform: one-sided, Hann window, frames from the first sample on, not centred.

        X_lk = Σ_t w_t x_{l·hop + t} exp(-2πi kt / n_fft),  w_t = ½ (1 - cos(2πt / n_fft))

    Shape: (B, T), T >= n_fft -> (B, L, n_fft // 2 + 1).
    """
    window = torch.hann_window(n_fft, periodic=True, dtype=values.dtype, device=values.device)
    magnitudes: Tensor = torch.fft.rfft(values.unfold(1, n_fft, hop) * window).abs()
    return magnitudes


def mel_filters(mels: int, n_fft: int, sample_rate: int) -> Tensor:
    """Triangles of height 1 whose corners are evenly spaced on the mel scale from 0 Hz to half of the sample rate.

        mel(f) = 2595 log10(1 + f / 700)

    Source: O'Shaughnessy 1987, as HTK and torchaudio's default have it.

    Shape: -> (n_fft // 2 + 1, mels).

    Raises: ConfigError for bands that are so narrow that no bin falls into them.
    """
    top = 2595.0 * math.log10(1.0 + sample_rate / 2 / 700.0)
    corners = 700.0 * (10 ** (torch.linspace(0.0, top, mels + 2, dtype=torch.float64) / 2595.0) - 1.0)  # Hz
    bins = torch.linspace(0.0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)[:, None]
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    filters = torch.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)).clamp(min=0)
    empty = int((filters.sum(0) == 0).sum())
    if empty:
        raise ConfigError(
            f"mels ({mels}): {empty} of the bands are narrower than the {sample_rate / n_fft:g} Hz between two "
            f"frequencies of n_fft {n_fft}. Choose fewer mels or a longer n_fft.",
            path=("mels",),
        )
    return filters.float()


def normalised(waveforms: Waveforms) -> Tensor:
    """x / max(|x|, 1e-8), and zeros behind the end. Shape: (B, T) -> (B, T)."""
    real = torch.arange(waveforms.values.shape[1], device=waveforms.values.device) < waveforms.lengths[:, None]
    values = waveforms.values.masked_fill(~real, 0.0)
    peak = values.abs().amax(1, keepdim=True) if values.shape[1] else values.new_zeros(len(values), 1)
    return values / peak.clamp(min=1e-8)


class FrontEnd(nn.Module):
    """Waveforms to frames, in float32 whatever the precision.

        x ← x / max(|x|, 1e-8);  stft: ln(1 + |X|);  log_mel: (ln(1e-5 + Σ_k H_km |X_k|²) - μ) / σ

    Only whole frames count; a sound that is shorter than one is padded with silence. With ``frame_seconds`` they begin
    anew after each stretch of that length, L_c = 1 + ⌊(stretch - n_fft) / hop⌋ of each, one after another. In training,
    gain and shift change the waveform after it is normalised, and masks change the frames.

    Attributes:
        dim_out: F, numbers of a frame.

    Shape: Waves (B, T) -> Tokens (B, L, F), L = 1 + ⌊(T - n_fft) / hop⌋.
    """

    filters: Tensor

    def __init__(self, options: FrontOptions) -> None:
        super().__init__()
        self.options = options
        self.dim_out = options.n_fft // 2 + 1
        if options.features == "log_mel":
            filters = mel_filters(options.mels, options.n_fft, options.sample_rate)
            self.register_buffer("filters", filters, persistent=False)
            self.dim_out = options.mels

    def forward(self, waveforms: Waveforms) -> Tokens:
        """Frames; zeros behind a sound's end."""
        with torch.autocast(waveforms.values.device.type, enabled=False):
            return self._frames(waveforms)

    def _frames(self, waveforms: Waveforms) -> Tokens:
        o = self.options
        values = normalised(waveforms)
        if self.training and o.gain_db:
            values = gain(values, o.gain_db)
        if self.training and o.shift_seconds:
            values = shift(values, waveforms.lengths, round(o.shift_seconds * o.sample_rate))
        result, counts = self._transformed(values, waveforms.lengths)
        if o.features == "stft":
            result = result.log1p()
        else:
            result = ((FLOOR + result.square() @ self.filters).log() - MEL_MEAN) / MEL_DEVIATION
        if self.training and (o.freq_masks or o.time_masks):
            masks = {"freq_masks": o.freq_masks, "time_masks": o.time_masks}
            result = spec_mask(result, counts, **masks, share=o.mask_share)
        mask = torch.arange(result.shape[1], device=result.device) < counts[:, None]
        return Tokens(result.masked_fill(~mask[:, :, None], 0.0), mask)

    def _transformed(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Magnitudes (B, L, n_fft // 2 + 1), and how many frames each sound has, which come first."""
        o = self.options
        if o.stretch is None:
            values = F.pad(values, (0, max(0, o.n_fft - values.shape[1])))
            return magnitudes(values, o.n_fft, o.hop), num_frames(lengths, o.n_fft, o.hop)
        stretches = max(1, math.ceil(values.shape[1] / o.stretch))
        values = F.pad(values, (0, stretches * o.stretch - values.shape[1]))
        result = magnitudes(values.reshape(-1, o.stretch), o.n_fft, o.hop)
        joined = result.reshape(len(values), -1, result.shape[-1])
        return joined, num_frames_anew(lengths, o.n_fft, o.hop, o.stretch)
