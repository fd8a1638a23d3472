"""``vsebench components``: what there is, from the registry."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from vsebench.cli.options import Plugins, complete_component
from vsebench.core.component import Component
from vsebench.core.errors import ConfigError
from vsebench.core.plugins import load_plugins
from vsebench.core.registry import KINDS, registry_of


def components(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[check] [KIND] [NAME]", help="Such as fusion.", autocompletion=complete_component),
    ] = None,
    option: Annotated[list[str] | None, typer.Option("-o", help="With check: an option, as in scale=2.0.")] = None,
    plugin: Plugins = None,
) -> int:
    """List what can be combined: kinds, the components of a kind, or one with its options, shapes and source.

    'vsebench components check KIND NAME' runs the conformance kit on a component: shapes, masks, gradients,
    determinism, saving, docstring. It exits with 1 when a check fails.

    Example: vsebench components fusion gated
    """
    names = words or []
    if names[:1] == ["check"]:
        if len(names) != 3:
            raise ConfigError("write 'vsebench components check KIND NAME', such as check fusion gated.")
        return check(names[1], names[2], option or (), plugin or ())
    if option:
        raise ConfigError("-o is for 'vsebench components check KIND NAME'.")
    if len(names) > 2:
        raise ConfigError("write 'vsebench components', 'components KIND' or 'components KIND NAME'.")
    load_plugins(plugin or ())
    if not names:
        _print_kinds()
    elif len(names) == 1:
        _print_kind(names[0])
    else:
        print(describe(registry_of(names[0]).get(names[1])))
    return 0


def check(kind: str, name: str, assignments: Sequence[str], plugins: Sequence[Path]) -> int:
    """Run the conformance kit on a component, and print a line for each check. Returns 0 when all pass, else 1.

    Args:
        kind: of the component, such as ``fusion``.
        name: of the component.
        assignments: options as ``scale=2.0``.
        plugins: files to import first.

    Raises: UnknownComponent; ConfigError for options that the component refuses.
    """
    load_plugins(plugins)
    component = registry_of(kind).get(name)
    options = options_of(assignments)
    from vsebench.testing.kit import MODULE_CHECKS, findings

    print(f"{kind} '{name}' ({component.place})")
    faults = count = 0
    for finding in findings(kind, name, options):
        count += 1
        faults += bool(finding.fault)
        result = "FAIL" if finding.fault else "pass"
        print(f"  {result}  {finding.check}: {finding.fault or finding.promise}", flush=True)
    if kind not in MODULE_CHECKS and count == 2:
        print(f"  Of a {kind} only these are checked; what it computes is not.")
    print(f"{count - faults} of {count} checks passed.")
    return 1 if faults else 0


def options_of(assignments: Sequence[str]) -> dict[str, Any]:
    """Return options that are given as ``name=value``, values as YAML.

    Raises: ConfigError of one that is not.
    """
    import yaml

    options = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"'{assignment}' is no option: write name=value, as in scale=2.0.")
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(f"the value of '{assignment}' is no YAML.") from None
    return options


def _print_kinds() -> None:
    width = max(len(k) for k in KINDS)
    for kind, registry in KINDS.items():
        names = registry.names()
        if names:
            print(f"{kind.ljust(width)}  {', '.join(names)}")


def _print_kind(kind: str) -> None:
    registry = registry_of(kind)
    print(f"{kind}: {registry.noun}\n")
    rows = [(name, *summary(kind, name)) for name in registry.names()]
    width = max((len(r[0]) for r in rows), default=0)
    for name, line, source in rows:
        print(f"  {name.ljust(width)}  {line}\n  {' ' * width}  {source}")
    print(f"\nMore: vsebench components {kind} NAME")


def summary(kind: str, name: str) -> tuple[str, str]:
    """First docstring line and source of a component. A built-in's file is parsed, not imported: no torch."""
    registry = registry_of(kind)
    file = registry.builtin_file(name)
    if file is not None:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                for decorator in node.decorator_list:
                    message = _registered(decorator, name)
                    if message is not None:
                        return (ast.get_docstring(node) or "").split("\n")[0], message
    component = registry.get(name)
    return component.summary, component.source


