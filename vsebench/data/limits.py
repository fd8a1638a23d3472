"""How much a file may decode to.

A small file can hold a huge picture or sound: its header is compared with these limits before anything is decoded, at
build, at ``vsebench data check``, in training, in search and in the server alike. Each limit is an environment
variable; a larger value there admits larger files.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vsebench.core.errors import ConfigError, Place


@dataclass(frozen=True)
class Limit:
    """A limit that the environment can change.

    Args:
        variable: name of the environment variable.
        default: its value where the variable is not set; > 0.
        of: what is counted.
    """

    variable: str
    default: int
    of: str

    def value(self) -> int:
        """Return the limit in force.

        Raises: ConfigError when the variable is not a whole number > 0.
        """
        text = os.environ.get(self.variable, "").strip()
        if not text:
            return self.default
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text)):
            raise ConfigError(
                f"the limit of {self.of} must be a whole number > 0. Got '{text[:40]}'.",
                place=Place(f"${self.variable}"),
            )
        return int(text)

    def refuse(self, got: float) -> str:
        """Return the message for a value above the limit."""
        return f"{got:,.0f} {self.of}; at most {self.value():,} are read (${self.variable} changes it)"


PIXELS = Limit("VSEBENCH_MAX_PIXELS", 64_000_000, "pixels")  # 192 MB as RGB; a camera has 24 to 61 million
SECONDS = Limit("VSEBENCH_MAX_SECONDS", 3_600, "seconds")
SAMPLES = Limit(
    "VSEBENCH_MAX_SAMPLES", 400_000_000, "samples of all channels"
)  # an hour of 48 kHz in stereo: 346 million
SAMPLE_RATE = Limit("VSEBENCH_MAX_SAMPLE_RATE", 768_000, "samples a second")
#: Below it an hour of sound that is resampled for an encoder grows more than sixteenfold; telephones have 8,000.
LOWEST_SAMPLE_RATE = 1_000
#: What decoding takes at most: a transparent picture is held four times in four bytes a pixel, a sound as it is and
#: resampled.
BYTES_A_PIXEL, BYTES_A_SAMPLE = 16, 8
#: Pictures and sounds decoded at the same time by the threads of a process take as much as so many of ``PIXELS``.
TOGETHER = 2


class Room:
    """Memory for what is decoded at the same time in this process. Who finds too little room waits for it.

    Example:
        >>> room = Room()
        >>> with room.taken(1_000_000):
        ...     room.used
        1000000
    """

    def __init__(self) -> None:
        self._reset()
        # A child of a fork has none of the threads that would give room back.
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self.used = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Hold room for so many bytes; one picture or sound alone is always let in."""
        most = TOGETHER * BYTES_A_PIXEL * PIXELS.value()
        with self._changed:
            self._changed.wait_for(lambda: not self.used or self.used + size <= most)
            self.used += size
        try:
            yield
        finally:
            with self._changed:
                self.used -= size
                self._changed.notify_all()


#: Of this process.
ROOM = Room()
