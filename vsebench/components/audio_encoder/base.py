"""Audio encoders: waveforms to tokens over time."""

from __future__ import annotations

from typing import Any

from torch import nn

from vsebench.core.types import Sampling, Tokens, Waves
from vsebench.ops.freezing import weights_digest


class AudioEncoder(nn.Module):
    """Turn mono waveforms into tokens.

    Attributes:
        dim_out: D, size of a token.
        cut: always None: no audio encoder is cut where its frozen stages end.
        frozen: True when no parameter takes a gradient and the module runs in eval mode for good.
        origin: repository and commit of the hub that its weights come from (``model``, ``commit``), recorded with a
            run; None where they come from elsewhere.
        sampling: how it wants its sounds.

    Shape: Waves (B, T) -> Tokens (B, N, D) in the order of time. Tokens do not depend on padding; a sound without a
    sample has no real token.
    """

    dim_out: int
    frozen: bool
    cut: Any = None
    origin: dict[str, str] | None = None
    sampling: Sampling

    def forward(self, waves: Waves) -> Tokens:
        """Encode a batch of sounds."""
        raise NotImplementedError(type(self).__name__)

    def weights_digest(self) -> str:
        """Return a digest of all weights and buffers; part of the key of cached Tokens."""
        return weights_digest(self)
