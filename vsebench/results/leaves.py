"""Plain data as its leaves, so that two of them can be compared and what differs can be named."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from vsebench.core.types import Result
from vsebench.runs.snapshot import DIGITS

#: Stands for a leaf that one side does not have.
ABSENT = "(absent)"


def leaves(value: Any, name: str = "") -> dict[str, Any]:
    """Leaf by leaf under its dotted name; an empty mapping or list is a leaf.

    Example:
        >>> leaves({"a": {"b": 1, "c": [2, {}]}})
        {'a.b': 1, 'a.c.0': 2, 'a.c.1': {}}
    """
    return dict(_walk(value, name))


def _walk(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        parts = [(str(key), one) for key, one in value.items()]
    elif isinstance(value, list | tuple) and value:
        parts = [(str(i), one) for i, one in enumerate(value)]
    else:
        yield name, value
        return
    for key, one in parts:
        yield from _walk(one, f"{name}.{key}" if name else key)


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the leaves that differ, sorted by name, as both sides have them.

    Example:
        >>> differing(leaves({"x": 1, "y": 2}), leaves({"x": 1, "z": 3}))
        {'y': (2, '(absent)'), 'z': ('(absent)', 3)}
    """
    pairs = {name: (a.get(name, ABSENT), b.get(name, ABSENT)) for name in sorted({*a, *b})}
    return {name: both for name, both in pairs.items() if not same(*both)}


def same(a: Any, b: Any) -> bool:
    """Return whether two leaves are the same: numbers by value (1 is 1.0, a truth value is no number), NaN is NaN."""
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b or (a != a and b != b)
    return bool(a == b) or (a in ({}, [], ()) and b in ({}, [], ()) and a is not None and b is not None)


def on_board(result: Result) -> dict[str, Any]:
    """Return a result's leaves, rounded to the digits of a board's results file."""
    return in_digits(leaves(dataclasses.asdict(result)))


def in_digits(results: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves with the digits that a results file keeps of them.

    Example:
        >>> in_digits({"a": 0.12345678, "b": 12345678})
        {'a': 0.123457, 'b': 12345678}
    """
    return {name: float(f"{v:.{DIGITS}g}") if isinstance(v, float) else v for name, v in results.items()}
