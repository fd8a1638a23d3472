"""Recurrent network over frames."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from torch import nn

from vsebench.components.audio_encoder._front_end import Features, FrontOptions
from vsebench.components.audio_encoder._over_frames import FrameEncoder
from vsebench.components.encoder._recurrent import run_recurrent
from vsebench.core.registry import AUDIO_ENCODERS
from vsebench.core.types import Tokens, Waves


@AUDIO_ENCODERS.register("audio_rnn", source="AMIR, the audio key network; methods 1.6, rnn")
class AudioRNN(FrameEncoder):
    """Read the frames of a sound with a recurrent network.

        x ← x / max(|x|, 1e-8);  f_l = ln(1 + |STFT(x)_l|) or log-mel bands;  h_l = GRU(f_l, h_{l-1})

    Padding is never read. ``final`` is the state after the last real frame and, backwards, after the first.

    Differs from the source: by default frames run on over the borders of seconds; ``frame_seconds: 1`` is the source's.

    Args:
        cell: ``gru`` or ``lstm``.
        dim_hidden: H, size of a state of one direction, > 0.
        layers: stacked layers, > 0.
        bidirectional: read backwards too; the directions stand side by side.
        dropout: rate in [0, 0.95] on the frames, and between layers.
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

    Shape: Waves (B, T) -> Tokens (B, L, H), final (B, H); 2·H with ``bidirectional``.

    Raises: ConfigError if ``hop`` is longer than ``n_fft``, ``highpass`` is not below half of the sample rate, or mel
    bands are narrower than what ``n_fft`` resolves.

    Example:
        >>> AudioRNN(dim_hidden=8, bidirectional=True).dim_out
        16
    """

    def __init__(
        self,
        *,
        cell: Literal["gru", "lstm"] = "gru",
        dim_hidden: Annotated[int, Gt(0)] = 256,
        layers: Annotated[int, Gt(0)] = 1,
        bidirectional: bool = False,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
        features: Features = "stft",
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
        kind = nn.GRU if cell == "gru" else nn.LSTM
        between = dropout if layers > 1 else 0.0
        size = self.front.dim_out
        self.network = kind(size, dim_hidden, layers, batch_first=True, dropout=between, bidirectional=bidirectional)
        self.drop = nn.Dropout(dropout)
        self.dim_out = dim_hidden * (1 + bidirectional)

    def forward(self, waves: Waves) -> Tokens:
        """Encode."""
        frames = self.front(waves)
        values, final = run_recurrent(self.network, self.drop(frames.values), frames.mask)
        values = values.masked_fill(~frames.mask[:, :, None], 0.0)
        return Tokens(values, frames.mask, final.masked_fill(~frames.mask.any(1, keepdim=True), 0.0))
