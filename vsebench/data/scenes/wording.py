"""From what a caption says to its words.

A garment in passing stands on either side of the target and in the same words, so that the words alone, without their
order, do not say who is meant. Captions are in the short style of labels, without articles: each word between what
belongs together is one more that a text encoder must remember.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from vsebench.data.scenes.model import Description, Message

USE_PHRASES: Mapping[str, Sequence[str]] = {
    "casual": ("for weekends", "for holidays", "for home", "for walks", "for leisure"),
    "sport": ("for gym", "for running", "for training", "for matches", "for cycling"),
    "formal": ("for office", "for weddings", "for dinners", "for galas", "for meetings"),
}
OCCASION_PHRASES: Mapping[str, Sequence[str]] = {
    "strict": ("for receptions", "for interviews", "for openings", "for ceremonies"),
    "festive": ("for parties", "for festivals", "for carnivals", "for birthdays"),
}
SIDE_PHRASES: Mapping[str, str] = {"left": "left of", "right": "right of"}


def write(message: Message, rng: Random) -> str:
    """Return a caption that says a message, in lower case, its punctuation set apart by the tokenizer's rules."""
    body = _body(message, rng)
    if message.others:
        beside = "beside " + " and ".join(noun_phrase(other) for other in message.others)
        body = f"{beside}, {body}" if rng.randrange(2) else f"{body}, {beside}"
    return f"on {message.setting}, {body}" if rng.randrange(2) else f"{body}, on {message.setting}"


def noun_phrase(description: Description, noun: str = "one") -> str:
    """Return "left red striped one"."""
    values = dict(description)
    words = [values.get("place"), values.get("colour"), values.get("pattern"), noun]
    return " ".join(word for word in words if word)


def _body(message: Message, rng: Random) -> str:
    """Return the part about the target."""
    uses = [_choice(USE_PHRASES[use], rng) for use in message.uses]
    if message.kind in ("complement", "easy", "hard"):
        piece = noun_phrase(message.target, "piece")
        if message.code is not None:
            return f"{piece} {_choice(OCCASION_PHRASES[message.code], rng)}"
        if message.condition is not None:
            return f"{piece}, if {message.condition} {uses[0]}, else {uses[1]}"
        return f"{piece} {uses[0]}"
    if message.kind == "selection":
        pieces = [f"{noun_phrase((c,))} {use}" for c, use in zip(message.choices, uses, strict=True)]
        return f"two {noun_phrase(message.target, 'ones')}: {', '.join(pieces)}"
    if message.kind == "exclusion":
        parts = [f"not {noun_phrase(message.anchor)}", f"other one {uses[0]}"]
        return ", ".join(parts if rng.randrange(2) else parts[::-1])
    if message.kind == "relation":
        return f"one {SIDE_PHRASES[message.side or '']} {noun_phrase(message.anchor)} {uses[0]}"
    return f"{noun_phrase(message.target, message.silhouette or 'one')} {uses[0]}"


def _choice(phrases: Sequence[str], rng: Random) -> str:
    return phrases[rng.randrange(len(phrases))]
