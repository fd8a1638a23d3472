"""Convolutional network over frames."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le
from torch import nn

from vsebench.components.audio_encoder._blocks import Blocks
from vsebench.components.audio_encoder._front_end import Features, FrontOptions
from vsebench.components.audio_encoder._over_frames import FrameEncoder
from vsebench.core.registry import AUDIO_ENCODERS
from vsebench.core.types import Tokens, Waves


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
        features: ``stft`` (n_fft // 2 + 1 magnitudes) or ``log_mel`` (``mels`` bands).
        sample_rate: in Hz, to which sounds are resampled, > 0.
        max_seconds: samples after it are cut, > 0.
        highpass: in Hz, damps hum and wind below it (Butterworth, order 4), > 0; the source takes 80. Null leaves it.
        n_fft: samples of a frame, > 1.
        hop: samples from one frame to the next, > 0, <= n_fft.
        frame_seconds: the transform begins anew after each stretch of this length, > 0; 1 in the source. Null runs on.
        mels: bands of ``log_mel``, > 0.
        gain_db: in training, each sound is louder or softer by up to this many decibels, in [0, 60].
        shift_seconds: in training, each sound is moved in time by up to this, >= 0.
        freq_masks: in training, number of bands that are blanked (SpecAugment), >= 0.
        time_masks: the same of stretches of frames.
        mask_share: the most of all bands, or of a sound's frames, that one mask blanks, in [0, 1].

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
        features: Features = "log_mel",
        sample_rate: Annotated[int, Gt(0)] = 16_000,
        max_seconds: Annotated[float, Gt(0)] = 10.0,
        highpass: Annotated[float, Gt(0)] | None = None,
        n_fft: Annotated[int, Gt(1)] = 400,
        hop: Annotated[int, Gt(0)] = 160,
        frame_seconds: Annotated[float, Gt(0)] | None = None,
        mels: Annotated[int, Gt(0)] = 64,
        gain_db: Annotated[float, Ge(0), Le(60)] = 0.0,
        shift_seconds: Annotated[float, Ge(0)] = 0.0,
        freq_masks: Annotated[int, Ge(0)] = 0,
        time_masks: Annotated[int, Ge(0)] = 0,
        mask_share: Annotated[float, Ge(0), Le(1)] = 0.2,
    ) -> None:
        super().__init__(
            FrontOptions(
                features,
                sample_rate,
                max_seconds,
                highpass,
                n_fft,
                hop,
                frame_seconds,
                mels,
                gain_db,
                shift_seconds,
                freq_masks,
                time_masks,
                mask_share,
            )
        )
        self.blocks = Blocks(width, blocks)
        self.drop = nn.Dropout(dropout)
        self.dim_out = self.blocks.channels

    def forward(self, waves: Waves) -> Tokens:
        """Encode."""
        frames = self.front(waves)
        maps, mask = self.blocks(frames.values, frames.mask)
        return Tokens(self.drop(maps.mean(3).transpose(1, 2)), mask)
