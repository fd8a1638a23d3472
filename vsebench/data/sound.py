"""Encoded sounds to waveforms."""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import gcd

import numpy as np


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
    """Read the header of a WAV, FLAC, OGG, AIFF or MP3 file.

    Raises: OSError when it is none of these.
    """
    import soundfile

    try:
        found = soundfile.info(io.BytesIO(data))
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise OSError(f"sound cannot be decoded ({_said(error)})") from error
    return SoundInfo(int(found.samplerate), int(found.frames), int(found.channels), f"{found.format} {found.subtype}")


def load_sound(data: bytes, sample_rate: int | None = None) -> np.ndarray:
    """Decode, average the channels, and resample. Shape: -> float32 (T,), in [-1, 1]; T may be 0.

    Resampling is polyphase with an anti-aliasing filter (``scipy.signal.resample_poly``).

    Args:
        data: bytes of a WAV, FLAC, OGG, AIFF or MP3 file of any bit depth.
        sample_rate: in Hz; None keeps the file's own.

    Raises: OSError when it cannot be decoded, is cut short, or holds values that are not finite.
    """
    import soundfile

    info = sound_info(data)
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise OSError(f"sound cannot be decoded ({_said(error)})") from error
    if len(samples) < info.frames:
        raise OSError(f"sound is cut short: {len(samples)} of {info.frames} samples")
    if not np.isfinite(samples).all():
        raise OSError("sound holds NaN or infinite samples")
    mono: np.ndarray = samples.mean(1)
    if sample_rate is None or rate == sample_rate or not len(mono):
        return mono
    from scipy.signal import resample_poly

    shared = gcd(sample_rate, int(rate))
    return np.asarray(resample_poly(mono, sample_rate // shared, int(rate) // shared), np.float32)


def highpass(samples: np.ndarray, sample_rate: int, cutoff: float) -> np.ndarray:
    """Damp what lies below a frequency: a Butterworth filter of order 4, run once, forwards.

    Args:
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
    """A mono 16-bit WAV file. Integers are kept as they are; floats in [-1, 1] are rounded to 16 bits.

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
