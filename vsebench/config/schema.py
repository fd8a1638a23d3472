"""The typed form of experiments and systems. Component options are validated by the registry, all else here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PlainSerializer, Tag

from vsebench.config.faults import one_of
from vsebench.config.measures import Measures
from vsebench.core.errors import ConfigError
from vsebench.core.errors import Path as KeyPath
from vsebench.core.sizes import in_seconds
from vsebench.core.types import MODALITIES, OWN_SPLIT

#: Slots of a system that hold one component, and the kind that stands there.
SINGLE_SLOTS = {
    "image_encoder": "image_encoder",
    "text_encoder": "text_encoder",
    "audio_encoder": "audio_encoder",
    "attention": "attention",
    "fusion": "fusion",
    "head": "head",
    "scorer": "scorer",
    "reranker": "reranker",
    "fitter": "fitter",
}
ENCODER_SLOTS = {m: f"{m}_encoder" for m in MODALITIES}
#: What an objective contrasts.
Target = Literal["vectors", "embeddings", "scores"]
#: Slots that may be left empty with ``none``; ``attention: none`` is a component of its own.
OPTIONAL_SLOTS = (*ENCODER_SLOTS.values(), "head", "scorer", "reranker", "fitter", "projection", "augment")
SLOTS = (*SINGLE_SLOTS, "pooling", "objective")


class Strict(BaseModel):
    """No unknown keys, no silent conversion."""

    # Without the last, JSON has null in the place of an infinite number: another setting, with the same run id.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, ser_json_inf_nan="constants")


class Spec(Strict):
    """A component with all its options, defaults filled in."""

    name: str
    options: dict[str, Any] = {}


def _block(value: Any) -> Any:
    """Convert a component that is given by its bare name to a block."""
    return {"name": value} if isinstance(value, str) and value != "none" else None if value == "none" else value


def _bare(spec: Spec | None) -> Any:
    """Convert a component without options to its bare name, as it is written in most files."""
    return "none" if spec is None else spec.model_dump(mode="json") if spec.options else spec.name


#: A component that may be ``none``, and that a configuration shows by its bare name where it has no options.
BareSpec = Annotated[Spec | None, BeforeValidator(_block), PlainSerializer(_bare)]


def _seconds(value: Any) -> Any:
    """Convert a time such as ``2h`` or ``90 s`` to seconds; anything else is refused with an example."""
    if value is None:
        return None
    try:
        return in_seconds(value)
    except ConfigError as error:
        raise ValueError(error.message) from None


class WeightedSpec(Spec):
    """An objective, its weight in the sum, and what it contrasts: embeddings, which come from one modality alone;
    vectors, which fusion and head see; or the scores of a pairwise scorer."""

    weight: float = 1.0
    on: Target = "embeddings"


class Train(Strict):
    """How a run is trained. Every key is described in docs/experiments.md."""

    #: Most training items; whole groups of them, drawn by the run's seed.
    items: Annotated[int, Gt(1)] | Literal["all"] = "all"
    epochs: Annotated[int, Ge(0)] = 30
    batch_size: Annotated[int, Gt(0)] = 64
    eval_batch_size: Annotated[int, Gt(0)] = 256
    optimizer: Spec = Spec(name="sgd")
    schedule: Spec = Spec(name="cosine")
    warmup_epochs: Annotated[float, Ge(0)] = 0.0
    grad_clip: Annotated[float, Gt(0)] | None = None
    early_stopping: Annotated[int, Gt(0)] | None = None
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    deterministic: bool = True
    lr_scale: dict[str, Annotated[float, Gt(0)]] = {}
    augment: BareSpec = None
    feature_dtype: Literal["fp16", "fp32"] = "fp16"
    bucket_batches: Annotated[int, Gt(1)] | None = None
    compile: bool = False
    #: Seconds after which a run is ended. Not a part of what a run is: no id, record or comparison knows it.
    time_limit: Annotated[float | None, BeforeValidator(_seconds), Field(exclude=True)] = None


class Placebo(Strict):
    """A control: the modality that is read is another item's. Its row can learn nothing from it."""

    modality: Literal["image", "text", "audio"]
    #: A slice of the dataset: the other item has the same value.
    within: Annotated[str, MinLen(1)] | None = None


