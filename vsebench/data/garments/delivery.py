"""A third part of the class, which only a sound tells: how the garment is delivered. What image, caption and sound say
of the class together, and the best accuracy that each subset of them allows.

The usual delivery depends on the use, so that a caption says something of it, and a sound something of the use.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from itertools import combinations, product
from random import Random

from vsebench.data.garments.latent import (
    CATEGORIES,
    HIDDEN,
    OMITTED,
    SILHOUETTES,
    USE_GIVEN_SILHOUETTE,
    USES,
    image_evidence,
    text_evidence,
)

DELIVERIES = ("post", "courier", "pick-up")
#: How a garment is delivered -> how its signal glides.
SIGNALS: Mapping[str, str] = {"post": "rising", "courier": "falling", "pick-up": "level"}
#: P(delivery | use) in percent.
DELIVERY_GIVEN_USE: Mapping[str, tuple[int, int, int]] = {
    "casual": (20, 60, 20),
    "sport": (60, 20, 20),
    "formal": (20, 20, 60),
}
DROWNED = Fraction(3, 100)  # a recording has noise alone
MODALITIES = ("image", "text", "audio")
LABELS = tuple(f"{category}, {delivery}" for category, delivery in product(CATEGORIES.values(), DELIVERIES))
Evidence = tuple[str, str, str]


def draw_delivery(use: str, rng: Random) -> str:
    """Draw a delivery by its probability."""
    place = rng.randrange(100)
    for delivery, percent in zip(DELIVERIES, DELIVERY_GIVEN_USE[use], strict=True):
        place -= percent
        if place < 0:
            return delivery
    raise AssertionError("shares sum to 100")


def audio_evidence(delivery: str, drowned: bool, missing: bool) -> str:
    """All that a sound, or there being none, says of the class."""
    return "nothing" if drowned or missing else SIGNALS[delivery]


def looks() -> dict[str, tuple[str, ...]]:
    """Return every subset of the modalities by name, the smallest first."""
    results = {}
    for count in (1, 2, 3):
        for subset in combinations(MODALITIES, count):
            results["all three" if count == 3 else " + ".join(subset) + (" alone" if count == 1 else "")] = subset
    return results


@cache
def joint(missing: int) -> Mapping[tuple[str, Evidence], Fraction]:
    """P(label, evidence of image, text and sound), exactly, where ``missing`` percent of the items have no sound."""
    table: dict[tuple[str, Evidence], Fraction] = {}
    silent = 1 - (1 - DROWNED) * (1 - Fraction(missing, 100))
    for silhouette, (u, use), (d, delivery) in product(SILHOUETTES, enumerate(USES), enumerate(DELIVERIES)):
        prior = Fraction(USE_GIVEN_SILHOUETTE[silhouette][u] * DELIVERY_GIVEN_USE[use][d], 100 * 100 * len(SILHOUETTES))
        label = f"{CATEGORIES[silhouette, use]}, {delivery}"
        for hidden, omitted, unheard in product((True, False), repeat=3):
            evidence = (
                image_evidence(silhouette, hidden),
                text_evidence(use, omitted),
                audio_evidence(delivery, unheard, False),
            )
            shown = (HIDDEN if hidden else 1 - HIDDEN) * (OMITTED if omitted else 1 - OMITTED)
            shown *= silent if unheard else 1 - silent
            table[label, evidence] = table.get((label, evidence), Fraction(0)) + prior * shown
    return table


@cache
def best(subset: tuple[str, ...], missing: int) -> Mapping[tuple[str, ...], tuple[str, Fraction]]:
    """Evidence of some modalities -> the most probable label, and its probability together with the evidence."""
    scores: dict[tuple[str, ...], dict[str, Fraction]] = {}
    for (label, evidence), p in joint(missing).items():
        result = scores.setdefault(_seen(subset, evidence), {})
        result[label] = result.get(label, Fraction(0)) + p
    chosen = {e: max(result, key=lambda name: (result[name], name)) for e, result in scores.items()}
    return {e: (label, scores[e][label]) for e, label in chosen.items()}


def ceilings(missing: int) -> dict[str, float]:
    """Compute the best expected accuracy from each subset of the modalities: Σ_e max_y P(y, e)."""
    return {name: float(sum(p for _, p in best(subset, missing).values())) for name, subset in looks().items()}


def decide(subset: tuple[str, ...], evidence: Evidence, missing: int) -> str:
    """Return the most probable label given the evidence of some modalities."""
    return best(subset, missing)[_seen(subset, evidence)][0]


def _seen(subset: tuple[str, ...], evidence: Evidence) -> tuple[str, ...]:
    return tuple(part for m, part in zip(MODALITIES, evidence, strict=True) if m in subset)
