"""Predictions of codes with a gallery of its own, and slow loops over them."""

from __future__ import annotations

import numpy as np

from vsebench.components.metric._sides import Gallery
from vsebench.components.metric.base import Predictions


def codes(rng: np.random.Generator, count: int, bits: int) -> np.ndarray:
    return rng.choice(np.array([-1, 1], np.float32), size=(count, bits))


def labels(rng: np.random.Generator, count: int, classes: int, share: float = 0.4) -> np.ndarray:
    return (rng.random((count, classes)) < share).astype(np.int64)


def predictions(
    query: np.ndarray,
    ranked_gallery: np.ndarray | None,
    *,
    image: np.ndarray,
    text: np.ndarray,
    gallery_image: np.ndarray | None = None,
    gallery_text: np.ndarray | None = None,
    gallery_owner: np.ndarray | None = None,
    similarity: str = "hamming",
) -> Predictions:
    """``query`` and ``ranked_gallery``: labels, 0/1 (n, C) or classes (n,); None for a split against itself."""
    several = query.ndim > 1
    gallery = None
    if ranked_gallery is not None:
        assert gallery_image is not None
        assert gallery_text is not None
        owner = np.arange(len(ranked_gallery)) if gallery_owner is None else gallery_owner
        groups = np.arange(len(ranked_gallery)) if several else ranked_gallery
        gallery = Gallery(ranked_gallery, {"image": gallery_image, "text": gallery_text}, owner, groups)
    return Predictions(
        None,
        query,
        multi_label=several,
        embeddings={"image": image, "text": text},
        owner=np.arange(len(query)),
        groups=np.arange(len(query)) if several else query,
        similarity=similarity,  # type: ignore[arg-type]
        unranked="by label here;" if several else None,
        gallery=gallery,
    )


def random_predictions(
    rng: np.random.Generator, queries: int = 5, gallery: int = 7, bits: int = 3, classes: int = 4
) -> Predictions:
    """Several labels, a gallery of its own, each item with a text."""
    return predictions(
        labels(rng, queries, classes),
        labels(rng, gallery, classes),
        image=codes(rng, queries, bits),
        text=codes(rng, queries, bits),
        gallery_image=codes(rng, gallery, bits),
        gallery_text=codes(rng, gallery, bits),
    )


def distance(a: np.ndarray, b: np.ndarray) -> int:
    return sum(x != y for x, y in zip(a.tolist(), b.tolist(), strict=True))


def loops(p: Predictions, direction: str) -> tuple[np.ndarray, np.ndarray]:
    """Hamming distances, and 1 for a match, (queries, gallery), pair by pair."""
    one, other = ("image", "text") if direction == "i2t" else ("text", "image")
    ranked_gallery = p.ranked_gallery
    asked_items = np.arange(len(p.labels)) if one == "image" else p.owner
    gallery_items = np.arange(len(ranked_gallery.labels)) if other == "image" else ranked_gallery.owner
    apart = [[distance(a, b) for b in ranked_gallery.embeddings[other]] for a in p.embeddings[one]]

    def match(a: int, b: int) -> int:
        if p.labels.ndim > 1:
            return int(any(x and y for x, y in zip(p.labels[a], ranked_gallery.labels[b], strict=True)))
        return int(p.groups[a] == ranked_gallery.groups[b])

    good = [[match(a, b) for b in gallery_items] for a in asked_items]
    return np.array(apart), np.array(good)
