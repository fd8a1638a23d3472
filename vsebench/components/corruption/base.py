"""What a corruption is: a method for each modality that it changes."""

from __future__ import annotations

import hashlib
import typing
from typing import Any

import numpy as np


class Corruption:
    """A change of one input at a stated strength.

    A corruption has a method for each modality that its registration gives a ``meaning`` of:

        image(pixels, strength, generator) -> pixels        uint8 (3, H, W), of the size that the encoder gets
        text(text, strength, generator) -> text
        audio(samples, strength, generator) -> samples      float (T,), T may be 0
        features(values, strength, std, generator)          float (N, D), std (D,) of each dimension over the items

    The annotation of ``strength`` says which strengths an experiment may ask for. All draws come from the generator,
    and what is given is not changed.
    """


def strength_type(corruption: type[Corruption], modality: str) -> Any:
    """Return the annotation of a corruption's strength.

    Args:
        corruption: its class.
        modality: or ``features``.
    """
    return typing.get_type_hints(getattr(corruption, modality), include_extras=True)["strength"]


def generator_of(seed: int, item: int, kind: str, strength: float, part: int = 0) -> np.random.Generator:
    """Return the random numbers of one item's corruption.

    They depend on nothing else: not on the batch, and not on the model that is shown the item.

    Args:
        seed: of the measurement.
        item: its position in the dataset.
        kind: the corruption's name.
        strength: of the corruption.
        part: which of its parts, such as a caption's number.
    """
    text = f"{seed}/{item}/{part}/{kind}/{float(strength)!r}"
    return np.random.default_rng(np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint32))
