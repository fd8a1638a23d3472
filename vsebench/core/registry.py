"""Components by kind and name. The constructor's signature is the schema; names are listed without importing torch.

A built-in component is one file in its kind's folder, and the file's stem is its name. A plug-in registers from
anywhere (``plugins.py``). What a registered component is and takes stands in ``component.py``.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from vsebench.core.checked import checked
from vsebench.core.component import Component, same_definition
from vsebench.core.errors import DuplicateComponent, UnknownComponent, did_you_mean, known_names
from vsebench.core.plugins import LOADED_PLUGINS

T = TypeVar("T", bound=Callable[..., Any])


class Registry:
    """The components of one kind.

    Args:
        kind: ``fusion``.
        package: folder of the built-ins, ``vsebench.components.fusion``; each file without a leading underscore and not
            named ``base`` registers its own stem.
        noun: one line that says what the kind computes.
        facts: the facts that a decorator of this kind may state, with their defaults, besides ``version``, which is 1
            and is part of a run's id.
        required: facts without a default, which every decorator of this kind states.
    """

    def __init__(
        self,
        kind: str,
        package: str,
        noun: str,
        facts: Mapping[str, Any] | None = None,
        required: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        self.package = package
        self.noun = noun
        self.facts = {"version": 1, **(facts or {})}  # raised when the same options give other numbers
        self.required = required
        self._components: dict[str, Component] = {}

    def __repr__(self) -> str:
        return f"Registry({self.kind!r}, {len(self.names())} names)"

    def __contains__(self, name: object) -> bool:
        return name in self._components or name in self._files()

    def register(self, name: str, *, source: str, **facts: Any) -> Callable[[T], T]:
        """Decorate a class (or function) to give it a name.

        Its keyword-only options are checked on every construction, from a file or from Python.

        Raises: DuplicateComponent naming both places; TypeError for an unknown fact, or without a required one.
        """
        known = {*self.facts, *self.required}
        unknown = set(facts) - known
        if unknown:
            raise TypeError(f"unknown facts {sorted(unknown)} of {self.kind} '{name}'; known: {sorted(known)}")
        for fact in self.required:
            if fact not in facts:
                raise TypeError(f"{self.kind} '{name}' must state {fact}; it has no default")

        def decorate(target: T) -> T:
            wrapped = checked(target, f"{self.kind} '{name}'", lambda: self._components.get(name))
            component = Component(self.kind, name, wrapped, source, MappingProxyType({**self.facts, **facts}))
            before = self._components.get(name)
            if before is not None and not same_definition(before.target, target):
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
            return wrapped

        return decorate

    def names(self) -> list[str]:
        """Every name, sorted, built-in and registered by plug-ins. Imports none of them."""
        return sorted({*self._files(), *self._components})

    def loaded(self) -> list[Component]:
        """Return the components whose files this process has imported."""
        return list(self._components.values())

    def builtin_file(self, name: str) -> Path | None:
        """Return the file of a built-in component."""
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
            hint = message + did_you_mean(name, names) + known_names(names) + plugins
            raise UnknownComponent(hint, component=f"{self.kind} '{name}'")
        return self._components[name]

    def build(self, name: str, options: Mapping[str, Any] | None = None, **wired: Any) -> Any:
        """Validate the options and construct the component."""
        return self.get(name).build(options or {}, **wired)

    def forget(self, name: str) -> None:
        """Take a plug-in's name back (for tests and notebooks that register a class again)."""
        self._components.pop(name, None)

    @functools.cache  # noqa: B019  (one registry per kind lives as long as the process)
    def _files(self) -> Mapping[str, Path]:
        folder = Path(__file__).parent.parent.joinpath(*self.package.split(".")[1:])
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
    "image_encoder", "vsebench.components.image_encoder", "pixels (B, 3, H, W) -> Tokens (B, N, D)", _ENCODER_FACTS
)
TEXT_ENCODERS = Registry(
    "text_encoder", "vsebench.components.text_encoder", "ids (B, N) and mask -> Tokens (B, N, D)", _ENCODER_FACTS
)
AUDIO_ENCODERS = Registry(
    "audio_encoder", "vsebench.components.audio_encoder", "waveform (B, T) -> Tokens (B, N, D)", _ENCODER_FACTS
)
ATTENTIONS = Registry(
    "attention", "vsebench.components.attention", "{modality: Tokens} -> {modality: Tokens}", _TOKEN_FACTS
)
POOLINGS = Registry(
    "pooling",
    "vsebench.components.pooling",
    "Tokens, other modalities' Tokens -> (B, D)",
    {**_TOKEN_FACTS, "fixed": False},  # no parameters, sees its own tokens only, and gives a single token back as it is
)
FUSIONS = Registry(
    "fusion",
    "vsebench.components.fusion",
    "{modality: (B, D_m)} -> (B, D)",
    {
        **_MODEL_FACTS,
        "needs_tokens": False,  # forward(vectors, tokens) instead of forward(vectors)
        "compares": False,  # the documents of a batch: forward(vectors, present), and it masks what one lacks
    },
)
HEADS = Registry(
    "head",
    "vsebench.components.head",
    "(B, D) -> logits (B, C)",
    {"reads": ("joint",)},  # what forward takes: the joint vector, the modalities' vectors, or both in this order
)
OBJECTIVES = Registry(
    "objective",
    "vsebench.components.objective",
    "Output, Batch -> named loss terms",
    {
        "needs": (),  # modalities
        "needs_labels": True,  # unlabelled data cannot train it
        "needs_logits": False,  # reads Output.logits, which a system without a head does not have
        "takes_scores": False,  # can contrast Output.scores, those of a pairwise scorer, instead of embeddings
        "needs_compared": False,  # reads Output.compared, which fusions give that compare documents
        "needs_parts": False,  # reads Output.parts, which heads fill that read the modalities' vectors
    },
)
SCORERS = Registry("scorer", "vsebench.components.scorer", "image Tokens (n), text Tokens (m) -> scores (n, m)")
RERANKERS = Registry("reranker", "vsebench.components.reranker", "a ranking -> a ranking")
PROJECTIONS = Registry("projection", "vsebench.components.projection", "pooled vector (B, D_m) -> (B, D)")
AUGMENTATIONS = Registry(
    "augmentation", "vsebench.components.augmentation", "pixels (B, 3, H, W) in training -> pixels (B, 3, H, W)"
)
ENSEMBLES = Registry(
    "ensemble", "vsebench.components.ensemble", "one run's scores (b, G) -> scores that can be summed (b, G)"
)
CORRUPTIONS = Registry(
    "corruption",
    "vsebench.components.corruption",
    "one input, strength -> a damaged input",
    {
        "title": "",  # in tables; the name where it is empty
        "unit": "",  # behind strengths in tables; %: they are shares
        "axis": {},  # modality or features -> label of a plot's axis
        "falling": False,  # larger strengths are milder, as those of a signal-to-noise ratio
    },
    required=("meaning",),  # modality or features that it changes -> what its strength is, in a few words
)
INDEXES = Registry(
    "index",
    "vsebench.components.index",
    "vectors (n, D), added once -> the k nearest of a query",
    {
        "exact": False,  # its hits are those of comparing with every vector
        "coarse": False,  # a bit per number or fewer: of short vectors it finds few of the nearest
    },
)
FITTERS = Registry(
    "fitter",
    "vsebench.components.fitter",
    "vectors of each modality -> embeddings or codes (B, E)",
    {
        "codes": False,  # embeddings are −1 and +1, ranked by Hamming distance
        "needs_labels": False,  # unlabelled data cannot train it
        "needs": (),  # modalities
        "trains_encoders": False,  # its fit can train encoders; others want them frozen
    },
)
OPTIMIZERS = Registry("optimizer", "vsebench.components.optimizer", "parameter groups -> torch optimizer")
SCHEDULES = Registry(
    "schedule", "vsebench.components.schedule", "share of the training done -> factor of the learning rate"
)
METRICS = Registry(
    "metric",
    "vsebench.components.metric",
    "stored predictions -> named numbers",
    {
        "needs": ("logits",),
        "shows": None,  # how its numbers are shown: a core.display.Display
        "folds": False,  # ranks parts of a split against themselves: no gallery of other items
        "forms": (),  # how an entry goes on behind the name, e.g. ("", "@{k}:min"); read off its options if empty
        "classes": None,  # of an average over classes, those that it is over: Predictions -> bool (C,)
        "tune": None,  # what is chosen on validation and kept for test: Predictions of validation -> named thresholds
        # how it is resampled, if at all: (Predictions, counts int32 (n, B), **options) -> key -> float64 (B,), of which
        # number b has item i counts[i, b] times; NaN where these items have none of what it is of
        "resample": None,
    },
    required=("higher_is_better",),  # which epoch, row and cell is the best
)
MEASUREMENTS = Registry(
    "measurement",
    "vsebench.measurements",
    "a finished run -> named values beside its metrics",
    {
        "every_seed": True,  # False: of each row's first finished run alone
        "alone": False,  # nothing else is measured meanwhile, so that times are those of an idle machine
    },
)
EXECUTORS = Registry("executor", "vsebench.sweeps.executors", "runs of a sweep -> results in the store")
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

#: Every registry above, by the name of its kind.
KINDS: dict[str, Registry] = {value.kind: value for value in list(globals().values()) if isinstance(value, Registry)}


def registry_of(kind: str) -> Registry:
    """Return the registry of a kind.

    Raises: UnknownComponent with the nearest kind.
    """
    if kind not in KINDS:
        raise UnknownComponent(f"unknown kind '{kind}'." + did_you_mean(kind, KINDS) + known_names(KINDS))
    return KINDS[kind]
