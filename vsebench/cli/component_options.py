"""Options of a component on the command line: those of a dataset's builder, of an index."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Sequence
from typing import Any

from vsebench.cli.components import type_name
from vsebench.core.component import Component
from vsebench.core.errors import ConfigError, did_you_mean, known_names


def parse_options(component: Component, arguments: Sequence[str]) -> dict[str, Any]:
    """Return ``--text-column title --skip-bad`` as the component's options, by its signature.

    Raises: ConfigError for an unknown option, a missing or wrong value.
    """
    options: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        option = rest.pop(0)
        key, equals, value = option.removeprefix("--").partition("=")
        name = key.replace("-", "_")
        if not option.startswith("--") or name not in component.options or name == "source":
            known = [f"--{o.replace('_', '-')}" for o in component.options if o not in ("source", "name")]
            raise ConfigError(
                f"{component.kind} '{component.name}' has no option '{option}'."
                + did_you_mean(option, known)
                + known_names(known)
            )
        kinds = _types(component.options[name])
        if kinds == {bool}:
            options[name] = True if not equals else value.lower() in ("true", "yes", "1")
            continue
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise ConfigError(f"option '--{key}' needs a value: {type_name(component.options[name].annotation)}.")
            value = rest.pop(0)
        try:
            options[name] = int(value) if int in kinds else float(value) if float in kinds else value
        except ValueError:
            wanted = type_name(component.options[name].annotation)
            raise ConfigError(f"option '--{key}' must be {wanted}. Got '{value}'.") from None
    return options


def _types(parameter: inspect.Parameter) -> set[type]:
    def flat(annotation: Any) -> set[type]:
        if typing.get_origin(annotation) is typing.Annotated:
            return flat(typing.get_args(annotation)[0])
        arguments = [a for a in typing.get_args(annotation) if a is not type(None)]
        if arguments and typing.get_origin(annotation) is not typing.Literal:
            return set().union(*(flat(a) for a in arguments))
        return {annotation} if isinstance(annotation, type) else {str}

    return flat(parameter.annotation)
