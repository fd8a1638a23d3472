"""Components by kind and name. The constructor's signature is the schema; names are listed without importing torch.

A built-in component is one file in its kind's folder, and the file's stem is its name. A plug-in registers from
anywhere. Parameters before the ``*`` of a constructor are wired by the model, those after it are the options that
a configuration may set.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys
import typing
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

from vsebench.errors import (
    ConfigError,
    DuplicateComponent,
    Place,
    PluginError,
    UnknownComponent,
    did_you_mean,
    known_names,
)

T = TypeVar("T", bound=Callable[..., Any])

ENTRY_POINT_GROUP = "vsebench.plugins"


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
        return _place(self.target)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.target) or "").strip().split("\n", 1)[0]

    @functools.cached_property
    def wired(self) -> tuple[str, ...]:
        """Names of the parameters that the model supplies."""
        return tuple(p.name for p in _parameters(self.target) if p.kind is p.POSITIONAL_OR_KEYWORD)

    @functools.cached_property
    def options(self) -> Mapping[str, inspect.Parameter]:
        """The parameters that a configuration may set, with resolved annotations."""
        hints = typing.get_type_hints(_signature_owner(self.target), include_extras=True)
        found = (p for p in _parameters(self.target) if p.kind is p.KEYWORD_ONLY)
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
        parameter = inspect.signature(_signature_owner(self.target)).parameters[name]
        return parameter.default is not parameter.empty


class Registry:
    """The components of one kind.

    Args:
        kind: ``fusion``.
        package: folder of the built-ins, ``vsebench.fusion``; each file without a leading underscore and not named
            ``base`` registers its own stem.
        noun: one line that says what the kind computes.
        facts: the facts that a decorator of this kind may state, with their defaults.
    """

    def __init__(self, kind: str, package: str, noun: str, facts: Mapping[str, Any] | None = None) -> None:
        self.kind = kind
        self.package = package
        self.noun = noun
        self.facts = dict(facts or {})
        self._components: dict[str, Component] = {}

    def __repr__(self) -> str:
        return f"Registry({self.kind!r}, {len(self.names())} names)"

    def __contains__(self, name: object) -> bool:
        return name in self._components or name in self._files()

    def register(self, name: str, *, source: str, **facts: Any) -> Callable[[T], T]:
        """Decorate a class (or function) to give it a name.

        Its keyword-only options are checked on every construction, from a file or from Python.

        Raises: DuplicateComponent naming both places; TypeError for an unknown fact.
        """
        unknown = set(facts) - set(self.facts)
        if unknown:
            raise TypeError(f"unknown facts {sorted(unknown)} of {self.kind} '{name}'; known: {sorted(self.facts)}")

        def decorate(target: T) -> T:
            checked = _checked(target, self, name)
            component = Component(self.kind, name, checked, source, MappingProxyType({**self.facts, **facts}))
            before = self._components.get(name)
            if before is not None and not _same_definition(before.target, target):
                raise DuplicateComponent(
                    f"{self.kind} '{name}' is registered twice: at {before.place} and at {component.place}. "
                    "Give one of them another name."
                )
            if before is None and name in self._files() and target.__module__ != f"{self.package}.{name}":
                raise DuplicateComponent(
                    f"{self.kind} '{name}' is registered twice: at {self._files()[name]} and at {component.place}. "
                    "Give yours another name."
                )
            self._components[name] = component
            return checked

        return decorate

    def names(self) -> list[str]:
        """Every name, sorted, built-in and registered by plug-ins. Imports none of them."""
        return sorted({*self._files(), *self._components})

    def builtin_file(self, name: str) -> Path | None:
        """The file of a built-in component."""
        return self._files().get(name)

    def get(self, name: str) -> Component:
        """Look a component up; imports its file on first use.

        Raises: UnknownComponent with the nearest name, what exists, and which plug-ins were loaded.
        """
        if name not in self._components and name in self._files():
            importlib.import_module(f"{self.package}.{name}")
        if name not in self._components:
            plugins = f" Plug-ins loaded: {', '.join(sorted(LOADED_PLUGINS)) or 'none'}."
            message = f"unknown {self.kind} '{name}'."
            names = self.names()
            raise UnknownComponent(message + did_you_mean(name, names) + known_names(names) + plugins)
        return self._components[name]

    def build(self, name: str, options: Mapping[str, Any] | None = None, **wired: Any) -> Any:
        """Validate the options and construct the component."""
        return self.get(name).build(options or {}, **wired)

    def forget(self, name: str) -> None:
        """Take a plug-in's name back (for tests and notebooks that register a class again)."""
        self._components.pop(name, None)

    @functools.cache  # noqa: B019  (one registry per kind lives as long as the process)
    def _files(self) -> Mapping[str, Path]:
        folder = Path(__file__).parent.joinpath(*self.package.split(".")[1:])
        stems = {f.stem: f for f in sorted(folder.glob("*.py"))}
        return {s: f for s, f in stems.items() if s != "base" and not s.startswith("_")}


