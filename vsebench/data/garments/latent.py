"""The generative model: what a garment is, what its image shows, what its caption says, and the best accuracy that
each of them allows.

A category is a silhouette (only the image shows it) with a use (only the caption says it). The deciding part of the
image is hidden with probability ``HIDDEN``; then the silhouettes of a pair look the same. The caption leaves the use
out with probability ``OMITTED``. Nothing else in image or caption depends on the category.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random

SILHOUETTES = ("short_sleeves", "long_sleeves", "trousers", "skirt")
PAIRS: Mapping[str, str] = {
    "short_sleeves": "upper_body",
    "long_sleeves": "upper_body",
    "trousers": "lower_body",
    "skirt": "lower_body",
}
USES = ("casual", "sport", "formal")
CATEGORIES: Mapping[tuple[str, str], str] = {
    ("short_sleeves", "casual"): "tee",
    ("short_sleeves", "sport"): "running top",
    ("short_sleeves", "formal"): "blouse",
    ("long_sleeves", "casual"): "sweater",
    ("long_sleeves", "sport"): "base layer",
    ("long_sleeves", "formal"): "dress shirt",
    ("trousers", "casual"): "jeans",
    ("trousers", "sport"): "track pants",
    ("trousers", "formal"): "suit trousers",
    ("skirt", "casual"): "denim skirt",
    ("skirt", "sport"): "tennis skirt",
    ("skirt", "formal"): "pencil skirt",
}
#: P(use | silhouette) in percent: every silhouette has a usual use.
USE_GIVEN_SILHOUETTE: Mapping[str, tuple[int, int, int]] = {
    "short_sleeves": (55, 30, 15),
    "long_sleeves": (15, 30, 55),
    "trousers": (30, 15, 55),
    "skirt": (30, 55, 15),
}
HIDDEN = Fraction(2, 100)
OMITTED = Fraction(1, 100)

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (200, 40, 45),
    "blue": (45, 80, 190),
    "green": (50, 140, 70),
    "yellow": (225, 195, 60),
    "black": (40, 40, 46),
    "white": (238, 238, 234),
    "pink": (230, 140, 170),
    "brown": (130, 88, 55),
}
PATTERNS = ("plain", "striped", "checked", "dotted")


@dataclass(frozen=True)
class Garment:
    """One item of clothing: what all of its views share."""

    number: int
    silhouette: str
    use: str
    colour: str
    second_colour: str
    pattern: str

    @property
    def category(self) -> str:
        """Its label."""
        return CATEGORIES[self.silhouette, self.use]


@dataclass(frozen=True)
class View:
    """What one picture and caption of a garment let through.

    Args:
        hidden: the deciding part of the image is covered.
        omitted: the caption does not say the use.
    """

    hidden: bool
    omitted: bool


def draw_garment(number: int, seed: int) -> Garment:
    """Draw a garment by its number: silhouettes in turn and uses in their exact shares, the rest by chance."""
    rng = Random(f"garment-{seed}-{number}")
    silhouette = SILHOUETTES[number % len(SILHOUETTES)]
    # 37 and 100 share no factor: every hundred garments of a silhouette meet each percent once.
    percent = (number // len(SILHOUETTES) * 37 + seed * 11) % 100
    shares = USE_GIVEN_SILHOUETTE[silhouette]
    use = USES[0] if percent < shares[0] else USES[1] if percent < shares[0] + shares[1] else USES[2]
    colour = rng.choice(list(COLOURS))
    second = rng.choice([c for c in COLOURS if c != colour])
    return Garment(number, silhouette, use, colour, second, rng.choice(PATTERNS))


def draw_view(rng: Random) -> View:
    """Draw what a view lets through."""
    hidden = rng.randrange(HIDDEN.denominator) < HIDDEN.numerator
    return View(hidden, rng.randrange(OMITTED.denominator) < OMITTED.numerator)


def image_evidence(silhouette: str, hidden: bool) -> str:
    """All that an image says of the category."""
    return PAIRS[silhouette] if hidden else silhouette


def text_evidence(use: str, omitted: bool) -> str:
    """All that a caption says of the category."""
    return "nothing" if omitted else use


def joint() -> dict[tuple[str, str, str], Fraction]:
    """P(category, image evidence, text evidence), exactly."""
    table: dict[tuple[str, str, str], Fraction] = {}
    for silhouette in SILHOUETTES:
        for use, percent in zip(USES, USE_GIVEN_SILHOUETTE[silhouette], strict=True):
            prior = Fraction(percent, 100 * len(SILHOUETTES))
            for hidden, p_hidden in ((True, HIDDEN), (False, 1 - HIDDEN)):
                for omitted, p_omitted in ((True, OMITTED), (False, 1 - OMITTED)):
                    seen, evidence = image_evidence(silhouette, hidden), text_evidence(use, omitted)
                    key = (CATEGORIES[silhouette, use], seen, evidence)
                    table[key] = table.get(key, Fraction(0)) + prior * p_hidden * p_omitted
    return table


def ceilings() -> dict[str, float]:
    """Compute the best expected accuracy from the image alone, the caption alone, and both: Σ_e max_y P(y, e)."""
    return {
        "image alone": float(_bayes(lambda seen, evidence: (seen,))),
        "text alone": float(_bayes(lambda seen, evidence: (evidence,))),
        "both": float(_bayes(lambda seen, evidence: (seen, evidence))),
    }


def decide(evidence: tuple[str | None, str | None]) -> str:
    """Return the most probable category given image and text evidence; None for a modality that is not seen."""
    scores: dict[str, Fraction] = {}
    for (category, seen, message), p in joint().items():
        if evidence[0] in (None, seen) and evidence[1] in (None, message):
            scores[category] = scores.get(category, Fraction(0)) + p
    return max(scores, key=lambda c: (scores[c], c))


def _bayes(look: object) -> Fraction:
    best: dict[tuple[str, ...], dict[str, Fraction]] = {}
    for (category, seen, evidence), p in joint().items():
        scores = best.setdefault(look(seen, evidence), {})  # type: ignore[operator]
        scores[category] = scores.get(category, Fraction(0)) + p
    return sum((max(scores.values()) for scores in best.values()), Fraction(0))
