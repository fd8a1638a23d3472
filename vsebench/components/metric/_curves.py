"""Curves of codes as plain data: hash lookup by radius, and precision of the first N."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vsebench.components.metric import _expected
from vsebench.components.metric._codes import Counts
from vsebench.components.metric._lookup import balls
from vsebench.components.metric.base import Predictions
from vsebench.ops.ranking import DIRECTIONS

#: Lengths of lists whose precision is drawn; the gallery's own comes last.
LENGTHS = (1, 2, 5, 10, 20, 50, *range(100, 1_001, 100), 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
DIGITS = 4


def curves_of(predictions: Predictions) -> dict[str, Any]:
    """Return the curves of both directions; empty for what has no codes, or no query with a relevant item.

    Returns: direction -> ``bits``; ``queries`` (those with a relevant item); ``gallery``; ``lookup``, with numbers for
    the radii 0 … c: ``micro`` and ``macro`` have ``precision`` and ``recall`` (pooled over all pairs, None where
    nothing is returned; or means over queries, 0 for an empty ball), ``empty`` the number of empty balls; ``topn`` with
    ``n`` and ``precision``, in expectation over the order of ties.
    """
    if not predictions.codes:
        return {}
    counts = {direction: predictions.distance_counts(direction) for direction in DIRECTIONS}
    return {direction: _curves(one) for direction, one in counts.items() if one.with_relevant.any()}


def compact(curves: Mapping[str, Any]) -> dict[str, Any]:
    """Return the curves that a board draws: the pooled lookup and the precision of the first N, to four digits."""
    return {
        direction: {
            "bits": one["bits"],
            "lookup": {name: _rounded(values) for name, values in one["lookup"]["micro"].items()},
            "topn": {"n": one["topn"]["n"], "precision": _rounded(one["topn"]["precision"])},
        }
        for direction, one in curves.items()
    }


def _curves(counts: Counts) -> dict[str, Any]:
    lookup: dict[str, Any] = {form: {"precision": [], "recall": []} for form in ("micro", "macro")}
    lookup["empty"] = []
    for radius in range(counts.bits + 1):
        result = balls(counts, radius)
        for form, numbers in (("micro", result.micro()), ("macro", result.macro())):
            for name in ("precision", "recall"):
                lookup[form][name].append(numbers.get(name))
        lookup["empty"].append(int(np.count_nonzero(result.returned == 0)))
    groups = counts.tie_groups()
    lengths = [n for n in LENGTHS if n < counts.gallery] + [counts.gallery]
    precision = [float(np.mean(_expected.hits(groups, n) / n)) for n in lengths]
    return {
        "bits": counts.bits,
        "queries": len(groups),
        "gallery": counts.gallery,
        "lookup": lookup,
        "topn": {"n": lengths, "precision": precision},
    }


def _rounded(values: list[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.{DIGITS}g}") for value in values]
