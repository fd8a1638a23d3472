"""Convolutions over frames, then a recurrent network over time."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from torch import nn

from vsebench.components.audio_encoder._blocks import Blocks
from vsebench.components.audio_encoder._front_end import FrontOptions
from vsebench.components.audio_encoder._over_frames import FrameEncoder
from vsebench.components.encoder._recurrent import run_recurrent
from vsebench.core.registry import AUDIO_ENCODERS
from vsebench.core.types import Tokens, Waveforms


@AUDIO_ENCODERS.register(
    "crnn", source="Choi et al. 2017, arXiv:1609.04243; Çakır et al. 2017, arXiv:1702.06286", version=2
)
class CRNN(FrameEncoder):
    """Read with a recurrent network what convolutions make of a sound's frames.

        blocks × [conv 3×3, batch norm, ReLU, maximum of 2×2];  h_n = GRU(channels and frequencies of place n, h_{n-1})

    What lies behind a sound's end stays zero in every layer, does not enter the statistics of the batch, and is never
    read. ``final`` is the state after the last real place and, backwards, after the first.

    Differs from the sources: three blocks that halve time and frequency alike; they pool more, or in frequency only.

    Args:
        width: channels of the first block, > 0; each further block has twice as many.
        blocks: number of blocks, > 0; a token then stands for 2^blocks frames.
        cell: ``gru`` or ``lstm``.
        dim_hidden: H, size of a state of one direction, > 0.
        bidirectional: read backwards too; the directions stand side by side.
        dropout: rate in [0, 0.95] on what the recurrent network reads.
        front: how a waveform becomes frames; its fields are options.

    Shape: Waves (B, T) -> Tokens (B, ⌈L / 2^blocks⌉, H), final (B, H); 2·H with ``bidirectional``.

    Raises: ConfigError if ``hop`` is longer than ``n_fft``, ``highpass`` is not below half of the sample rate, or mel
    bands are narrower than what ``n_fft`` resolves.

    Example:
        >>> CRNN(width=8, dim_hidden=16, bidirectional=False).dim_out
        16
    """

    def __init__(
        self,
        *,
        width: Annotated[int, Gt(0)] = 32,
        blocks: Annotated[int, Gt(0)] = 3,
        cell: Literal["gru", "lstm"] = "gru",
        dim_hidden: Annotated[int, Gt(0)] = 128,
        bidirectional: bool = True,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
        front: FrontOptions = FrontOptions(),
    ) -> None:
        super().__init__(front)
        self.blocks = Blocks(width, blocks)
        kind = nn.GRU if cell == "gru" else nn.LSTM
        size = self.blocks.channels * self.blocks.bands(self.front.dim_out)
        self.network = kind(size, dim_hidden, batch_first=True, bidirectional=bidirectional)
        self.drop = nn.Dropout(dropout)
        self.dim_out = dim_hidden * (1 + bidirectional)

    def forward(self, waveforms: Waveforms) -> Tokens:
        """Encode."""
        frames = self.front(waveforms)
        maps, mask = self.blocks(frames.values, frames.mask)
        places = self.drop(maps.transpose(1, 2).flatten(2))  # (B, N, C · F')
        values, final = run_recurrent(self.network, places, mask)
        values = values.masked_fill(~mask[:, :, None], 0.0)
        return Tokens(values, mask, final.masked_fill(~mask.any(1, keepdim=True), 0.0))
