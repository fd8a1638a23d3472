"""Options that several components share: written once as a dataclass, taken by each as if they were its own."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SharedOptions:
    """Base of frozen dataclasses of shared options.

    A keyword-only parameter of a component whose default is an instance stands for its fields: a configuration sets
    them one by one, and the instance's values are their defaults. The dataclass's ``Args`` take the place of the
    parameter's in the component's docstring.
    """


def shared_in(owner: Callable[..., Any]) -> dict[str, SharedOptions]:
    """Return the parameters of a constructor that stand for shared options, with their defaults."""
    parameters = inspect.signature(owner).parameters
    return {name: p.default for name, p in parameters.items() if isinstance(p.default, SharedOptions)}


def splice(wrapper: Callable[..., Any], shared: Mapping[str, SharedOptions]) -> None:
    """Give a constructor's wrapper a signature in which the fields stand in the place of each parameter."""
    signature = inspect.signature(wrapper)
    parameters: list[inspect.Parameter] = []
    annotations = dict(wrapper.__annotations__)
    for parameter in signature.parameters.values():
        options = shared.get(parameter.name)
        if options is None:
            parameters.append(parameter)
            continue
        annotations.pop(parameter.name)
        hints = typing.get_type_hints(type(options), include_extras=True)
        for field in dataclasses.fields(options):
            default = getattr(options, field.name)
            annotations[field.name] = hints[field.name]
            parameters.append(parameter.replace(name=field.name, default=default, annotation=hints[field.name]))
    wrapper.__annotations__ = annotations
    wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]


def gathered(kwargs: Mapping[str, Any], shared: Mapping[str, SharedOptions]) -> dict[str, Any]:
    """Return keyword arguments with the fields of shared options put back into their dataclasses."""
    plain = dict(kwargs)
    for name, options in shared.items():
        given = {field.name: plain.pop(field.name) for field in dataclasses.fields(options) if field.name in plain}
        plain[name] = dataclasses.replace(options, **given)
    return plain


def spliced_doc(doc: str, shared: Mapping[str, SharedOptions]) -> str:
    """Return a component's docstring with the ``Args`` of each dataclass in the place of the parameter's.

    Raises: TypeError when the docstring does not describe the parameter.
    """
    for name, options in shared.items():
        args = inspect.cleandoc(type(options).__doc__ or "").partition("Args:\n")[2].partition("\n\n")[0].split("\n")
        match = re.search(rf"^( +){name}: .*\n(\1 +.*\n)*", doc, re.MULTILINE)
        if match is None:
            raise TypeError(f"the docstring's Args do not describe '{name}'")
        lines = "".join(f"{match[1]}{line.removeprefix('    ')}\n" for line in args)
        doc = doc[: match.start()] + lines + doc[match.end() :]
    return doc
