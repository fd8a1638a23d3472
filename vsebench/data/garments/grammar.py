"""Captions: synonyms, omissions, and words that mislead whoever only counts words."""

from __future__ import annotations

from random import Random

from vsebench.data.garments.latent import Garment

BRANDS = ("Alder", "Brook", "Cove", "Dune", "Ember", "Fjord", "Grove", "Harbor", "Inlet", "Juniper")
NOUNS = ("piece", "item", "garment", "style", "number", "classic")
COLOUR_WORDS = {
    "red": ("red", "crimson", "scarlet"),
    "blue": ("blue", "navy", "azure"),
    "green": ("green", "olive", "emerald"),
    "yellow": ("yellow", "mustard", "golden"),
    "black": ("black", "jet black", "charcoal"),
    "white": ("white", "ivory", "cream"),
    "pink": ("pink", "rose", "blush"),
    "brown": ("brown", "tan", "chocolate"),
}
PATTERN_WORDS = {
    "plain": ("plain", "solid", "unpatterned"),
    "striped": ("striped", "with stripes", "pinstriped"),
    "checked": ("checked", "plaid", "with checks"),
    "dotted": ("dotted", "polka dot", "with dots"),
}
USE_PHRASES = {
    "casual": ("for lazy weekends", "an everyday favourite", "relaxed and easy", "made for days off", "for the couch"),
    "sport": ("made for training", "for the gym", "ready to run", "for hard workouts", "sweat-wicking"),
    "formal": ("for the office", "tailored for evenings", "made for meetings", "dressy and sharp", "for the opera"),
}
#: Each also stands in a phrase above: only the "not" before it turns it.
DENIED = {"casual": "the couch", "sport": "the gym", "formal": "the office"}
DISTRACTORS = (
    "goes well with jeans",
    "wear it with a skirt",
    "nice under a sweater",
    "pairs with a blouse",
    "sold without the tee",
    "photographed with track pants",
)
DETAILS = ("new in", "limited run", "two pockets", "machine washable", "soft touch", "recycled yarn", "slim cut")


def caption(garment: Garment, omitted: bool, rng: Random) -> str:
    """Write a caption of 4 to about 20 words. It never names the silhouette, and the use only when not ``omitted``."""
    words = [rng.choice(BRANDS)] if rng.randrange(10) < 6 else []
    if rng.randrange(10) < 8:
        words.append(rng.choice(COLOUR_WORDS[garment.colour]))
    pattern = rng.choice(PATTERN_WORDS[garment.pattern]) if rng.randrange(10) < 7 else ""
    if pattern and not pattern.startswith("with"):
        words.append(pattern)
    words.append(rng.choice(NOUNS))
    if pattern.startswith("with"):
        words.append(pattern)
    parts = []
    if not omitted:
        parts.append(rng.choice(USE_PHRASES[garment.use]))
        if rng.randrange(10) < 3:
            parts.append(f"not for {DENIED[rng.choice([u for u in DENIED if u != garment.use])]}")
    if rng.randrange(10) < 4:
        parts.append(rng.choice(DISTRACTORS))
    if omitted or rng.randrange(10) < 4:
        parts.append(rng.choice(DETAILS))
    rng.shuffle(parts)
    return ", ".join([" ".join(words), *parts])
