"""Letters that change places."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt, Le

from vsebench.components.corruption.base import Corruption
from vsebench.core.registry import CORRUPTIONS


@CORRUPTIONS.register(
    "swap",
    source="Belinkov and Bisk 2018, arXiv:1711.02173, its swaps",
    meaning={"text": "letters swapped by the probability of each pair"},
    axis={"text": "share of letters swapped"},
    title="letters swapped",
    unit="%",
)
class Swap(Corruption):
    """Swap each letter with the next one in its word with a probability, from left to right; none moves twice.

    The strength is that of the pairs of neighbours that are looked at; 0 leaves the text as it is.

    Example:
        >>> Swap().text("abcd e", 1.0, np.random.default_rng(0))
        'badc e'
    """

    def text(self, text: str, strength: Annotated[float, Gt(0), Le(1)], generator: np.random.Generator) -> str:
        """Return the text with some of its letters swapped."""
        if not strength:
            return text
        letters, at = list(text), 0
        while at < len(letters) - 1:
            pair = letters[at : at + 2]
            if not any(letter.isspace() for letter in pair) and generator.random() < strength:
                letters[at : at + 2] = pair[::-1]
                at += 1
            at += 1
        return "".join(letters)
