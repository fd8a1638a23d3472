"""Lay one description of a system over another: recipe, then experiment, then row."""

from __future__ import annotations

import copy
from typing import Any

from vsebench.config.schema import SINGLE_SLOTS
from vsebench.core.types import MODALITIES

Block = dict[str, Any]


def merge_system(base: Block, over: Block) -> Block:
    """``over`` laid over ``base``.

    A component given by name replaces the one below with all its options; a block without ``name``, or with the
    same name, changes single options of it. ``train`` and ``pooling`` are merged key by key; a list replaces.
    """
    result = copy.deepcopy(base)
    for key, value in over.items():
        if key == "train" and isinstance(value, dict):
            result[key] = merge_train(result.get(key) or {}, value)
        elif key == "pooling":
            result[key] = _merge_pooling(result.get(key), value)
        elif key in SINGLE_SLOTS:
            result[key] = merge_component(result.get(key), value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def merge_train(base: Block, over: Block) -> Block:
    """Training settings laid over others; the optimiser and schedule are components."""
    result = copy.deepcopy(base)
    for key, value in over.items():
        if key in ("optimizer", "schedule"):
            result[key] = merge_component(result.get(key), value)
        elif key == "lr_scale" and isinstance(value, dict):
            result[key] = {**(result.get(key) or {}), **value}
        else:
            result[key] = copy.deepcopy(value)
    return result


def merge_component(base: Any, over: Any) -> Any:
    """One component laid over another: ``gated``, ``{temperature: 2}`` or ``{name: gated, temperature: 2}``."""
    if not isinstance(over, dict):
        return copy.deepcopy(over)
    below = {"name": base} if isinstance(base, str) else dict(base) if isinstance(base, dict) else {}
    if "name" in over and over["name"] != below.get("name"):
        below = {}
    return copy.deepcopy({**below, **over})


def per_modality(value: Any) -> bool:
    """Return whether a pooling block names modalities (``{image: mean, text: last}``) instead of one component."""
    return isinstance(value, dict) and bool(value) and "name" not in value and set(value) <= set(MODALITIES)


def _merge_pooling(base: Any, over: Any) -> Any:
    if not per_modality(over):
        return copy.deepcopy(over)
    below = base if per_modality(base) else {m: base for m in MODALITIES if base is not None}
    return {**below, **{m: merge_component(below.get(m), v) for m, v in over.items()}}


def set_path(block: Block, dotted: str, value: Any) -> Block:
    """Return a nested block that says only ``dotted: value``, laid over ``block``."""
    parts = dotted.split(".")
    over: Any = value
    for part in reversed(parts):
        over = {part: over}
    return merge_system(block, over)
