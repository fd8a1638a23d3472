"""Words left out."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt, Le

from vsebench.components.corruption.base import Corruption
from vsebench.core.registry import CORRUPTIONS


@CORRUPTIONS.register(
    "dropout",
    source="own; random deletion as in Wei and Zou 2019, arXiv:1901.11196",
    meaning={"text": "words lost by the probability of each"},
    axis={"text": "share of words lost"},
    title="words lost",
    unit="%",
)
class Dropout(Corruption):
    """Leave out each word (what stands between white space) with a probability, which is the strength.

    Where none would be left one word, drawn evenly, stays: a text without words would be a missing text, which is
    another thing to measure. Strength 0 leaves the text as it is.

    Example:
        >>> Dropout().text("a red hat", 1.0, np.random.default_rng(0)) in ("a", "red", "hat")
        True
    """

    def text(self, text: str, strength: Annotated[float, Gt(0), Le(1)], generator: np.random.Generator) -> str:
        """Return the text without some of its words."""
        words = text.split()
        if not strength or not words:
            return text
        stays = generator.random(len(words)) >= strength
        if not stays.any():
            stays[generator.integers(len(words))] = True
        return " ".join(word for word, stay in zip(words, stays, strict=True) if stay)
