"""What a fusion is given of an item that lacks a modality."""

from __future__ import annotations

from vsebench.config.schema import System
from vsebench.errors import ConfigError
from vsebench.registry import FUSIONS


def check_absent(system: System) -> None:
    """Refuse learned vectors that nothing would read.

    Raises: ConfigError.
    """
    if system.absent == "zero":
        return
    if system.fusion is None:
        head = "none" if system.head is None else f"'{system.head.name}'"
        raise ConfigError(
            f"absent: learned is a vector for the fusion, but with head {head} nothing is fused. Leave it out"
            + ("." if system.head is None else ": the head combines the modalities that an item has."),
            path=("absent",),
        )
    if FUSIONS.get(system.fusion.name).facts["needs_tokens"]:
        raise ConfigError(
            f"absent: learned is a vector, but fusion '{system.fusion.name}' reads tokens, of which an absent modality "
            "has none. Leave it out, or choose another fusion.",
            path=("absent",),
        )
