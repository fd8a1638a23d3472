"""The documentation's page of all public names, from their signatures and docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vsebench
from vsebench.core.public_names import HOME_OF
from vsebench.core.registry import Registry

#: Title -> beginnings of the modules whose names stand below it; the first that fits counts.
SECTIONS = {
    "Sweeps, boards and runs": ("pipeline", "results.board", "runs"),
    "Components": ("core.catalogue", "core.plugins", "testing"),
    "Registries": ("core.registry",),
    "Metrics": ("metrics",),
    "Base classes": ("components", "measurements", "sweeps"),
    "What components are given and return": ("core.display", "core.types", "ops", "leaderboard"),
    "Data": ("data",),
    "Search": ("retrieval",),
    "Errors": ("core.errors",),
}
INTRODUCTION = """\
# The Python API

<!-- Written by 'python docs/generators/api_page.py'. Do not edit. -->

`import vsebench as vb` takes no torch: a name is imported when it is first used. These names are public; the modules
below the package may change. Mistakes raise a subclass of `vb.VsebenchError` with the line that a command would print.
"""


def page() -> str:
    """Return the page as Markdown."""
    lines = [INTRODUCTION]
    for title in SECTIONS:
        names = [name for name in sorted(HOME_OF, key=str.lower) if section_of(name) == title]
        lines += [f"## {title}", ""]
        if title == "Registries":
            lines += list(_registries(names))
        elif title == "Errors":
            lines += ["| error | what it says |", "|--|--|"]
            lines += [f"| `vb.{name}` | {_paragraph(getattr(vsebench, name))} |" for name in names] + [""]
        elif title == "Metrics":
            module = vsebench.metrics
            lines += [inspect.getdoc(module) or "", ""]
            for name in module.__all__:
                lines += _entry(f"metrics.{name}", getattr(module, name))
        else:
            for name in names:
                lines += _entry(name, getattr(vsebench, name))
    return "\n".join(lines)


def section_of(name: str) -> str:
    """Return the title that a public name stands below.

    Raises: KeyError for one of a module that no section has.
    """
    home = HOME_OF[name].removeprefix("vsebench.")
    for title, modules in SECTIONS.items():
        if any(home == module or home.startswith(f"{module}.") for module in modules):
            return title
    raise KeyError(f"{name} of {HOME_OF[name]} has no section in {__name__}")


def signature(target: Any) -> str:
    """Return how something is called; empty for a class whose constructor its subclasses define."""
    called = inspect.signature(target)
    parameters = [p for p in called.parameters.values() if not p.name.startswith("_") and p.name not in ("self", "cls")]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return ""
    parts = [_parameter(p) for p in parameters]
    first = next((i for i, p in enumerate(parameters) if p.kind is p.KEYWORD_ONLY), None)
    if first is not None:
        parts.insert(first, "*")
    returned = called.return_annotation
    shown = "" if inspect.isclass(target) or returned is inspect.Signature.empty else f" -> {_type(returned)}"
    return f"({', '.join(parts)}){shown}"


def _parameter(parameter: inspect.Parameter) -> str:
    text = f"**{parameter.name}" if parameter.kind is parameter.VAR_KEYWORD else parameter.name
    if parameter.annotation is not parameter.empty:
        text += f": {_type(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return text
    default = str(parameter.default) if isinstance(parameter.default, Path) else parameter.default
    return f"{text} = {default!r}" if isinstance(default, str | int | float | tuple | None) else f"{text} = …"


def _type(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _entry(name: str, target: Any) -> Iterator[str]:
    """Yield the lines of a function or class, with the public methods and properties that the class itself defines."""
    yield from (f"### vb.{name}", "", "```text", f"{name.rpartition('.')[2]}{signature(target)}", "")
    yield from (*(inspect.getdoc(target) or "").splitlines(), "```", "")
    current = [(k, v) for k, v in vars(target).items() if inspect.isclass(target) and not k.startswith("_")]
    for key, value in current:
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if inspect.isfunction(function):
            yield f"- `{key}{signature(function)}`: {_paragraph(function)}"
        elif isinstance(function, property) or hasattr(function, "attrname"):  # the latter is a cached property
            yield f"- `{key}`: {_paragraph(function)}"
    if current:
        yield ""


def _registries(names: list[str]) -> Iterator[str]:
    yield from ("A plug-in registers with the decorator of its kind: `@vb.FUSIONS.register(NAME, source=…)`.", "")
    yield from ("| registry | kind | what a component computes |", "|--|--|--|")
    for name in names:
        registry: Registry = getattr(vsebench, name)
        yield f"| `vb.{name}` | `{registry.kind}` | `{registry.noun}` |"
    yield ""
    yield from (f"`register{signature(Registry.register)}`", "", "```text")
    yield from (*(inspect.getdoc(Registry.register) or "").splitlines(), "```", "")


def _paragraph(target: Any) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join((inspect.getdoc(target) or "").split("\n\n")[0].split())


if __name__ == "__main__":
    file = Path(__file__).parent.parent.parent / "docs" / "api.md"
    file.write_text(page(), encoding="utf-8")
    print(f"wrote {file}")
