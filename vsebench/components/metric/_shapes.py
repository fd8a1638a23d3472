"""Whether the arrays of predictions belong together: where lengths do not fit, a number would be of nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from vsebench.core.errors import MetricError

if TYPE_CHECKING:
    from vsebench.components.metric.base import Predictions


def check_shapes(p: Predictions) -> None:
    """Refuse predictions whose parts are of different items.

    Raises: MetricError that names the part, its length and what it would have to be.
    """
    items = len(p.labels)
    if not items:
        raise MetricError("there are no items, and nothing to measure.")
    _check_classes(p)
    _check_side(items, p.embeddings, p.owner, p.groups, "")
    if p.pairs is not None and p.pairs.shape != (items, len(p.owner)):
        raise MetricError(f"scores of pairs have shape {p.pairs.shape}; {items} items and {len(p.owner)} captions.")
    if p.answers is not None:
        _require(len(p.answers.given), items, "answers")
    if p.gallery is not None:
        side = p.gallery
        _check_side(len(side.labels), side.embeddings, side.owner, side.groups, "the gallery's ")
    if p.pairs is None and not p.ranked_gallery.pairs:
        _check_widths({**p.embeddings, **{f"the gallery's {m}": v for m, v in p.ranked_gallery.embeddings.items()}})


def captions_of(p: Predictions) -> int | None:
    """Return how many captions there are by embeddings or scores; None where neither says."""
    if "text" in p.embeddings:
        return len(p.embeddings["text"])
    return None if p.pairs is None else int(p.pairs.shape[1])


def _check_classes(p: Predictions) -> None:
    items = len(p.labels)
    if p.multi_label != (p.labels.ndim > 1):
        right = "0/1 (n, C) for multi-label data" if p.multi_label else "class numbers (n,) for single-label data"
        raise MetricError(f"labels have shape {p.labels.shape}; they are {right}.")
    if p.logits is None:
        return
    if p.logits.ndim != 2 or not p.logits.shape[1]:
        raise MetricError(f"logits have shape {p.logits.shape}; they are (n, C) with a class at least.")
    _require(len(p.logits), items, "logits")
    classes = p.logits.shape[1]
    if p.multi_label:
        if p.labels.shape[1] != classes:
            raise MetricError(f"labels are of {p.labels.shape[1]} classes, logits of {classes}.")
        bad = np.flatnonzero(((p.labels != 0) & (p.labels != 1)).any(1))
    else:
        bad = np.flatnonzero((p.labels < 0) | (p.labels >= classes))
    if len(bad):
        right = "0 or 1 for each class" if p.multi_label else f"a class from 0 to {classes - 1}"
        raise MetricError(f"the label of item {bad[0]} is {p.labels[bad[0]]}; it is {right}.")


def _check_side(
    items: int, embeddings: Mapping[str, np.ndarray], owner: np.ndarray, groups: np.ndarray, whose: str
) -> None:
    """Check the embeddings, captions and groups of one side's items."""
    _require(len(groups), items, f"{whose}groups")
    outside = np.flatnonzero((owner < 0) | (owner >= items))
    if len(outside):
        raise MetricError(f"{whose}caption {outside[0]} belongs to item {owner[outside[0]]} of {items}.")
    for modality, values in embeddings.items():
        if values.ndim != 2:
            raise MetricError(f"{whose}{modality} embeddings have shape {values.shape}; they are (n, E).")
        if modality == "text" and len(values) != len(owner):
            raise MetricError(
                f"{whose}text embeddings are of {len(values)} captions, owner says whose {len(owner)} are."
            )
        if modality != "text":
            _require(len(values), items, f"{whose}{modality} embeddings")


def _check_widths(embeddings: Mapping[str, np.ndarray]) -> None:
    ranked = {m: v.shape[1] for m, v in embeddings.items() if m.endswith(("image", "text"))}
    if len(set(ranked.values())) > 1:
        listing = ", ".join(f"{modality} {width}" for modality, width in ranked.items())
        raise MetricError(f"embeddings of different sizes cannot be compared: {listing}.")


def _require(length: int, items: int, what: str) -> None:
    if length != items:
        raise MetricError(f"{what} are of {length} items, labels of {items}.")
