"""pydantic's errors in our words: what is wrong, what would be right."""

from __future__ import annotations

from typing import Any, TypeVar

import pydantic

from vsebench.errors import ConfigError, did_you_mean, known_names

M = TypeVar("M", bound=pydantic.BaseModel)


def validate(model: type[M], data: Any, what: str) -> M:
    """``data`` as ``model``.

    Args:
        what: the block's name in messages: ``the experiment file``, ``train``.

    Raises: ConfigError with the path of the first fault.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{what} must be a block of keys. Got {_short(data)}.")
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        raise _translate(model, error, what) from None


def _translate(model: type[pydantic.BaseModel], error: pydantic.ValidationError, what: str) -> ConfigError:
    # A misspelt key also leaves its right name missing: the unknown key is the better message.
    faults = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    first = faults[0]
    path = tuple(part for part in first["loc"] if not _is_union_branch(part))
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        block = ".".join(map(str, path[:-1])) or what
        message = f"unknown key '{path[-1]}' in {block}." + did_you_mean(str(path[-1]), known) + known_names(known)
        return ConfigError(message, path=path, on_key=True)
    name = ".".join(map(str, path))
    if first["type"] == "missing":
        return ConfigError(f"{what} needs '{name}'.", path=path[:-1])
    said = "; ".join(dict.fromkeys(_say(e) for e in faults if e["loc"][: len(path)] == first["loc"][: len(path)]))
    return ConfigError(f"'{name}': {said}. Got {_short(first['input'])}.", path=path)


def _say(fault: Any) -> str:
    if fault["type"] == "too_short":
        return "must not be empty"
    return str(fault["msg"]).replace("Input should", "must").replace("Input must", "must")


def _is_union_branch(part: int | str) -> bool:
    # pydantic names the tried member of a union in the path: "str", "dict[str,any]", "constrained-int".
    return isinstance(part, str) and (part in {"str", "int", "float", "bool"} or "[" in part or "-" in part)


def _keys_at(model: type[pydantic.BaseModel], path: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in path:
        field = getattr(current, "model_fields", {}).get(part)
        if field is None:
            return []
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        current = next((k for k in kinds if isinstance(k, type) and issubclass(k, pydantic.BaseModel)), None)
    return list(getattr(current, "model_fields", {}))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
