"""Which component an exception comes from, in one line for whoever wrote it."""

from __future__ import annotations

import inspect
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from vsebench.core.component import Component, place_of
from vsebench.core.errors import DiskError, Place, VsebenchError
from vsebench.core.files import make_folder, write_atomically
from vsebench.core.home import home
from vsebench.core.registry import KINDS

TRACEBACK = "traceback.txt"


@dataclass(frozen=True)
class Culprit:
    """Where a component fails.

    Args:
        component: the innermost one that the traceback passes through.
        place: the innermost line of its own file.
        function: which that line is in.
    """

    component: Component
    place: Place
    function: str


def component_of(target: Any) -> Component | None:
    """Return the registered component that an object is an instance of, or that a class or function is."""
    classes = target.__mro__ if inspect.isclass(target) else (target, *type(target).__mro__)
    owners = {id(component.target): component for component in _registered()}
    return next((owners[id(one)] for one in classes if id(one) in owners), None)


def described(instance: Any, method: str = "__init__") -> str:
    """``fusion 'my_fusion' (my_fusion.py:34)``: an instance of a component, and where one of its methods stands."""
    component = component_of(instance)
    name = type(instance).__name__ if component is None else f"{component.kind} '{component.name}'"
    return f"{name} ({place_of(getattr(type(instance), method))})"


def culprit_of(error: BaseException) -> Culprit | None:
    """Return the component that an exception was raised in, or None where it passes through none.

    Modules inside a component, such as a linear layer, count as its own.
    """
    stack = list(traceback.walk_tb(error.__traceback__))
    functions = {code: c for c in _registered() if (code := _code_of(c)) is not None}
    for frame, _ in reversed(stack):
        component = _owner(frame, functions)
        if component is None:
            continue
        file = inspect.getsourcefile(inspect.unwrap(component.target))
        for inner, line in reversed(stack):
            if inner.f_code.co_filename == file:
                place = Place(place_of(component.target).file, line)
                return Culprit(component, place, inner.f_code.co_name)
        return Culprit(component, component.place, frame.f_code.co_name)
    return None


def in_one_line(error: BaseException) -> str:
    """Describe an error and the line of the component that raised it; for the user's own faults, return their
    message.
    """
    if isinstance(error, VsebenchError):
        return str(error)
    first = (str(error).strip().splitlines() or ["no message"])[0].rstrip(".")
    what = f"{type(error).__name__}: {first}"
    culprit = culprit_of(error)
    if culprit is not None:
        who = f"{culprit.component.kind} '{culprit.component.name}'"
        return f"{who} fails at {culprit.place}, in {culprit.function}: {what}."
    stack = traceback.extract_tb(error.__traceback__)
    return f"{what} (at {stack[-1].filename}:{stack[-1].lineno})." if stack else f"{what}."


def keep_traceback(error: BaseException, file: Path | None = None) -> str:
    """Write an exception's whole traceback to a file, in vsebench's home without one, and say where it is.

    Returns: a sentence with a space before it; nothing where it cannot be written.
    """
    file = home() / TRACEBACK if file is None else file
    try:
        make_folder(file.parent)
        write_atomically(file, "".join(traceback.format_exception(error)))
    except (OSError, DiskError):  # the error that led here is the one to be told
        return ""
    return f" The whole traceback: {file}"


def _registered() -> list[Component]:
    return [component for registry in KINDS.values() for component in registry.loaded()]


def _code_of(component: Component) -> CodeType | None:
    return getattr(inspect.unwrap(component.target), "__code__", None)


def _owner(frame: FrameType, functions: dict[CodeType, Component]) -> Component | None:
    if frame.f_code in functions:
        return functions[frame.f_code]
    instance = frame.f_locals.get("self")
    return None if instance is None else component_of(instance)
