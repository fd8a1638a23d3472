"""A registered component: its name, its target, and the options that its constructor's signature says it takes.

Parameters before the ``*`` of a constructor are wired by the model, those after it are the options that a
configuration may set. Importing this imports neither torch nor pydantic.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vsebench.errors import ConfigError, Place, did_you_mean, known_names


@dataclass(frozen=True)
class Component:
    """One registered name: its target (a class or function) and the facts its decorator states."""

    kind: str
    name: str
    target: Callable[..., Any]
    source: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """File and line of the definition."""
        return place_of(self.target)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.target) or "").strip().split("\n", 1)[0]

    @functools.cached_property
    def wired(self) -> tuple[str, ...]:
        """Names of the parameters that the model supplies."""
        return tuple(p.name for p in parameters_of(self.target) if p.kind is p.POSITIONAL_OR_KEYWORD)

    @functools.cached_property
    def options(self) -> Mapping[str, inspect.Parameter]:
        """The parameters that a configuration may set, with resolved annotations."""
        hints = typing.get_type_hints(signature_owner(self.target), include_extras=True)
        found = (p for p in parameters_of(self.target) if p.kind is p.KEYWORD_ONLY)
        return MappingProxyType({p.name: p.replace(annotation=hints.get(p.name, Any)) for p in found})

    def validate(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options, defaults filled in.

        Raises: ConfigError whose path is the option at fault: unknown (with the nearest name), missing, wrong type
        or out of range.
        """
        for key in options:
            if key not in self.options:
                message = f"unknown option '{key}' of {self.kind} '{self.name}'."
                raise ConfigError(
                    message + did_you_mean(key, self.options) + known_names(self.options),
                    path=(key,),
                    on_key=True,
                )
        return _validated(self._schema, dict(options), f"{self.kind} '{self.name}'")

    @functools.cached_property
    def _schema(self) -> Any:
        import pydantic

        fields: dict[str, Any] = {}
        for name, parameter in self.options.items():
            default = ... if parameter.default is parameter.empty else parameter.default
            # Field names may not shadow BaseModel's methods or start with "model_": alias each of them.
            fields[f"o_{name}"] = (parameter.annotation, pydantic.Field(default, alias=name))
        config = pydantic.ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)
        return pydantic.create_model(f"{self.kind}_{self.name}", __config__=config, **fields)

    def build(self, options: Mapping[str, Any], **wired: Any) -> Any:
        """Construct it. ``wired`` may offer more than the constructor takes; what it lacks is our own mistake."""
        missing = [name for name in self.wired if name not in wired and not self._has_default(name)]
        if missing:
            raise TypeError(f"{self.kind} '{self.name}' needs {missing} wired; got {sorted(wired)}")
        return self.target(**{k: wired[k] for k in self.wired if k in wired}, **self.validate(options))

    def _has_default(self, name: str) -> bool:
        parameter = inspect.signature(signature_owner(self.target)).parameters[name]
        return parameter.default is not parameter.empty


def signature_owner(target: Callable[..., Any]) -> Callable[..., Any]:
    """The function whose signature counts: a class's constructor."""
    return target.__init__ if inspect.isclass(target) else target  # type: ignore[misc]


def parameters_of(target: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function, or of a class's constructor without ``self``."""
    owner = signature_owner(target)
    found = list(inspect.signature(owner).parameters.values())
    return found[1:] if inspect.isclass(target) else found


def place_of(target: Callable[..., Any]) -> Place:
    """File and line of a definition."""
    plain = inspect.unwrap(target)
    file = inspect.getsourcefile(plain) or "?"
    try:
        line = inspect.getsourcelines(plain)[1]
    except OSError:
        line = None
    return Place(_short(file), line)


def _short(file: str) -> str:
    package_parent = Path(__file__).parent.parent
    path = Path(file)
    for base in (package_parent, Path.cwd()):
        if path.is_relative_to(base):
            return str(path.relative_to(base))
    return file


def same_definition(a: Callable[..., Any], b: Callable[..., Any]) -> bool:
    """Whether both come of the same lines, as when a module is imported again."""
    a, b = inspect.unwrap(a), inspect.unwrap(b)
    return a.__qualname__ == b.__qualname__ and place_of(a) == place_of(b)


def _validated(schema: Any, options: dict[str, Any], who: str) -> dict[str, Any]:
    import pydantic

    try:
        model = schema.model_validate(options)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = tuple(first["loc"])
        if first["type"] == "missing":
            raise ConfigError(f"{who} needs option '{path[0]}'.", path=path[:-1]) from None
        # A union reports its members one below the other: the option is what the user wrote.
        detail = "; ".join(dict.fromkeys(e["msg"] for e in error.errors() if e["loc"][0] == path[0]))
        raise ConfigError(
            f"option '{path[0]}' of {who}: {detail}. Got {first['input']!r}."
            if len(path) == 1
            else f"option '{path[0]}' of {who}: {detail}. Got {options[str(path[0])]!r}.",
            path=path[:1],
        ) from None
    return {name.removeprefix("o_"): getattr(model, name) for name in schema.model_fields}
