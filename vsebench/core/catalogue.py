"""Find components by kind and name, and construct them, from Python."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from vsebench.core.errors import ConfigError, did_you_mean, known_names
from vsebench.core.plugins import load_entry_points
from vsebench.core.registry import registry_of


def list_components(kind: str, filter: str = "*") -> list[str]:
    """List the names of a kind's components, built in and of plug-ins; imports no torch.

    Args:
        kind: ``fusion``, ``text_encoder``, ``metric``, …
        filter: a pattern with ``*`` and ``?``, such as ``*pool*``.

    Returns: the names that match, sorted.

    Raises: UnknownComponent for another kind, with the nearest one.

    Example:
        >>> list_components("fusion", "gated*")
        ['gated', 'gated_sum']
    """
    load_entry_points()
    return [name for name in registry_of(kind).names() if fnmatchcase(name, filter)]


def create(kind: str, name: str, /, **options: Any) -> Any:
    """Construct a component, its options checked as those of an experiment file are.

    Args:
        kind: ``fusion``, ``text_encoder``, ``objective``, …
        name: a registered name.
        options: of the component (``vsebench components KIND NAME`` lists them), and what a model would wire: sizes,
            such as ``dims`` and ``dim_out`` of a fusion.

    Returns: the component: a module, an index, an optimizer. A component that is a function is called.

    Raises: UnknownComponent for another kind or name, with the nearest one; ConfigError for an option that is unknown,
        missing, of the wrong type or out of range.

    Example:
        >>> create("fusion", "gated", dims={"image": 512, "text": 300}, dim_out=256, temperature=0.5).dim_out
        256
    """
    load_entry_points()
    component = registry_of(kind).get(name)
    known = [*component.wired, *component.options]
    for option in options:
        if option not in known:
            raise ConfigError(
                f"unknown option '{option}' of {kind} '{name}'." + did_you_mean(option, known) + known_names(known),
                path=(option,),
                on_key=True,
            )
    missing = component.missing(options)
    if missing:
        raise ConfigError(f"{kind} '{name}' needs {', '.join(missing)}, which a model would wire.")
    wired = {key: options.pop(key) for key in component.wired if key in options}
    return component.build(options, **wired)
