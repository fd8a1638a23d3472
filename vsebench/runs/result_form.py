"""The form of a result, checked in one place wherever results are read: runs' folders, boards, W&B."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from vsebench.core.types import MODALITIES, Result

ENCODER_SLOTS = tuple(f"{modality}_encoder" for modality in MODALITIES)
STATUSES = ("finished", "failed", "pruned")
Test = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: Any) -> bool:
    return _whole(value) and value >= 0


def _seconds(value: Any) -> bool:
    return _number(value) and math.isfinite(value) and value >= 0


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_text, value))


def _mapping_of(test: Test) -> Test:
    return lambda value: _mapping(value) and all(map(test, value.values()))


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_text, value))


def _origin(value: Any) -> bool:
    # The commit becomes a part of a path in the hub's cache, so that it is nothing but a commit.
    return (
        _mapping_of(_text)(value) and "model" in value and bool(re.fullmatch("[0-9a-f]{40}", value.get("commit", "")))
    )


#: Field -> what it must be, in words and as a test.
FORM: Mapping[str, tuple[str, Test]] = {
    "run_id": ("a text", lambda v: _text(v) and bool(v)),
    "experiment": ("a text", _text),
    "system": ("a text", _text),
    "seed": ("a whole number", _whole),
    "status": (f"one of {', '.join(STATUSES)}", lambda v: _text(v) and v in STATUSES),
    "config": ("a mapping", _mapping),
    "dataset": ("a mapping", _mapping),
    "metrics": ("a mapping of numbers", _mapping_of(_number)),
    "metric_versions": ("a mapping of whole numbers", _mapping_of(_whole)),
    "parameters": ("a mapping of counts", _mapping_of(_count)),
    "train_s": ("seconds", _seconds),
    "other_s": ("seconds", _seconds),
    "epochs": ("a count", _count),
    "best_epoch": ("a count", _count),
    "test_evaluations": ("a count", _count),
    "ranking": ("a mapping", _mapping),
    "curves": ("a mapping of mappings", _mapping_of(_mapping)),
    "versions": ("a mapping of texts", _mapping_of(_text)),
    "hub": (
        f"a mapping of {', '.join(ENCODER_SLOTS)} to model and commit",
        lambda v: _mapping_of(_origin)(v) and v.keys() <= set(ENCODER_SLOTS),
    ),
    "hardware": ("a mapping", _mapping),
    "commit": ("a text or null", lambda v: v is None or _text(v)),
    "code": ("a text", _text),
    "finished_at": ("a text", _text),
    "notes": ("a list of texts", _texts),
    "error": ("a text or null", lambda v: v is None or _text(v)),
}
#: The same of parts that every reader relies on, where they are there.
PARTS: Mapping[str, Mapping[str, tuple[str, Test]]] = {
    "dataset": {
        "name": ("a text", _text),
        "title": ("a text", _text),
        "fingerprint": ("a text", _text),
        "splits": ("a mapping of counts", _mapping_of(_count)),
        "captions": ("a mapping of counts", _mapping_of(_count)),
        "sets": ("a mapping of counts", _mapping_of(_count)),
        "features": ("a mapping of counts", _mapping_of(_count)),
        "majority": ("a mapping of numbers", _mapping_of(_number)),
        "ceilings": ("a mapping of numbers", _mapping_of(_number)),
        "num_classes": ("a count", _count),
        "slices": ("a mapping of lists of texts", _mapping_of(_texts)),
        "multi_label": ("true or false", lambda v: isinstance(v, bool)),
        "relevance": ("a text", _text),
        "split_rule": ("a text", _text),
    },
    "ranking": {"by": ("a text", _text), "ms_per_query": ("a number", _number)},
    "hardware": {"device": ("a text", _text), "threads": ("a count", _count)},
}


def parse_result(data: Any) -> Result:
    """Plain data as a result. Fields that this version does not know are left out.

    Raises: ValueError that names the first field that is missing or of another form.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"a result is a mapping of fields, not {_kind(data)}")
    for field in dataclasses.fields(Result):
        if field.name in data:
            _check(field.name, data[field.name], *FORM[field.name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"'{field.name}' is missing")
    for name, parts in PARTS.items():
        for key, value in data.get(name, {}).items():
            if key in parts:
                _check(f"{name}.{key}", value, *parts[key])
    return Result(**{name: data[name] for name in FORM if name in data})


def result_from(data: Any) -> Result | None:
    """As :func:`parse_result`; None for data that are no result."""
    try:
        return parse_result(data)
    except ValueError:
        return None


def _check(name: str, value: Any, wanted: str, test: Test) -> None:
    if not test(value):
        raise ValueError(f"'{name}' must be {wanted}, not {_kind(value)}")


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:40]}…"
    return "a list" if isinstance(value, list | tuple) else "a mapping" if isinstance(value, Mapping) else "an object"
