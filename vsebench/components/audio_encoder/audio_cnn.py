"""Convolutional network over frames."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le
from torch import nn

from vsebench.components.audio_encoder._blocks import Blocks
from vsebench.components.audio_encoder._front_end import FrontOptions
from vsebench.components.audio_encoder._over_frames import FrameEncoder
from vsebench.core.registry import AUDIO_ENCODERS
from vsebench.core.types import Tokens, Waveforms


@AUDIO_ENCODERS.register("audio_cnn", source="AMIR, the audio key network; methods 1.6, cnn")
class AudioCNN(FrameEncoder):
    """See the frames of a sound as a picture of time and frequency, through convolutions.

        blocks × [conv 3×3, batch norm, ReLU, maximum of 2×2], then the mean over frequencies

    What lies behind a sound's end stays zero in every layer and does not enter the statistics of the batch. With
    ``pooling: mean`` the sound's vector is the global mean of methods 1.6.

    Differs from the source: by default frames run on over the borders of seconds; ``frame_seconds: 1`` is the source's.

    Args:
        width: channels of the first block, > 0; each further block has twice as many.
        blocks: number of blocks, > 0; a token then stands for 2^blocks frames.
        dropout: rate in [0, 0.95] on the tokens.
        front: how a waveform becomes frames; its fields are options.

    Shape: Waves (B, T) -> Tokens (B, ⌈L / 2^blocks⌉, width · 2^(blocks - 1)).

    Raises: ConfigError if ``hop`` is longer than ``n_fft``, ``highpass`` is not below half of the sample rate, or mel
    bands are narrower than what ``n_fft`` resolves.

    Example:
        >>> AudioCNN(width=8).dim_out
        32
    """

    def __init__(
        self,
        *,
        width: Annotated[int, Gt(0)] = 32,
        blocks: Annotated[int, Gt(0)] = 3,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
        front: FrontOptions = FrontOptions(),
    ) -> None:
        super().__init__(front)
        self.blocks = Blocks(width, blocks)
        self.drop = nn.Dropout(dropout)
        self.dim_out = self.blocks.channels

    def forward(self, waveforms: Waveforms) -> Tokens:
        """Encode."""
        frames = self.front(waveforms)
        maps, mask = self.blocks(frames.values, frames.mask)
        return Tokens(self.drop(maps.mean(3).transpose(1, 2)), mask)
