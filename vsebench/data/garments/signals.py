"""The sound of a scanner at a packing station, in integer arithmetic only: the same samples on every machine.

Some beeps, each of which glides: upwards, downwards or not at all says how the garment is delivered. Pitch, number and
length of the beeps, pauses, timbre, loudness, hum and noise are drawn by themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from random import Random

import numpy as np

SAMPLE_RATE = 8000
TURN = 1 << 16  # one period of a tone, in units of its phase
FULL = 1 << 14  # largest value of a tone
#: Signal -> (first, last) frequency of a beep, in tenths of its pitch.
GLIDES: Mapping[str, tuple[int, int]] = {"rising": (8, 12), "falling": (12, 8), "level": (10, 10)}


def signal(glide: str, drowned: bool, rng: Random) -> np.ndarray:
    """Synthesise one recording; one that is ``drowned`` is noise of the same length. Shape: -> int16 (T,)."""
    pitch, square = rng.randrange(500, 1200), rng.randrange(9)
    length, pause = rng.randrange(560, 1000), rng.randrange(120, 400)
    parts = [np.zeros(rng.randrange(200, 1000), np.int64)]
    for _ in range(rng.randrange(2, 4)):
        parts += [_beep(glide, pitch, length, square), np.zeros(pause, np.int64)]
    clean = np.concatenate(parts)
    if drowned:
        clean = np.zeros_like(clean)
    hum = _tone(np.full(len(clean), rng.randrange(60, 180), np.int64), 0) * rng.randrange(1, 4) // 16
    noise = np.frombuffer(hashlib.shake_128(str(rng.getrandbits(64)).encode()).digest(len(clean)), np.uint8)
    level = 60 if drowned else rng.randrange(4, 28)
    mixed = clean + hum + (noise.astype(np.int64) - 128) * level
    samples: np.ndarray = np.clip(mixed * rng.randrange(6, 16) // 12, -32768, 32767)
    return samples.astype(np.int16)


def _beep(glide: str, pitch: int, length: int, square: int) -> np.ndarray:
    """One beep with soft ends. Shape: -> int64 (length,)."""
    first, last = (pitch * tenths // 10 for tenths in GLIDES[glide])
    place = np.arange(length, dtype=np.int64)
    loud = np.minimum(np.minimum(place, length - 1 - place), 80)
    return _tone(first + (last - first) * place // length, square) * loud // 80


def _tone(hertz: np.ndarray, square: int) -> np.ndarray:
    """Mix a triangle with eighths of a square wave. Shape: int64 (T,) -> int64 (T,), within ±FULL."""
    phase = np.cumsum(hertz * TURN // SAMPLE_RATE) % TURN
    triangle = np.abs(phase - TURN // 2) - TURN // 4
    sharp = np.where(phase < TURN // 2, FULL // 2, -FULL // 2)
    mixed: np.ndarray = (triangle * (8 - square) + sharp * square) // 8
    return mixed