def _registered(decorator: ast.expr, name: str) -> str | None:
    if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
        return None
    if decorator.func.attr != "register" or not decorator.args:
        return None
    first = decorator.args[0]
    if not isinstance(first, ast.Constant) or first.value != name:
        return None
    for keyword in decorator.keywords:
        if keyword.arg == "source" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return ""


def describe(component: Component) -> str:
    """Everything about one component, as text."""
    lines = [f"{component.kind} '{component.name}'", f"  {component.place}", f"  source: {component.source}", ""]
    facts = {k: v for k, v in component.facts.items() if v not in ((), False, None, "")}
    lines += ["  " + line if line else "" for line in (inspect.getdoc(component.target) or "").split("\n")]
    lines += ["", "  Options:" if component.options else "  No options."]
    rows = [(name, type_name(p.annotation), default_of(p)) for name, p in component.options.items()]
    widths = [max((len(r[i]) for r in rows), default=0) for i in range(2)]
    lines += [f"    {n.ljust(widths[0])}  {t.ljust(widths[1])}  {d}" for n, t, d in rows]
    if facts:
        lines += ["", "  Facts:"]
        for name, value in facts.items():
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            first, *more = shown.split("\n")
            lines += [f"    {name}: {first}", *(f"      {line}" for line in more)]
    return "\n".join(lines)


def default_of(parameter: inspect.Parameter) -> str:
    """``default 8``, or ``required``."""
    return "required" if parameter.default is parameter.empty else f"default {parameter.default!r}"


def type_name(annotation: Any) -> str:
    """Return an option's type as a user writes it: ``int > 0``, ``one of 'mean', 'max'``, ``float or null``."""
    import types
    import typing

    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return " ".join([type_name(arguments[0]), *(_bound(b) for b in arguments[1:])]).strip()
    if origin is typing.Literal:
        return "one of " + ", ".join(repr(a) for a in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if a is type(None) else type_name(a) for a in arguments)
    if origin is list:
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return "block"
    return {str: "text", bool: "true or false"}.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _bound(bound: Any) -> str:
    for attribute, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<=")):
        if hasattr(bound, attribute):
            return f"{sign} {getattr(bound, attribute)}"
    return ""


def catalogue() -> str:
    """Return the documentation's page of all components, as Markdown."""
    lines = [
        "# Components",
        "",
        "<!-- Written by 'python -m vsebench.cli.components'. Do not edit. -->",
        "",
        "Every name that an experiment file may use, from the registry. `vsebench components KIND NAME` prints one.",
        "Dataset builders have a page of their own: [datasets.md](datasets.md).",
        "",
    ]
    for kind, registry in KINDS.items():
        names = [name for name in registry.names() if registry.builtin_file(name) is not None]  # no plug-ins
        if not names or kind == "dataset":
            continue
        lines += [f"## {kind}", "", f"`{registry.noun}`", ""]
        for name in names:
            component = registry.get(name)
            doc = inspect.getdoc(component.target) or ""
            body = doc.split("\nArgs:")[0].split("\n", 1)
            lines += [f"### {name}", "", body[0], "", f"*Source: {component.source}. `{component.place.file}`*", ""]
            if len(body) > 1 and body[1].strip():
                lines += ["```text", *inspect.cleandoc(body[1]).split("\n"), "```", ""]
            if component.options:
                lines += ["| option | type | default |", "|--|--|--|"]
                for option, parameter in component.options.items():
                    default = "required" if parameter.default is parameter.empty else f"`{parameter.default!r}`"
                    lines.append(f"| `{option}` | {type_name(parameter.annotation)} | {default} |")
                lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    target = Path(__file__).parent.parent.parent / "docs" / "components.md"
    target.write_text(catalogue(), encoding="utf-8")
    print(f"wrote {target}")
