"""Questions about a rendered garment: what is asked, what is right, what ten annotators say, and the best accuracy that
question and image allow.

A question is drawn given the garment, so that its probability, and that of its answer, are known exactly. Nothing of it
depends on the answer in any other way: its wording is drawn by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product
from random import Random
from typing import Literal, TypeVar

from vsebench.data.garments.latent import COLOURS, PAIRS, PATTERNS, SILHOUETTES, Garment

HIDDEN = Fraction(5, 100)  # the deciding part of the image is covered
ANNOTATORS = 10
PIECES: Mapping[str, str] = {
    "short_sleeves": "t-shirt",
    "long_sleeves": "sweater",
    "trousers": "trousers",
    "skirt": "skirt",
}
ANSWERS = (*COLOURS, *PATTERNS, *PIECES.values(), "0", "1", "2", "yes", "no")
#: Kind of question -> P in percent, given the pattern. What two colours are called depends on it: of stripes and checks
#: nobody can tell which colour is the cloth's.
_ALWAYS = {"pattern": 16, "piece": 16, "sleeves": 8, "colours": 8, "has_colour": 14, "is_both": 14}
_TWO_COLOURS = {**_ALWAYS, "lighter": 12, "darker": 12}
SHARES: Mapping[str, Mapping[str, int]] = {
    "plain": {**_ALWAYS, "colour": 24},
    "striped": _TWO_COLOURS,
    "checked": _TWO_COLOURS,
    "dotted": {**_ALWAYS, "colour": 8, "dots": 8, "lighter": 4, "darker": 4},
}
PHRASES: Mapping[str, tuple[str, ...]] = {
    "colour": ("what colour is the cloth?", "which colour is it made in?", "what is the colour of this piece?"),
    "dots": ("what colour are the dots?", "which colour do the dots have?"),
    "lighter": ("which of its two colours is lighter?", "what is the lighter colour on it?"),
    "darker": ("which of its two colours is darker?", "what is the darker colour on it?"),
    "pattern": ("what pattern does it have?", "which pattern is on the cloth?", "how is the cloth patterned?"),
    "piece": ("what kind of clothing is it?", "what is shown here?", "which piece of clothing is this?"),
    "sleeves": ("how many sleeves does it have?", "what is the number of sleeves?"),
    "colours": ("how many colours does it have?", "in how many colours is it made?"),
    "has_colour": ("is there any {} on it?", "can {} be seen on the cloth?", "does it have {} in it?"),
    "is_both": ("is this {}?", "does the picture show {}?", "would you call it {}?"),
}
#: What those annotators say who see it otherwise: one of these.
OTHERWISE: Mapping[str, tuple[str, ...]] = {
    "red": ("pink", "brown"),
    "blue": ("black", "green"),
    "green": ("blue", "brown"),
    "yellow": ("white", "brown"),
    "black": ("blue", "brown"),
    "white": ("yellow", "pink"),
    "pink": ("red", "white"),
    "brown": ("red", "black"),
    "plain": ("dotted",),
    "striped": ("checked",),
    "checked": ("striped", "dotted"),
    "dotted": ("checked", "plain"),
    "t-shirt": ("sweater",),
    "sweater": ("t-shirt",),
    "trousers": ("skirt",),
    "skirt": ("trousers",),
    "0": ("2",),
    "1": ("2",),
    "2": ("1",),
    "yes": ("no",),
    "no": ("yes",),
}
#: Number of annotators, of ten, who see it otherwise -> P in percent. The right answer is always the most frequent.
DISSENT: Mapping[int, int] = {0: 50, 1: 20, 2: 15, 3: 15}
T = TypeVar("T")
Table = Mapping[tuple[str, str, str], Fraction]


@dataclass(frozen=True)
class Question:
    """A question and its right answer.

    Args:
        kind: one of those of :data:`PHRASES`.
        about: what it names: a colour, or a pattern and a silhouette; else empty.
        answer: one of :data:`ANSWERS`.
    """

    kind: str
    about: str
    answer: str

    @property
    def evidence(self) -> str:
        """All that a question says of its answer."""
        return f"{self.kind} {self.about}".strip()

    def text(self, rng: Random) -> str:
        """One of its wordings."""
        phrase = rng.choice(PHRASES[self.kind])
        if self.kind != "is_both":
            return phrase.format(self.about)
        pattern, silhouette = self.about.split()
        thing = f"{pattern} {PIECES[silhouette]}"
        return phrase.format(thing if silhouette == "trousers" else f"a {thing}")


def brightness(colour: str) -> int:
    """Of a colour's name, whatever the light in the picture."""
    red, green, blue = COLOURS[colour]
    return 299 * red + 587 * green + 114 * blue