#: What a decorator may state of any part of a model.
_MODEL_FACTS: dict[str, Any] = {
    "needs": (),  # modalities without which the component makes no sense, e.g. ("image", "text")
    "cross_modal": False,  # one modality's result depends on another modality
}
#: And of one that works on sets of tokens.
_TOKEN_FACTS: dict[str, Any] = {**_MODEL_FACTS, "ordered": True}  # False: the order of the tokens does not matter

#: Of an encoder: whether it reads the raw modality or the dataset's precomputed features.
_ENCODER_FACTS: dict[str, Any] = {"reads": "raw"}

IMAGE_ENCODERS = Registry(
    "image_encoder", "vsebench.encoders.image", "pixels (B, 3, H, W) -> Tokens (B, N, D)", _ENCODER_FACTS
)
TEXT_ENCODERS = Registry(
    "text_encoder", "vsebench.encoders.text", "ids (B, N) and mask -> Tokens (B, N, D)", _ENCODER_FACTS
)
AUDIO_ENCODERS = Registry(
    "audio_encoder", "vsebench.encoders.audio", "waveform (B, T) -> Tokens (B, N, D)", _ENCODER_FACTS
)
ATTENTIONS = Registry("attention", "vsebench.attention", "{modality: Tokens} -> {modality: Tokens}", _TOKEN_FACTS)
POOLINGS = Registry(
    "pooling",
    "vsebench.pooling",
    "Tokens, other modalities' Tokens -> (B, D)",
    {**_TOKEN_FACTS, "fixed": False},  # no parameters, sees its own tokens only, and gives a single token back as it is
)
FUSIONS = Registry(
    "fusion",
    "vsebench.fusion",
    "{modality: (B, D_m)} -> (B, D)",
    {**_MODEL_FACTS, "needs_tokens": False},  # forward(vectors, tokens) instead of forward(vectors)
)
HEADS = Registry(
    "head",
    "vsebench.heads",
    "(B, D) -> logits (B, C)",
    {"reads": ("joint",)},  # what forward takes: the joint vector, the modalities' vectors, or both in this order
)
OBJECTIVES = Registry(
    "objective",
    "vsebench.objectives",
    "Output, Batch -> named loss terms",
    {
        "needs": (),  # modalities
        "needs_labels": True,  # unlabelled data cannot train it
        "needs_logits": False,  # reads Output.logits, which a system without a head does not have
        "takes_scores": False,  # can contrast Output.scores, those of a pairwise scorer, instead of embeddings
        "needs_parts": False,  # reads Output.parts, which heads fill that read the modalities' vectors
    },
)
SCORERS = Registry("scorer", "vsebench.scorers", "image Tokens (n), text Tokens (m) -> scores (n, m)")
RERANKERS = Registry("reranker", "vsebench.rerankers", "a ranking -> a ranking")
INDEXES = Registry(
    "index",
    "vsebench.index",
    "vectors (n, D), added once -> the k nearest of a query",
    {
        "exact": False,  # its hits are those of comparing with every vector
        "coarse": False,  # a bit per number or fewer: of short vectors it finds few of the nearest
    },
)
FITTERS = Registry(
    "fitter",
    "vsebench.fitters",
    "vectors of each modality -> embeddings or codes (B, E)",
    {
        "codes": False,  # embeddings are −1 and +1, ranked by Hamming distance
        "needs_labels": False,  # unlabelled data cannot train it
        "needs": (),  # modalities
        "trains_encoders": False,  # its fit can train encoders; others want them frozen
    },
)
OPTIMIZERS = Registry("optimizer", "vsebench.optimizers", "parameter groups -> torch optimizer")
SCHEDULES = Registry("schedule", "vsebench.schedules", "share of the training done -> factor of the learning rate")
METRICS = Registry(
    "metric",
    "vsebench.metrics",
    "stored predictions -> named numbers",
    {
        "version": 1,
        "higher_is_better": True,
        "needs": ("logits",),
        "folds": False,  # ranks parts of a split against themselves: no gallery of other items
        "forms": (),  # how an entry goes on behind the name, e.g. ("", "@{k}:min"); read off its options if empty
    },
)
DATASETS = Registry(
    "dataset",
    "vsebench.data.builders",
    "source files -> dataset file",
    {
        "embedded": False,  # generated, needs no source
        "get": "",  # where to get the source files
        "licence": "",
        "layout": "",  # of the source folder, a path a line
        "marker": (),  # relative paths of which one must exist in a source folder of this layout
    },
)

