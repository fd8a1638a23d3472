"""Recurrent network over frames."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from torch import nn

from vsebench.components.audio_encoder._front_end import FrontOptions
from vsebench.components.audio_encoder._over_frames import FrameEncoder
from vsebench.components.encoder._recurrent import run_recurrent
from vsebench.core.registry import AUDIO_ENCODERS
from vsebench.core.types import Tokens, Waveforms


@AUDIO_ENCODERS.register("audio_rnn", source="AMIR, the audio key network; methods 1.6, rnn", version=2)
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
        front: how a waveform becomes frames; its fields are options.

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
        front: FrontOptions = FrontOptions(features="stft"),
    ) -> None:
        super().__init__(front)
        kind = nn.GRU if cell == "gru" else nn.LSTM
        between = dropout if layers > 1 else 0.0
        size = self.front.dim_out
        self.network = kind(size, dim_hidden, layers, batch_first=True, dropout=between, bidirectional=bidirectional)
        self.drop = nn.Dropout(dropout)
        self.dim_out = dim_hidden * (1 + bidirectional)

    def forward(self, waveforms: Waveforms) -> Tokens:
        """Encode."""
        frames = self.front(waveforms)
        values, final = run_recurrent(self.network, self.drop(frames.values), frames.mask)
        values = values.masked_fill(~frames.mask[:, :, None], 0.0)
        return Tokens(values, frames.mask, final.masked_fill(~frames.mask.any(1, keepdim=True), 0.0))