def _placebo(value: Any) -> Any:
    """Convert a placebo that is given by its modality to a block."""
    return None if value == "none" else {"modality": value} if isinstance(value, str) else value


class System(Strict):
    """A resolved system: components, objective and training, nothing left open."""

    recipe: str | None = None
    dim: Annotated[int, Gt(0)] = 512
    projection: BareSpec = Spec(name="linear")
    dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0
    image_encoder: Spec | None = None
    text_encoder: Spec | None = None
    audio_encoder: Spec | None = None
    attention: Spec = Spec(name="none")
    pooling: dict[str, Spec] = {}
    fusion: Spec | None = None
    absent: Literal["zero", "learned"] = "zero"
    placebo: Annotated[Placebo | None, BeforeValidator(_placebo)] = None
    head: Spec | None = Spec(name="mlp")
    objective: list[WeightedSpec] = [WeightedSpec(name="cross_entropy")]  # empty: nothing trains
    similarity: Literal["cosine", "dot", "hamming"] = "cosine"
    scorer: Spec | None = None
    rerank_top: Annotated[int, Gt(0)] | None = None
    reranker: Spec | None = None
    fitter: Spec | None = None  # takes the place of projection, fusion, head and objective
    train: Train = Train()

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that have an encoder."""
        return tuple(m for m in MODALITIES if getattr(self, ENCODER_SLOTS[m]) is not None)

    def encoder(self, modality: str) -> Spec:
        """Return the encoder of a modality that the system reads.

        Raises: KeyError for any other.
        """
        spec: Spec | None = getattr(self, ENCODER_SLOTS[modality])
        if spec is None:
            raise KeyError(modality)
        return spec

    @property
    def scores_alone(self) -> bool:
        """Whether a scorer of pairs does everything: nothing trains, ranks or classifies embeddings."""
        trained = any(term.on != "scores" for term in self.objective)
        return self.scorer is not None and self.rerank_top is None and self.head is None and not trained

    def components(self) -> list[tuple[str, Spec]]:
        """Every (kind, component) of the system, training included."""
        results: list[tuple[str, Spec]] = []
        for slot, kind in SINGLE_SLOTS.items():
            spec = getattr(self, slot)
            if spec is not None:
                results.append((kind, spec))
        results += [("pooling", s) for s in self.pooling.values()]
        results += [("objective", s) for s in self.objective]
        bare = (("projection", self.projection), ("augmentation", self.train.augment))
        results += [(kind, spec) for kind, spec in bare if spec is not None]
        return [*results, ("optimizer", self.train.optimizer), ("schedule", self.train.schedule)]


class SelectBlock(Strict):
    """Which validation number chooses the epoch. Without a metric, one that fits systems and data (config/select.py);
    the mode is the metric's."""

    metric: Annotated[str, Field(pattern=r"^val/")] | None = None
    mode: Literal["max", "min"] | None = None


class Prune(Strict):
    """Which runs of a sweep are stopped early: asynchronous successive halving (Li et al. 2020, arXiv:1810.05934)."""

    name: Literal["asha"] = "asha"
    min_epochs: Annotated[int, Gt(0)] = 1
    reduction: Annotated[int, Ge(2)] = 3

    @property
    def text(self) -> str:
        """How boards and results say it."""
        return f"{self.name}, min_epochs {self.min_epochs}, reduction {self.reduction}"


Number = Annotated[int | float, one_of("a number")]


