"""A registered component: its name, its target, and the options that its constructor's signature says it takes.

Parameters before the ``*`` of a constructor are wired by the model, those after it are the options that a
configuration may set. Importing this imports neither torch nor pydantic.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vsebench.core.errors import ConfigError, Place, all_of, did_you_mean, known_names


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
        options = [p for p in parameters_of(self.target) if p.kind is p.KEYWORD_ONLY]
        hints = typing.get_type_hints(signature_owner(self.target), include_extras=True) if options else {}
        return MappingProxyType({p.name: p.replace(annotation=hints.get(p.name, Any)) for p in options})

    def validate(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options, defaults filled in.

        Raises: ConfigError of every option at fault, which is its path: unknown (with the nearest name), missing, wrong
        type or out of range.
        """
        faults = [
            ConfigError(
                f"unknown option '{key}' of {self.kind} '{self.name}'."
                + did_you_mean(key, self.options)
                + known_names(self.options),
                path=(key,),
                on_key=True,
            )
            for key in options
            if key not in self.options
        ]
        known = {key: value for key, value in options.items() if key in self.options}
        try:
            checked = _validated(self._schema, known, f"{self.kind} '{self.name}'")
        except ConfigError as error:
            # A misspelt option also leaves its right name missing: the unknown one is the better message.
            lacks = [fault for fault in error.faults if not (faults and not fault.path)]
            raise all_of([*faults, *lacks]) from None
        if faults:
            raise all_of(faults)
        return checked

    def checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Validate options, and let the target check what it knows of them beyond their types, such as names of models.

        Raises: ConfigError as :meth:`validate`, and as the target's ``check_options``.
        """
        checked = self.validate(options)
        check = getattr(self.target, "check_options", None)
        if check is not None:
            check(checked)
        return checked

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
        missing = self.missing(wired)
        if missing:
            raise TypeError(f"{self.kind} '{self.name}' needs {missing} wired; got {sorted(wired)}")
        return self.target(**{k: wired[k] for k in self.wired if k in wired}, **self.validate(options))

    def missing(self, wired: Mapping[str, Any]) -> list[str]:
        """Return the wired parameters without a default that ``wired`` lacks."""
        parameters = {p.name: p for p in parameters_of(self.target)}
        return [
            name for name in self.wired if name not in wired and parameters[name].default is inspect.Parameter.empty
        ]


def signature_owner(target: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function whose signature counts: a class's constructor."""
    return target.__init__ if inspect.isclass(target) else target  # type: ignore[misc]


def parameters_of(target: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a function, or of a class's constructor without ``self``."""
    owner = signature_owner(target)
    if inspect.unwrap(owner) is object.__init__:
        return []
    results = list(inspect.signature(owner).parameters.values())
    return results[1:] if inspect.isclass(target) else results


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
    package_parent = Path(__file__).parent.parent.parent
    path = Path(file)
    for base in (package_parent, Path.cwd()):
        if path.is_relative_to(base):
            return str(path.relative_to(base))
    return file


def same_definition(a: Callable[..., Any], b: Callable[..., Any]) -> bool:
    """Return whether both come of the same lines, as when a module is imported again."""
    a, b = inspect.unwrap(a), inspect.unwrap(b)
    return a.__qualname__ == b.__qualname__ and place_of(a) == place_of(b)


def _validated(schema: Any, options: dict[str, Any], who: str) -> dict[str, Any]:
    import pydantic

    try:
        model = schema.model_validate(options)
    except pydantic.ValidationError as error:
        by_option: dict[Any, list[Any]] = {}
        for fault in error.errors(include_url=False):
            by_option.setdefault(fault["loc"][0], []).append(fault)
        raise all_of([_fault(name, values, options, who) for name, values in by_option.items()]) from None
    return {name.removeprefix("o_"): getattr(model, name) for name in schema.model_fields}


def _fault(name: Any, results: Sequence[Any], options: Mapping[str, Any], who: str) -> ConfigError:
    if results[0]["type"] == "missing":
        return ConfigError(f"{who} needs option '{name}'.")
    return ConfigError(f"option '{name}' of {who}: {in_words(results)}. Got {short(options[str(name)])}.", path=(name,))


#: What pydantic's errors of type expect; of a union, each member has one.
_EXPECTED = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "dict_type": "a block of keys",
    "model_type": "a block of keys",
    "list_type": "a list",
    "tuple_type": "a list",
    "none_required": "none",
}


def in_words(faults: Sequence[Mapping[str, Any]]) -> str:
    """Format pydantic's errors of one value as one sentence: ``must be an integer or 'r'``.

    Args:
        faults: of the value; those of a union are alternatives.
    """
    kinds = dict.fromkeys(_expected(fault) for fault in faults if _expected(fault))
    description = [f"must be {' or '.join(kinds)}"] if kinds else []
    others = (fault for fault in faults if not _expected(fault))
    return "; ".join(dict.fromkeys([*description, *map(_message, others)]))


def _expected(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "literal_error":
        return str(fault["ctx"]["expected"])
    return _EXPECTED.get(fault["type"], "")


def _message(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "too_short":
        return "must not be empty"
    return str(fault["msg"]).replace("Input should", "must").replace("Input must", "must")


def short(value: Any) -> str:
    """Format a value for a message, on one line and cut."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
