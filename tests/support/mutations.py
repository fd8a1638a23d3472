"""Strategies that damage stored files as disks, hands and strangers do, for tests that read them."""

from __future__ import annotations

import copy
import json
import math
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

#: Examples of each test here; more with VSEBENCH_FUZZ.
EXAMPLES = int(os.environ.get("VSEBENCH_FUZZ", "30"))
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 7, 3.5, 1e308, math.nan, math.inf, 10**30, "9" * 50),
    *("", "x", "../x", "/x", "é\u202e\ud800", "val/accuracy"),
    *([], {}, [1], {"a": 1}, [[]], {"": None}, {"name": "x", "options": {}}),
)


def fuzzed(examples: int = EXAMPLES) -> settings:
    """Settings of a test of damaged files: the same examples each time, unless more are asked for."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize="VSEBENCH_FUZZ" not in os.environ,
        suppress_health_check=list(HealthCheck),
        database=None,
    )


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """Plain data with one to three changes: a value replaced, removed, doubled, exchanged or renamed."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        parent, key = _place(draw, document)
        if parent is None:
            continue
        change = draw(st.sampled_from(("set", "set", "set", "remove", "double", "exchange", "rename")))
        if change == "set":
            parent[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        elif change == "remove":
            del parent[key]
        elif change == "double" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        elif change == "exchange":
            other = draw(st.sampled_from(_keys(parent)))
            parent[key], parent[other] = parent[other], parent[key]
        elif change == "rename" and isinstance(parent, dict):
            parent[draw(st.sampled_from(("x", "../y", "test/accuracy", "metric")))] = parent.pop(key)
    return document


def _keys(node: Any) -> list[Any]:
    return list(node) if isinstance(node, dict) else list(range(len(node)))


def _place(draw: st.DrawFn, document: Any) -> tuple[Any, Any]:
    """A place in nested data: what holds it, and its key."""
    parent: Any = None
    key: Any = None
    node = document
    while isinstance(node, dict | list) and node:
        parent, key = node, draw(st.sampled_from(_keys(node)))
        node = node[key]
        if draw(st.integers(0, 9)) == 0:
            break
    return parent, key


def as_bytes(document: Any) -> bytes:
    """As JSON, whatever stands in it."""
    return json.dumps(document).encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A file that was cut, overwritten in places, or is something else."""
    kind = draw(st.sampled_from(("cut", "flip", "zero", "insert", "other")))
    at = draw(st.integers(0, max(0, len(content) - 1)))
    if kind == "cut":
        return content[:at]
    if kind == "flip":
        bits = draw(st.integers(1, 255))
        return content[:at] + bytes([content[at] ^ bits]) + content[at + 1 :]
    if kind == "zero":
        length = draw(st.integers(1, 512))
        return content[:at] + bytes(len(content[at : at + length])) + content[at + length :]
    if kind == "insert":
        return content[:at] + draw(st.binary(min_size=1, max_size=16)) + content[at:]
    return draw(st.binary(max_size=64))
