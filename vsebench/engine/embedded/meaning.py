"""What the words of a caption are about: what the shipped BERT is asked of every word while it learns.

A caption has clauses: "beside *blue one*, *red one for gym*". A clause names colours, patterns and places,
which the garment that is meant has or has not; in a choice or a condition each clause is about what is meant if it
holds. It may tell a use or an occasion, a side, and a silhouette. "on tiles" is about the setting of the scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vsebench.data.scenes.model import ATTRIBUTES, SETTINGS, SILHOUETTES, USES, Description, Message
from vsebench.data.scenes.wording import OCCASION_PHRASES, SIDE_PHRASES, USE_PHRASES, noun_phrase

MEANT, NOT = 1, -1  # of a value that the garment that is meant has, and has not; 0 of one that is not named
VALUES = tuple(value for values in ATTRIBUTES.values() for value in values)
PURPOSES = (*USES, *OCCASION_PHRASES)
#: What else is asked of every word's clause -> number of answers; 0 is that it does not say.
CHOICES = {
    "side": 1 + len(SIDE_PHRASES),
    "purpose": 1 + len(PURPOSES),
    "silhouette": 1 + len(SILHOUETTES),
    "setting": 1 + len(SETTINGS),
}
QUESTIONS = (*VALUES, *CHOICES)
_PHRASES = {**USE_PHRASES, **OCCASION_PHRASES}


@dataclass(frozen=True)
class Clause:
    """A part of a caption.

    Args:
        phrases: its words, each phrase in one piece.
        meant: values of the garment that is meant.
        excluded: values that it has not, those of another garment.
        side: on which it is of another one.
        purpose: one of :data:`PURPOSES`, if it has one.
        silhouette: that it names, if it does.
        setting: of the scene, if it names it.
    """

    phrases: tuple[str, ...]
    meant: Description = ()
    excluded: Description = ()
    side: str | None = None
    purpose: str | None = None
    silhouette: str | None = None
    setting: str | None = None

    def answers(self) -> np.ndarray:
        """Return the answers to :data:`QUESTIONS`."""
        result = np.zeros(len(QUESTIONS), np.int8)
        for values, answer in ((self.meant, MEANT), (self.excluded, NOT)):
            for _, value in values:
                result[QUESTIONS.index(value)] = answer
        if self.side is not None:
            result[QUESTIONS.index("side")] = 1 + list(SIDE_PHRASES).index(self.side)
        if self.purpose is not None:
            result[QUESTIONS.index("purpose")] = 1 + PURPOSES.index(self.purpose)
        if self.silhouette is not None:
            result[QUESTIONS.index("silhouette")] = 1 + SILHOUETTES.index(self.silhouette)
        if self.setting is not None:
            result[QUESTIONS.index("setting")] = 1 + SETTINGS.index(self.setting)
        return result


def clauses(message: Message, caption: str) -> list[Clause]:
    """Return the clauses of a caption that says a message."""
    purposes = (message.code,) if message.code is not None else message.uses
    phrases = [next(phrase for phrase in _PHRASES[purpose] if phrase in caption) for purpose in purposes]
    result = [Clause((f"on {message.setting}",), setting=message.setting)]
    result += [Clause((noun_phrase(other),), excluded=other) for other in message.others]
    if message.choices:
        result.append(Clause((f"two {noun_phrase(message.target, 'ones')}",), message.target))
        pieces = zip(message.choices, phrases, purposes, strict=True)
        return result + [Clause((noun_phrase((c,)), phrase), (c,), purpose=use) for c, phrase, use in pieces]
    if message.condition is not None:
        condition = (("pattern", message.condition),)
        return [
            *result,
            Clause((noun_phrase(message.target, "piece"),), message.target),
            Clause((f"if {message.condition} {phrases[0]}",), condition, purpose=purposes[0]),
            Clause((f"else {phrases[1]}",), excluded=condition, purpose=purposes[1]),
        ]
    mention = (*_mention(message), phrases[0])
    target = Clause(
        mention,
        message.target,
        excluded=message.anchor,
        side=message.side,
        purpose=purposes[0],
        silhouette=message.silhouette,
    )
    return [*result, target]


def answers(message: Message, caption: str, words: Sequence[str]) -> np.ndarray:
    """Return the answers to :data:`QUESTIONS` for every word of a caption.

    Args:
        message: what the caption says.
        caption: the text.
        words: of it, commas among them.

    Shape: -> int8 (words, questions).
    """
    result = np.zeros((len(words), len(QUESTIONS)), np.int8)
    for clause in clauses(message, caption):
        for phrase in clause.phrases:
            size = len(phrase.split())
            start = next(i for i in range(len(words)) if list(words[i : i + size]) == phrase.split())
            result[start : start + size] = clause.answers()
    return result


def answers_of_all(message: Message, caption: str) -> np.ndarray:
    """Return the answers to :data:`QUESTIONS` for a caption as a whole: what its clauses say, 0 where they disagree.

    Shape: -> int8 (questions,).
    """
    table = np.stack([clause.answers() for clause in clauses(message, caption)])
    most, least = table.max(0), np.where(table == 0, table.max(0), table).min(0)
    values = len(VALUES)
    signs = np.sign(table[:, :values].sum(0))
    return np.concatenate([signs, np.where(most == least, most, 0)[values:]]).astype(np.int8)


def _mention(message: Message) -> tuple[str, ...]:
    """Return how a caption without choices and conditions mentions its target."""
    if message.kind == "exclusion":
        return f"not {noun_phrase(message.anchor)}", "other one"
    if message.side is not None:
        return (f"one {SIDE_PHRASES[message.side]} {noun_phrase(message.anchor)}",)
    if message.kind in ("complement", "easy"):
        return (noun_phrase(message.target, "piece"),)
    return (noun_phrase(message.target, message.silhouette or "one"),)
