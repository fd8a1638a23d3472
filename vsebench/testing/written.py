"""What is written about a component: its docstring, with the example run, and its options."""

from __future__ import annotations

import doctest
import inspect
import io
import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from vsebench.core.component import Component

#: Kinds that are modules with tensors in and out; their docstrings say the shapes.
_SHAPED = {
    "image_encoder",
    "text_encoder",
    "audio_encoder",
    "attention",
    "pooling",
    "projection",
    "augmentation",
    "ensemble",
    "fusion",
    "head",
    "objective",
    "scorer",
    "reranker",
    "index",
}


def require(true: object, sentence: str) -> None:
    """Raise AssertionError with the sentence unless ``true``; unlike ``assert`` also under ``python -O``."""
    if not true:
        raise AssertionError(sentence)


def check_docstring(component: Component) -> None:
    """First line, Args for every parameter, Shape, an Example that runs, and the source in the decorator.

    Raises: AssertionError.
    """
    who = f"{component.kind} '{component.name}' ({component.place})"
    text = inspect.cleandoc(component.target.__doc__ or "")  # not inspect.getdoc, which inherits the base's
    require(text, f"{who} has no docstring")
    require(component.source.strip(), f"{who} has no source; name the paper or section in its decorator")
    first = text.split("\n", 1)[0]
    require(first.endswith("."), f"{who}: the docstring's first line must be a sentence that ends with a full stop")
    described = text.partition("Args:")[2]
    for parameter in (*component.wired, *component.options):
        line = rf"^\s+(\w+, )*{parameter}(, \w+)*:"
        match = re.search(line, described, re.MULTILINE)
        require(match, f"{who}: the docstring's Args do not describe '{parameter}'")
    if component.kind in _SHAPED:
        require("Shape:" in text, f"{who}: the docstring has no 'Shape:'")
    example = text.partition("Example:")[2]
    require(">>>" in example, f"{who}: the docstring has no 'Example:' with a '>>>' line")
    _run_example(component, text, who)


def _run_example(component: Component, text: str, who: str) -> None:
    names = dict(vars(sys.modules[component.target.__module__]))
    test = doctest.DocTestParser().get_doctest(text, names, who, component.place.file, component.place.line)
    output = io.StringIO()
    outcome = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=output.write)
    require(not outcome.failed, f"{who}: the docstring's example fails\n{output.getvalue()}")


def check_options(component: Component, options: Mapping[str, Any]) -> dict[str, Any]:
    """Every option has a type and goes through JSON unchanged. Returns them with the defaults filled in.

    Raises: AssertionError; ConfigError when ``options`` are not the component's.
    """
    who = f"{component.kind} '{component.name}' ({component.place})"
    for name, parameter in component.options.items():
        typed = parameter.annotation is not Any
        require(typed, f"{who}: option '{name}' has no type; a file could give it anything")
    checked = component.validate(options)
    try:
        again = json.loads(json.dumps(checked))
    except TypeError as error:
        raise AssertionError(f"{who}: its options cannot be stored as JSON ({error})") from None
    require(component.validate(again) == checked, f"{who}: its options change in JSON: {checked} -> {again}")
    return checked
