"""How good anything can be on the scenes: the best accuracy from the picture, from the caption, from both one by one
(their posteriors multiplied, as the best late fusion does), and from both together; and the best ranking in retrieval.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeVar

from vsebench.data.scenes.model import (
    ATTRIBUTES,
    CAPTIONS,
    GARMENTS,
    INDIRECT,
    INDIRECT_KINDS,
    OF_THREE,
    OF_TWO,
    ONE,
    ONE_WITH_PATTERN,
    RELATED,
    SILHOUETTES,
    USE_WEIGHTS,
    USES,
)

OBSERVERS = ("image alone", "text alone", "product rule", "both")
T = TypeVar("T")


def shares() -> dict[tuple[int, str], Fraction]:
    """Return the share of the items by the scene's number of garments and the caption's kind."""
    topics = len(ATTRIBUTES)
    table: dict[tuple[int, str], Fraction] = {}
    for kinds, weight in ((ONE_WITH_PATTERN, 1), (ONE, topics - 1)):
        for kind, share in _normalised(kinds).items():
            table[1, kind] = table.get((1, kind), Fraction(0)) + share * Fraction(weight, topics)
    indirect = sum((count * share for count, share in _normalised(INDIRECT).items()), Fraction(0)) / CAPTIONS
    # A caption whose topic is the place has an exclusion; the others one or the other.
    for kind, share in _normalised(INDIRECT_KINDS).items():
        place = Fraction(int(kind == "exclusion"), topics)
        table[2, kind] = indirect * (place + Fraction(topics - 1, topics) * share)
    related = _normalised(RELATED)[True] / CAPTIONS
    table[3, "relation"] = related
    for count, kinds, left in ((2, OF_TWO, 1 - indirect), (3, OF_THREE, 1 - related)):
        for kind, share in _normalised(kinds).items():
            table[count, kind] = left * share
    garments = _normalised(GARMENTS)
    return {(count, kind): garments[count] * share for (count, kind), share in table.items()}


def ceilings() -> dict[str, dict[str, float]]:
    """Return the best expected accuracy of each observer, over all items ("all") and of each kind, exactly.

    Equally probable classes are chosen among by lot. Silhouettes are equally frequent, and so are uses, also given the
    picture; so the picture tells the target's silhouette at best, the caption its use, and the product rule takes one
    from each.
    """
    right: dict[tuple[str, str], Fraction] = {}
    total: dict[str, Fraction] = {}
    uses, silhouettes = Fraction(1, len(USES)), Fraction(1, len(SILHOUETTES))
    for (count, kind), share in shares().items():
        named = kind == "redundant"
        shape, use = _shape(count, kind), _use(kind)
        accuracy = {
            "image alone": shape * uses,
            "text alone": use * (1 if named else silhouettes),
            "product rule": use * (1 if named else shape),
            "both": Fraction(1),
        }
        for name in ("all", kind):
            total[name] = total.get(name, Fraction(0)) + share
            for observer, value in accuracy.items():
                right[name, observer] = right.get((name, observer), Fraction(0)) + share * value
    return {name: {o: float(right[name, o] / total[name]) for o in OBSERVERS} for name in total}


def _shape(count: int, kind: str) -> Fraction:
    """Return the picture's chance to tell the target's silhouette; among three, an outer one is the likelier target."""
    if count == 3:
        return Fraction(1, 2) if kind == "relation" else Fraction(1, 3)
    return Fraction(1, count)


def _use(kind: str) -> Fraction:
    """Return the caption's chance to tell the use."""
    if kind == "easy":
        return Fraction(1, 2)
    if kind not in ("hard", "selection"):
        return Fraction(1)
    weights = [w for _, w in USE_WEIGHTS.items()]
    pairs = [(a, b) for i, a in enumerate(weights) for b in weights[i + 1 :]]
    # A pair is drawn with either use as the right one, the other being one of the remaining two.
    return sum((Fraction(max(pair), 2 * sum(weights)) for pair in pairs), Fraction(0))


def _normalised(table: Mapping[T, int]) -> dict[T, Fraction]:
    total = sum(table.values())
    return {key: Fraction(share, total) for key, share in table.items()}
