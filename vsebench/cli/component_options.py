"""Options of a component on the command line: those of a dataset's builder, of an index."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import typer

from vsebench.cli.components import type_name
from vsebench.core.component import Component
from vsebench.core.errors import Collector, ConfigError, did_you_mean, known_names


def parse_options(component: Component, context: typer.Context) -> dict[str, Any]:
    """Return ``--text-column title --skip-bad`` as the component's options, by its signature.

    Args:
        component: whose options they are.
        context: the command, with the arguments that are not its own.

    Raises: ConfigError of every unknown option, and for a missing or wrong value.
    """
    options: dict[str, Any] = {}
    known = [f"--{o.replace('_', '-')}" for o in component.options if o not in ("source", "name")]
    faults = Collector()
    rest = list(context.args)
    while rest:
        option = rest.pop(0)
        written, equals, value = option.partition("=")
        key = written.removeprefix("--")
        name = key.replace("-", "_")
        if not option.startswith("--") or name not in component.options or name == "source":
            commands = [o for parameter in context.command.params for o in parameter.opts if o.startswith("--")]
            message = f"neither the command nor {component.kind} '{component.name}' has an option '{written}'."
            message += did_you_mean(written, [*known, *commands]) + known_names(known, "Options of the component")
            with faults:
                raise ConfigError(message)
            if not equals and rest and not rest[0].startswith("--"):
                rest.pop(0)  # its value
            continue
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
    faults.check()
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
