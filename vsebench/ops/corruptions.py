"""Damage to single inputs, at stated strengths: pictures, texts, sounds, precomputed features.

Each draws from a generator of its own (:func:`generator_of`), so that what happens to an item depends on nothing but
the seed, the item, the kind and the strength: not on the batch, and not on the model that is shown it.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

GREY = 128


def generator_of(seed: int, item: int, kind: str, strength: float, part: int = 0) -> np.random.Generator:
    """The random numbers of one item's damage.

    Args:
        item: its position in the dataset.
        part: which of its parts, such as a caption's number.
    """
    said = f"{seed}/{item}/{part}/{kind}/{float(strength)!r}"
    return np.random.default_rng(np.frombuffer(hashlib.sha256(said.encode()).digest(), np.uint32))


def noisy_pixels(pixels: np.ndarray, std: float, generator: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise to every channel of every pixel, clip and round to 8 bits.

        x' = round(255 · clip(x / 255 + std · n, 0, 1)),  n ~ N(0, 1)

    Args:
        std: in units of pixels in [0, 1]; 0 leaves the picture as it is.

    Shape: uint8, any -> the same.
    """
    if not std:
        return pixels
    noise = generator.standard_normal(pixels.shape, np.float32)
    changed: np.ndarray = np.rint(np.clip(pixels + np.float32(255 * std) * noise, 0, 255)).astype(np.uint8)
    return changed


def occluded_pixels(pixels: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Cover a grey rectangle of the picture's proportions, at a random place that lies inside.

    Args:
        share: of the area, in [0, 1]; sides are rounded to whole pixels.

    Shape: uint8 (…, H, W) -> the same.
    """
    height, width = pixels.shape[-2:]
    rows, columns = (round(math.sqrt(share) * side) for side in (height, width))
    top, left = (int(generator.integers(side - cover + 1)) for side, cover in ((height, rows), (width, columns)))
    changed = pixels.copy()
    changed[..., top : top + rows, left : left + columns] = GREY
    return changed


def without_words(text: str, rate: float, generator: np.random.Generator) -> str:
    """Leave out each word (what stands between white space) with a probability.

    Where none would be left one word, drawn evenly, stays: a text without words would be a missing text, which is
    another thing to measure.

    Args:
        rate: in [0, 1]; 0 leaves the text as it is, 1 leaves one word.

    Example:
        >>> without_words("a red hat", 1.0, np.random.default_rng(0)) in ("a", "red", "hat")
        True
    """
    words = text.split()
    if not rate or not words:
        return text
    kept = generator.random(len(words)) >= rate
    if not kept.any():
        kept[generator.integers(len(words))] = True
    return " ".join(word for word, stays in zip(words, kept, strict=True) if stays)


def with_swapped_letters(text: str, rate: float, generator: np.random.Generator) -> str:
    """Swap each letter with the next one in its word with a probability, from left to right; none moves twice.

    Args:
        rate: of the pairs of neighbours that are looked at, in [0, 1]; 0 leaves the text as it is.

    Example:
        >>> with_swapped_letters("abcd e", 1.0, np.random.default_rng(0))
        'badc e'
    """
    if not rate:
        return text
    letters, at = list(text), 0
    while at < len(letters) - 1:
        pair = letters[at : at + 2]
        if not any(one.isspace() for one in pair) and generator.random() < rate:
            letters[at : at + 2] = pair[::-1]
            at += 1
        at += 1
    return "".join(letters)


def noisy_sound(samples: np.ndarray, snr: float, generator: np.random.Generator) -> np.ndarray:
    """Add white Gaussian noise of a stated power relative to the sound's own.

        x' = x + a n,  a = sqrt(mean(x²) / (mean(n²) 10^(snr/10))),  n ~ N(0, 1)

    The ratio holds for the very noise that was drawn. Silence has no power that noise could be relative to, and stays.
    Nothing is clipped.

    Args:
        snr: in dB; infinity leaves the sound as it is.

    Shape: float (T,) -> float32 (T,); T may be 0.
    """
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    if not power or math.isinf(snr):
        return samples
    noise = generator.standard_normal(len(samples))
    scale = math.sqrt(power / float(np.mean(noise * noise)) / 10 ** (snr / 10))
    return (samples + scale * noise).astype(np.float32)


def noisy_features(values: np.ndarray, strength: float, std: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise to precomputed features, each dimension by its own spread: x' = x + strength · std ⊙ n.

    Args:
        strength: in units of ``std``; 0 leaves the features as they are.
        std: (D,), of each dimension over a dataset's items.

    Shape: float (N, D) -> float32 (N, D).
    """
    if not strength:
        return values
    noise = generator.standard_normal(values.shape, np.float32)
    return (values + np.float32(strength) * std.astype(np.float32) * noise).astype(np.float32)