class Range(Strict):
    """Numbers that a search draws from: integers when all of its ends and its step are."""

    low: Number
    high: Number
    step: Number | None = None
    log: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether integers are drawn."""
        return all(isinstance(n, int) for n in (self.low, self.high, self.step) if n is not None)

    @property
    def count(self) -> int | None:
        """How many values there are; None for a continuous range."""
        if self.step is None and not self.is_integer:
            return None
        return round((self.high - self.low) / (self.step or 1)) + 1

    @property
    def text(self) -> str:
        """How ``--dry-run`` says it."""
        parts = [f"{self.low} … {self.high}"]
        parts += ["integers"] if self.is_integer else []
        parts += ["log"] if self.log else []
        parts += [f"step {self.step}"] if self.step is not None else []
        return ", ".join(parts)

    def nearest(self, drawn: float) -> int | float:
        """Return the value that is used for a drawn number: on the range's steps, else to four significant digits, so
        that the board shows the very number that was used.
        """
        if self.is_integer:
            return round(drawn)
        if self.step is not None:
            return float(f"{self.low + round((drawn - self.low) / self.step) * self.step:.10g}")
        return min(max(float(f"{drawn:.4g}"), float(self.low)), float(self.high))


class Sweep(Strict):
    """A grid over components and settings, or a search. Axes are dotted keys of a system."""

    method: Literal["grid", "random", "tpe"] = "grid"
    budget: Annotated[int, Gt(0)] | None = None
    seed: Annotated[int, Ge(0), Lt(2**32)] = 0
    round: Annotated[int, Gt(0)] = 4
    prune: Prune | None = None
    fraction: Annotated[str, Field(pattern=r"^[1-9]\d*/[1-9]\d*$")] | None = None
    #: Of the sweep's points; those of the experiment without them.
    seeds: Annotated[list[Annotated[int, Ge(0)]], MinLen(1)] | None = None
    base: dict[str, Any] = {}
    grid: dict[str, Any] = {}
    zip: list[dict[str, Any]] = []
    exclude: list[dict[str, Any]] = []
    space: dict[str, Any] = {}  # axis → Range, validated axis by axis for better messages

    @property
    def axes(self) -> list[str]:
        """The axes whose values are written out."""
        return [axis for block in (self.grid, *self.zip) for axis in block]


class Reference(Strict):
    """Figures that somebody else published, shown in a table of their own."""

    title: str
    source: str
    note: str | None = None
    columns: Annotated[list[str], MinLen(1)]
    rows: dict[str, list[Annotated[str | float | int | None, one_of("text, a number or nothing")]]]


class Pivot(Strict):
    """A table with one axis of the grid across: for each metric a column per value."""

    by: str
    metrics: Annotated[list[Annotated[str, Field(pattern=r"^(val|test)/")]], MinLen(1)]


class Claim(Strict):
    """What an experiment was made to test: a row is better than another."""

    claim: Annotated[str, MinLen(1)]
    row: str
    over: str


class Board(Strict):
    """What the leaderboard says beside the numbers."""

    description: str | None = None
    protocol: list[str] = []
    reference: Reference | None = None
    references: list[Reference] | None = None
    pivot: Pivot | None = None
    plots: list[Literal["lookup", "topn"]] | None = None
    claims: list[Claim] | None = None
    #: Names of experiments with the same rows on other data, by which claims are tested again.
    repeats: list[Annotated[str, MinLen(1)]] | None = None


class ExperimentFile(Strict):
    """The top level of an experiment file."""

    experiment: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    title: str | None = None
    dataset: Annotated[str | dict[str, Any], one_of("a dataset's name or file, or one block with 'name' and 'options'")]
    gallery: Annotated[str, MinLen(1)] = OWN_SPLIT
    metrics: Annotated[list[str], MinLen(1)] = ["accuracy"]
    select: SelectBlock = SelectBlock()
    seeds: Annotated[list[Annotated[int, Ge(0)]], MinLen(1)] = [0]
    train: dict[str, Any] = {}
    plugins: list[str] = []
    systems: dict[str, dict[str, Any]] = {}
    #: A grid or a search, or a list of grids.
    sweep: (
        Annotated[
            Annotated[Sweep, Tag("block")] | Annotated[list[Sweep], MinLen(1), Tag("list")],
            Discriminator(lambda value: "list" if isinstance(value, list) else "block"),
        ]
        | None
    ) = None
    measure: Measures = Measures({})
    board: Board = Board()

    @property
    def sweeps(self) -> dict[KeyPath, Sweep]:
        """The blocks of ``sweep``, by where they stand in the file."""
        if isinstance(self.sweep, list):
            return {("sweep", i): block for i, block in enumerate(self.sweep)}
        return {} if self.sweep is None else {("sweep",): self.sweep}

    @property
    def prune(self) -> Prune | None:
        """How runs of the sweep are stopped early; a list of grids has none."""
        return self.sweep.prune if isinstance(self.sweep, Sweep) else None
