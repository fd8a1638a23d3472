"""pydantic's errors in our words: what is wrong, what would be right."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import pydantic
from pydantic_core import PydanticCustomError

from vsebench.core.component import in_words, short
from vsebench.core.errors import ConfigError, Path, all_of, did_you_mean, known_names

M = TypeVar("M", bound=pydantic.BaseModel)


def validate(model: type[M], data: Any, what: str) -> M:
    """Validate ``data`` as ``model``.

    Args:
        model: the block's schema.
        data: plain data, as read from YAML.
        what: the block's name in messages: ``the experiment file``, ``train``.

    Raises: ConfigError of every fault, with its path.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{what} must be a block of keys. Got {short(data)}.")
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        raise _translate(model, data, error, what) from None


def one_of(expected: str) -> pydantic.WrapValidator:
    """For a field that is a union: one sentence of what is expected instead of one for each of its members.

    Args:
        expected: such as ``a dataset's name, or a block with 'name'``.
    """

    def check(value: Any, handler: pydantic.ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except pydantic.ValidationError:
            raise PydanticCustomError("one_of", "must be {expected}", {"expected": expected}) from None

    return pydantic.WrapValidator(check)


def _translate(
    model: type[pydantic.BaseModel], data: dict[str, Any], error: pydantic.ValidationError, what: str
) -> ConfigError:
    by_path: dict[Path, list[Any]] = {}
    for fault in error.errors(include_url=False):
        by_path.setdefault(_written(data, fault["loc"], fault["type"] == "missing"), []).append(fault)
    unknown = {path[:-1] for path, faults in by_path.items() if faults[0]["type"] == "extra_forbidden"}
    results = []
    for path, faults in by_path.items():
        kind, name = faults[0]["type"], ".".join(map(str, path))
        if kind == "extra_forbidden":
            known = _keys_at(model, path[:-1])
            block = ".".join(map(str, path[:-1])) or what
            message = f"unknown key '{path[-1]}' in {block}." + did_you_mean(str(path[-1]), known) + known_names(known)
            results.append(ConfigError(message, path=path, on_key=True))
        elif kind == "missing":
            # A misspelt key also leaves its right name missing: the unknown key is the better message.
            if path[:-1] not in unknown:
                results.append(ConfigError(f"{what} needs '{name}'.", path=path[:-1]))
        else:
            got = short(faults[0]["input"])
            results.append(ConfigError(f"'{name}': {in_words(faults)}. Got {got}.", path=path))
    return all_of(results)


def _written(data: Any, loc: Sequence[int | str], missing: bool) -> Path:
    """Return the part of pydantic's path that is written in the data; what it adds, names the tried member of a
    union.
    """
    path: list[int | str] = []
    for number, part in enumerate(loc):
        inside = part in data if isinstance(data, dict) else isinstance(part, int) and isinstance(data, list)
        if inside:
            data = data[part]
        elif not (missing and number == len(loc) - 1):
            continue
        path.append(part)
    return tuple(path)


def _keys_at(model: Any, path: Path) -> list[str]:
    """Return the keys of the block at a path of a model."""
    kinds = [model]
    for part in path:
        kinds = [below for kind in kinds for below in _below(kind, part)]
    return list(dict.fromkeys(name for kind in kinds for name in getattr(kind, "model_fields", {})))


def _below(kind: Any, part: int | str) -> Iterator[Any]:
    """Yield the types that may stand under a key of a type."""
    fields = getattr(kind, "model_fields", None)
    if fields is not None:
        if part in fields:
            yield from _members(fields[part].annotation)
    elif typing.get_origin(kind) is dict or (typing.get_origin(kind) is list and isinstance(part, int)):
        yield from _members(typing.get_args(kind)[-1])


def _members(annotation: Any) -> Iterator[Any]:
    """Yield the members of a union, without their metadata."""
    if typing.get_origin(annotation) is typing.Annotated:
        yield from _members(typing.get_args(annotation)[0])
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _members(member)
    else:
        yield annotation
