"""Encoders that are trained from scratch over the frames of the front end."""

from __future__ import annotations

from vsebench.components.audio_encoder._front_end import FrontEnd, FrontOptions
from vsebench.components.audio_encoder.base import AudioEncoder


class FrameEncoder(AudioEncoder):
    """An encoder that makes its frames of the waveform itself; all of it trains.

    Attributes:
        front: waveforms to frames.
    """

    def __init__(self, options: FrontOptions) -> None:
        super().__init__()
        self.sampling = options.sampling
        self.front = FrontEnd(options)
        self.frozen = False
