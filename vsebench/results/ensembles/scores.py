"""Weighted sums of several runs' scores, each made comparable query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vsebench.components.metric.base import Predictions
from vsebench.core.errors import DataError
from vsebench.core.registry import ENSEMBLES
from vsebench.ops.ranking import ScoreRows


def normalised(scores: np.ndarray, rule: str) -> np.ndarray:
    """Return scores of queries against a gallery, made comparable with another run's; larger stays better.

    Args:
        scores: (Q, G), larger is better.
        rule: name of the ensembling rule.

    Shape: (b, G) -> float64 (b, G).
    """
    scores = scores.astype(np.float64)
    made: np.ndarray = ENSEMBLES.build(rule, scores=scores) if scores.size else scores
    return made


def summed(rows: Sequence[ScoreRows], weights: Sequence[float]) -> ScoreRows:
    """Compute the weighted sum of several scorers; those of weight 0 are not called."""

    def total(part: slice) -> np.ndarray:
        weighted = [weight * one(part) for one, weight in zip(rows, weights, strict=True) if weight]
        return np.sum(weighted, axis=0)  # type: ignore[no-any-return]

    return total


@dataclass(frozen=True)
class Combined(Predictions):
    """A split as several runs score it together. There are no embeddings and no logits, only rankings.

    Args:
        parts: each run's predictions of the split, captions in one order (:func:`in_item_order`).
        weights: of the parts, >= 0.
        rule: how each part is normalised.
        held: direction -> what normalises each part, where it has been computed already.
    """

    parts: tuple[Predictions, ...] = ()
    weights: tuple[float, ...] = ()
    rule: str = "zscore"
    held: Mapping[str, tuple[ScoreRows, ...]] = field(default_factory=dict, repr=False)

    @property
    def retrieval(self) -> bool:
        """Ranking is all that there is."""
        return True

    def score_rows(self, direction: str) -> ScoreRows:
        """Return the scorer of a direction."""
        return summed(self.held.get(direction) or self.normalised_rows(direction), self.weights)

    def normalised_rows(self, direction: str) -> tuple[ScoreRows, ...]:
        """Each part's scores, normalised over the gallery of this split."""

        def of(rows: ScoreRows) -> ScoreRows:
            return lambda part: normalised(rows(part), self.rule)

        return tuple(of(one.score_rows(direction)) for one in self.parts)

    def _part(self, start: int, stop: int) -> Combined:
        parts = tuple(one.folds(stop - start)[start // (stop - start)] for one in self.parts)
        return replace(self, parts=parts, **_facts(parts[0]), held={}, _folds={}, _kept={})


def combined(parts: Sequence[Predictions], weights: Sequence[float], rule: str) -> Combined:
    """Several runs' predictions of one split as one.

    Raises: DataError when they are not of the same images and captions.
    """
    first = parts[0]
    for other in parts[1:]:
        if len(other.owner) != len(first.owner) or not np.array_equal(other.owner, first.owner):
            raise DataError(
                f"the runs do not rank the same captions: one has {len(first.owner):,}, another {len(other.owner):,}. "
                "A text encoder of precomputed features has one text for each item."
            )
        if not np.array_equal(other.groups, first.groups):
            raise DataError("the runs do not agree on which images show the same thing.")
    return Combined(logits=None, **_facts(first), parts=tuple(parts), weights=tuple(weights), rule=rule)


def in_item_order(predictions: Predictions) -> Predictions:
    """Order the predictions' captions item by item. Evaluation orders them by their lengths in tokens, which are each
    tokenizer's own.
    """
    order = np.argsort(predictions.owner, kind="stable")  # an item's captions come in their own order
    place = np.argsort(order)
    candidates = dict(predictions.candidates)
    if candidates:
        (result, scores), (queries, again) = candidates["i2t"], candidates["t2i"]
        candidates = {"i2t": (place[result], scores), "t2i": (queries[order], again[order])}
    return replace(
        predictions,
        embeddings={m: v[order] if m == "text" else v for m, v in predictions.embeddings.items()},
        owner=predictions.owner[order],
        pairs=None if predictions.pairs is None else predictions.pairs[:, order],
        candidates=candidates,
        _folds={},
        _kept={},
    )


def _facts(of: Predictions) -> dict[str, Any]:
    """Return the facts about the split in predictions, which no model changes."""
    names = ("labels", "multi_label", "label_names", "owner", "groups", "unranked")
    return {name: getattr(of, name) for name in names}
