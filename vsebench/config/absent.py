"""What may be made of an item that lacks a modality."""

from __future__ import annotations

from vsebench.config.schema import System
from vsebench.core.errors import ConfigError
from vsebench.core.registry import FUSIONS, HEADS, OBJECTIVES


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
    facts = FUSIONS.get(system.fusion.name).facts
    if facts["compares"]:
        raise ConfigError(
            f"absent: learned is a vector for what an item lacks, but fusion '{system.fusion.name}' masks that. Leave "
            "it out, or choose another fusion.",
            path=("absent",),
        )
    if facts["needs_tokens"]:
        raise ConfigError(
            f"absent: learned is a vector, but fusion '{system.fusion.name}' reads tokens, of which an absent modality "
            "has none. Leave it out, or choose another fusion.",
            path=("absent",),
        )


def why_all_need(system: System, modality: str) -> str | None:
    """Why every item must have a modality of the system, and what would allow items without; None where some may lack
    it.

    They may where nothing is made of what stands in its place: a head decides from the modalities that an item has, or
    the fusion masks it or has a learned vector.
    """
    # From what reads each item by itself, and has nothing to put in its place, to what can do without.
    for kind, spec in (("scorer", system.scorer), ("fitter", system.fitter)):
        if spec is not None:
            return f"its {kind} '{spec.name}' needs every item's {modality}"
    for term in system.objective:
        facts = OBJECTIVES.get(term.name).facts
        if facts["needs_compared"]:
            continue  # what is compared is masked
        if modality in facts["needs"] or term.options.get("modality") == modality:
            return f"its objective '{term.name}' learns from every item's {modality}"
    if system.absent == "learned":
        return None
    if system.fusion is not None and FUSIONS.get(system.fusion.name).facts["compares"]:
        return None
    if system.head is not None and HEADS.get(system.head.name).facts["reads"] == ("vectors",):
        return None
    if len(system.modalities) == 1:
        return "it reads nothing else; head: decision would give them equal probabilities"
    return "its fusion cannot represent a missing modality; absent: learned or head: decision would allow it"