def visible_colours(garment: Garment) -> tuple[str, ...]:
    """Return the colours that can be seen; of stripes and checks in no order."""
    if garment.pattern == "plain":
        return (garment.colour,)
    both = (garment.colour, garment.second_colour)
    return both if garment.pattern == "dotted" else (min(both), max(both))


def image_evidence(garment: Garment, hidden: bool) -> str:
    """All that an image says of any answer."""
    piece = PAIRS[garment.silhouette] if hidden else garment.silhouette
    return f"{piece} {garment.pattern} {'+'.join(visible_colours(garment))}"


def questions(garment: Garment) -> Iterator[tuple[Question, Fraction]]:
    """Every question that may be asked of a garment, with its probability; they sum to 1."""
    for kind, percent in SHARES[garment.pattern].items():
        for about, p in _abouts(kind, garment):
            yield Question(kind, about, answer(kind, about, garment)), Fraction(percent, 100) * p


def _abouts(kind: str, garment: Garment) -> list[tuple[str, Fraction]]:
    """Return the subjects that a question of a kind may name: half of them are right."""
    if kind == "has_colour":
        seen = visible_colours(garment)
        others = [c for c in COLOURS if c not in seen]
        right, wrong = Fraction(1, 2 * len(seen)), Fraction(1, 2 * len(others))
        return [*((c, right) for c in seen), *((c, wrong) for c in others)]
    if kind != "is_both":
        return [("", Fraction(1))]
    results = []
    for pattern, silhouette in product(PATTERNS, SILHOUETTES):
        differs = (pattern != garment.pattern, silhouette != garment.silhouette)
        # A wrong one is so in its pattern, its silhouette or both, each as often.
        ways = {(False, False): 2, (True, False): 6 * 3, (False, True): 6 * 3, (True, True): 6 * 9}[differs]
        results.append((f"{pattern} {silhouette}", Fraction(1, ways)))
    return results


def answer(kind: str, about: str, garment: Garment) -> str:
    """Return the right answer."""
    both = sorted((garment.colour, garment.second_colour), key=brightness)
    known = {
        "colour": garment.colour,
        "dots": garment.second_colour,
        "lighter": both[1],
        "darker": both[0],
        "pattern": garment.pattern,
        "piece": PIECES[garment.silhouette],
        "sleeves": "2" if PAIRS[garment.silhouette] == "upper_body" else "0",
        "colours": str(len(visible_colours(garment))),
        "has_colour": "yes" if about in visible_colours(garment) else "no",
        "is_both": "yes" if about == f"{garment.pattern} {garment.silhouette}" else "no",
    }
    return known[kind]


def draw_question(garment: Garment, rng: Random) -> Question:
    """Draw a question by its probability."""
    results = list(questions(garment))
    parts = math.lcm(*(p.denominator for _, p in results))
    return _drawn([(question, int(p * parts)) for question, p in results], rng)


def draw_answers(right: str, rng: Random) -> dict[str, int]:
    """Draw the answers of ten annotators, with the number of annotators for each."""
    dissent = _drawn(list(DISSENT.items()), rng)
    other = rng.choice(OTHERWISE[right])
    return {right: ANNOTATORS - dissent, **({other: dissent} if dissent else {})}


