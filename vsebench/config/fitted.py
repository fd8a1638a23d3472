"""Systems that a fitter fits: what stands beside it, and how its embeddings are ranked."""

from __future__ import annotations

from typing import Any

from vsebench.config.schema import System
from vsebench.core.errors import ConfigError
from vsebench.core.registry import FITTERS, POOLINGS

#: What a fitter takes the place of.
_REPLACED = ("fusion", "head", "objective", "scorer", "reranker", "rerank_top")


def with_fitter(block: dict[str, Any]) -> dict[str, Any]:
    """Return a merged block with a fitter, what the fitter replaces set to none.

    Raises: ConfigError where the block gives one of those, or a similarity that the fitter's embeddings do not have.
    """
    name = block["fitter"].name
    given = next((slot for slot in _REPLACED if block.get(slot) not in (None, "none")), None)
    if given is not None:
        raise ConfigError(
            f"fitter '{name}' takes the place of {given}, but one is given. Write {given}: none, or fitter: none.",
            path=(given,),
        )
    if block.get("projection") is not None:
        raise ConfigError(f"fitter '{name}' maps the vectors itself: write projection: none.", path=("projection",))
    codes = bool(FITTERS.get(name).facts["codes"])
    similarity = block.get("similarity", "hamming" if codes else "cosine")
    if codes != (similarity == "hamming"):
        right = "hamming" if codes else "cosine or dot"
        raise ConfigError(
            f"similarity {similarity}: fitter '{name}' gives {'codes' if codes else 'real vectors'}, which are ranked "
            f"by {right}.",
            path=("similarity",),
        )
    return {**block, "projection": None, "head": None, "objective": "none", "similarity": similarity}


def check_fitted(system: System) -> None:
    """Refuse what a fitter cannot be beside.

    Raises: ConfigError.
    """
    if system.fitter is None:
        if system.similarity == "hamming":
            raise ConfigError("similarity: hamming ranks codes, which only a fitter gives.", path=("similarity",))
        return
    seeing = [s.name for s in system.pooling.values() if POOLINGS.get(s.name).facts["cross_modal"]]
    if seeing:
        raise ConfigError(
            f"fitter '{system.fitter.name}' needs each modality's vector from that modality alone, but pooling "
            f"'{seeing[0]}' sees the other one. Choose another pooling.",
            path=("pooling",),
        )
    if system.attention.name != "none":
        raise ConfigError(
            f"fitter '{system.fitter.name}' sees each modality's pooled vector; nothing would train attention "
            f"'{system.attention.name}'. Write attention: none.",
            path=("attention",),
        )
