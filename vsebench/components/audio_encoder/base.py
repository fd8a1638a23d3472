"""Audio encoders: waveforms to tokens over time."""

from __future__ import annotations

from dataclasses import asdict

from vsebench.components.encoder.base import Encoder
from vsebench.core.digests import digest
from vsebench.core.types import AudioPreprocessing, Tokens, Waveforms


class AudioEncoder(Encoder):
    """Turn mono waveforms into tokens; see :class:`Encoder` for its attributes.

    Attributes:
        sampling: how it wants its sounds.

    Shape: Waves (B, T) -> Tokens (B, N, D) in the order of time. Tokens do not depend on padding; a sound without a
    sample has no real token.
    """

    sampling: AudioPreprocessing

    def forward(self, waveforms: Waveforms) -> Tokens:
        """Encode a batch of sounds."""
        raise NotImplementedError(type(self).__name__)

    def input_digest(self) -> str:
        """Return what changes with the sampling."""
        return digest(asdict(self.sampling))