def _drawn(shares: Sequence[tuple[T, int]], rng: Random) -> T:
    """One of some things by whole-numbered shares: the same on every machine."""
    place = rng.randrange(sum(share for _, share in shares))
    for one, share in shares:
        place -= share
        if place < 0:
            return one
    raise AssertionError("shares are not negative")


@cache
def joint() -> Table:
    """P(answer, question evidence, image evidence), exactly, over all garments and questions."""
    table: dict[tuple[str, str, str], Fraction] = {}
    each = Fraction(1, len(SILHOUETTES) * len(PATTERNS) * len(COLOURS) * (len(COLOURS) - 1))
    for silhouette, pattern, colour, second in product(SILHOUETTES, PATTERNS, COLOURS, COLOURS):
        if colour == second:
            continue
        garment = Garment(0, silhouette, "casual", colour, second, pattern)
        seen = [(image_evidence(garment, True), HIDDEN), (image_evidence(garment, False), 1 - HIDDEN)]
        for question, p in questions(garment):
            for evidence, shown in seen:
                key = (question.answer, question.evidence, evidence)
                table[key] = table.get(key, Fraction(0)) + each * p * shown
    return table


def worth(right: str, soft: bool) -> dict[str, Fraction]:
    """Answer -> what it counts, on average, where ``right`` is right: 1 or 0, or by the annotators who give it."""
    results = {right: Fraction(1)}  # at least seven of ten give it, and four are enough
    if soft:
        for other in OTHERWISE[right]:
            share = sum((Fraction(p, 100) * _soft(count) for count, p in DISSENT.items()), Fraction(0))
            results[other] = share / len(OTHERWISE[right])
    return results


def _soft(given: int) -> Fraction:
    """VQA accuracy of an answer that so many of ten annotators gave."""
    without, others = (min(Fraction(n, 3), Fraction(1)) for n in (given - 1, given))
    return (given * without + (ANNOTATORS - given) * others) / ANNOTATORS


Look = Literal["question only", "image only", "both"]
_LOOKS: Mapping[Look, tuple[bool, bool]] = {
    "question only": (True, False),
    "image only": (False, True),
    "both": (True, True),
}


@cache
def best(look: Look, soft: bool = False) -> Mapping[tuple[str, str], tuple[str, Fraction]]:
    """Evidence -> the answer that is expected to count most, and what it counts times the evidence's probability."""
    reads_question, seen = _LOOKS[look]
    worths = {right: worth(right, soft) for right in ANSWERS}
    parts = math.lcm(*(p.denominator for p in joint().values()))  # whole numbers add up faster than fractions
    counted = math.lcm(*(c.denominator for result in worths.values() for c in result.values()))
    whole = {right: {a: int(c * counted) for a, c in result.items()} for right, result in worths.items()}
    scores: dict[tuple[str, str], dict[str, int]] = {}
    for (right, question, image), p in joint().items():
        result = scores.setdefault((question if reads_question else "", image if seen else ""), {})
        for evidence, counts in whole[right].items():
            result[evidence] = result.get(evidence, 0) + int(p * parts) * counts
    chosen = {e: max(result, key=lambda a: (result[a], a)) for e, result in scores.items()}
    return {e: (a, Fraction(scores[e][a], parts * counted)) for e, a in chosen.items()}


def ceilings(soft: bool = False) -> dict[str, float]:
    """Compute the best expected accuracy, or soft accuracy, from the question alone, the image alone, and both."""
    return {look: float(sum(p for _, p in best(look, soft).values())) for look in _LOOKS}


def decide(look: Look, question: str, image: str, soft: bool = False) -> str:
    """Return the best answer to some evidence."""
    reads_question, seen = _LOOKS[look]
    return best(look, soft)[question if reads_question else "", image if seen else ""][0]
