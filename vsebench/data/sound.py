"""Encoded sounds to waveforms."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from vsebench.data._containers import whole
from vsebench.data.limits import BYTES_A_SAMPLE, LOWEST_SAMPLE_RATE, ROOM, SAMPLE_RATE, SAMPLES, SECONDS

FORMATS = ("WAV", "WAVEX", "RF64", "AIFF", "FLAC", "OGG", "MP3")
BLOCK = 1 << 16  # samples a channel that are decoded at a time
LOUDEST = 100  # of floats, which may be a little above 1; 32768 are integers that were not divided
LARGEST_RATIO = 100_000
UNKNOWN = 1 << 62  # libsndfile's number of samples where the file says none


@dataclass(frozen=True)
class SoundInfo:
    """What a sound file says of itself.

    Args:
        sample_rate: in Hz.
        frames: samples per channel.
        channels: 1 is mono.
        kind: container and sample format, ``WAV PCM_16``.
    """

    sample_rate: int
    frames: int
    channels: int
    kind: str

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


def sound_info(data: bytes) -> SoundInfo:
    """Read the header of a WAV, FLAC, OGG, AIFF or MP3 file, and compare it with the limits.

    Raises: OSError when it is none of these, cut short as far as its container shows, or larger than the limits of
    :mod:`vsebench.data.limits`.
    """
    with _opened(data) as (_, info):
        return info


def load_sound(data: bytes, sample_rate: int | None = None) -> np.ndarray:
    """Decode to the end, average the channels, and resample. Shape: -> float32 (T,), in [-1, 1]; T may be 0.

    Resampling is polyphase with an anti-aliasing filter (``scipy.signal.resample_poly``), by :func:`resampling_ratio`.

    Args:
        data: bytes of a WAV, FLAC, OGG, AIFF or MP3 file of any bit depth.
        sample_rate: in Hz; None keeps the file's own.

    Raises: OSError as :func:`sound_info` does, and when it cannot be decoded, or holds values that are not finite or
    far outside -1 to 1.
    """
    with _opened(data) as (file, info), ROOM.taken(BYTES_A_SAMPLE * info.frames):
        mono = _decoded(file, info)
        if sample_rate is None or info.sample_rate == sample_rate or not len(mono):
            return mono
        from scipy.signal import resample_poly

        return np.asarray(resample_poly(mono, *resampling_ratio(info.sample_rate, sample_rate)), np.float32)


def resampling_ratio(before: int, after: int) -> tuple[int, int]:
    """By what to multiply a sample rate, and by what to divide it then.

    The filter of the resampling is twenty times as long as the larger number: 31 s for a sound of 767,999 Hz. Rates
    without a common divisor get the nearest ratio of numbers up to 100,000, less than five samples in a million off.

    Example:
        >>> resampling_ratio(44_100, 16_000), resampling_ratio(767_999, 16_000)
        ((160, 441), (1, 48))
    """
    ratio = Fraction(min(before, after), max(before, after)).limit_denominator(LARGEST_RATIO)
    return (ratio.numerator, ratio.denominator) if after < before else (ratio.denominator, ratio.numerator)


@contextmanager
def _opened(data: bytes) -> Iterator[tuple[Any, SoundInfo]]:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(whole(data))) as file:
            kind = f"{file.format} {file.subtype}"
            yield file, _within_limits(SoundInfo(int(file.samplerate), int(file.frames), int(file.channels), kind))
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise OSError(f"sound cannot be decoded ({_said(error)})") from error


def _within_limits(info: SoundInfo) -> SoundInfo:
    if info.kind.split()[0] not in FORMATS or (info.kind.startswith(("WAV", "RF64")) and "MPEG" in info.kind):
        raise OSError(f"sound is of a kind that is not read ({info.kind}); save it as WAV or FLAC")
    if info.frames >= UNKNOWN:
        raise OSError("sound does not say how long it is; encode it again")
    if info.sample_rate < LOWEST_SAMPLE_RATE:
        raise OSError(f"sound has {info.sample_rate} samples a second; at least {LOWEST_SAMPLE_RATE:,} are needed")
    sizes = ((SAMPLE_RATE, info.sample_rate), (SECONDS, info.seconds), (SAMPLES, info.frames * info.channels))
    for limit, size in sizes:
        if size > limit.value():
            raise OSError(f"sound has {limit.refuse(size)}")
    return info


def _decoded(file: Any, info: SoundInfo) -> np.ndarray:
    mono = np.empty(info.frames, np.float32)
    done = 0
    while done < info.frames:
        block = file.read(min(BLOCK, info.frames - done), dtype="float32", always_2d=True)
        if not len(block):
            raise OSError(f"sound is cut short: {done:,} of {info.frames:,} samples")
        if not np.isfinite(block).all():
            raise OSError("sound holds NaN or infinite samples")
        if np.abs(block).max() > LOUDEST:
            raise OSError(f"sound holds samples up to {np.abs(block).max():g}; floats are read from -1 to 1")
        mono[done : done + len(block)] = block.mean(1)
        done += len(block)
    return mono


def highpass(samples: np.ndarray, sample_rate: int, cutoff: float) -> np.ndarray:
    """Damp what lies below a frequency: a Butterworth filter of order 4, run once, forwards.

    Args:
        samples: float (n,), of one channel.
        sample_rate: in Hz.
        cutoff: in Hz, where a tone loses 3 dB; below half of the sample rate.

    Shape: (T,) -> float32 (T,); T may be 0.

    Example:
        >>> hum = np.ones(16000, np.float32)  # 0 Hz
        >>> bool(abs(highpass(hum, 16000, 80.0)[-1]) < 1e-3)
        True
    """
    if not len(samples):
        return samples
    from scipy.signal import butter, sosfilt

    return np.asarray(sosfilt(butter(4, cutoff, "highpass", fs=sample_rate, output="sos"), samples), np.float32)


def encode_wav(samples: np.ndarray, sample_rate: int) -> bytes:
    """Write a mono 16-bit WAV file. Integers are kept as they are; floats in [-1, 1] are rounded to 16 bits.

    Example:
        >>> data = encode_wav(np.array([0, 100, -100], np.int16), 8000)
        >>> sound_info(data).frames, (load_sound(data) * 32768).astype(int).tolist()
        (3, [0, 100, -100])
    """
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def _said(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).strip().rstrip(".")