KINDS: dict[str, Registry] = {
    r.kind: r
    for r in (
        IMAGE_ENCODERS,
        TEXT_ENCODERS,
        AUDIO_ENCODERS,
        ATTENTIONS,
        POOLINGS,
        FUSIONS,
        HEADS,
        OBJECTIVES,
        SCORERS,
        RERANKERS,
        INDEXES,
        FITTERS,
        OPTIMIZERS,
        SCHEDULES,
        METRICS,
        DATASETS,
    )
}

#: Plug-ins imported in this process: how they were named → their module.
LOADED_PLUGINS: dict[str, ModuleType] = {}


def registry_of(kind: str) -> Registry:
    """The registry of a kind.

    Raises: UnknownComponent with the nearest kind.
    """
    if kind not in KINDS:
        raise UnknownComponent(f"unknown kind '{kind}'." + did_you_mean(kind, KINDS) + known_names(KINDS))
    return KINDS[kind]


def load_plugin_file(path: Path | str, *, place: Place | None = None) -> ModuleType:
    """Import a Python file that registers components. A file that was imported already is not imported again.

    Raises: PluginError when it is missing or its import fails, with the line at fault.
    """
    file = Path(path).expanduser().resolve()
    if str(file) in LOADED_PLUGINS:
        return LOADED_PLUGINS[str(file)]
    if not file.is_file():
        raise PluginError(f"plug-in '{path}' does not exist (looked at {file}).", place=place)
    if file.suffix != ".py":
        raise PluginError(f"plug-in '{path}' is not a .py file.", place=place)
    name = f"vsebench_plugin_{file.stem}_{zlib.crc32(str(file).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise PluginError(f"plug-in '{path}' cannot be imported.", place=place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        if isinstance(error, DuplicateComponent):
            raise
        message = f"plug-in '{path}' fails on import{_fault_line(error, file)}: {_say(error)}"
        raise PluginError(message, place=place) from error
    LOADED_PLUGINS[str(file)] = module
    return module


def load_entry_points() -> None:
    """Import the plug-ins of installed packages (entry-point group ``vsebench.plugins``).

    Raises: PluginError when one fails on import.
    """
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name in LOADED_PLUGINS:
            continue
        try:
            LOADED_PLUGINS[point.name] = point.load()
        except DuplicateComponent:
            raise
        except Exception as error:
            raise PluginError(f"plug-in '{point.name}' ({point.value}) fails on import: {_say(error)}") from error


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _fault_line(error: BaseException, file: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f" (line {error.lineno})"
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""


def _signature_owner(target: Callable[..., Any]) -> Callable[..., Any]:
    return target.__init__ if inspect.isclass(target) else target  # type: ignore[misc]


def _parameters(target: Callable[..., Any]) -> list[inspect.Parameter]:
    owner = _signature_owner(target)
    found = list(inspect.signature(owner).parameters.values())
    return found[1:] if inspect.isclass(target) else found


def _place(target: Callable[..., Any]) -> Place:
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


def _same_definition(a: Callable[..., Any], b: Callable[..., Any]) -> bool:
    a, b = inspect.unwrap(a), inspect.unwrap(b)
    return a.__qualname__ == b.__qualname__ and _place(a) == _place(b)


def _checked(target: T, registry: Registry, name: str) -> T:
    """``target`` with its keyword-only options validated on each construction or call."""
    owner = _signature_owner(target)
    for parameter in _parameters(target):
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            raise TypeError(f"{registry.kind} '{name}' takes *args or **kwargs; its signature is its schema")

    @functools.wraps(owner)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        component = registry._components.get(name)
        # A subclass that calls super().__init__ passes through here too: only this component's options are checked.
        if component is not None:
            options = {k: v for k, v in kwargs.items() if k in component.options}
            kwargs = {**kwargs, **component.validate(options)}
        return owner(*args, **kwargs)

    if inspect.isclass(target):
        target.__init__ = wrapper  # type: ignore[misc, method-assign]
        return target
    return typing.cast(T, wrapper)


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
