"""The form of a result, in a run's folder, on a board and in W&B."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from vsebench.core.errors import Place
from vsebench.core.types import Result
from vsebench.runs.schemas.base import Count, Finite, Form, Name, Number, Numbers, Positive, Share, Whole, check_form
from vsebench.runs.schemas.run import Part

Slotted = Literal["image_encoder", "text_encoder", "audio_encoder"]


class Data(Form):
    """What a dataset says of itself."""

    name: str
    title: str
    fingerprint: str
    splits: dict[str, Count]
    captions: dict[str, Count] = Field({})
    sets: dict[str, Count] = Field({})
    features: dict[str, Count] = Field({})
    majority: dict[str, Share] = Field({})
    ceilings: dict[str, Share] | None = None
    slices: dict[str, list[str]] = Field({})
    num_classes: Count | None = None
    multi_label: bool = False
    relevance: Literal["item", "group", "label"] = "item"
    split_rule: str | None = None
    dim: Count | None = None
    source: dict[str, Any] | None = None


class Slot(Form):
    """A component."""

    name: str
    options: dict[str, Any] = Field({})


class Config(Form):
    """A resolved system, or an index, as far as boards read it."""

    image_encoder: Slot | None = None
    text_encoder: Slot | None = None
    audio_encoder: Slot | None = None
    attention: Slot | None = None
    fusion: Slot | None = None
    head: Slot | None = None
    scorer: Slot | None = None
    reranker: Slot | None = None
    fitter: Slot | None = None
    pooling: dict[str, Slot] = Field({})
    objective: list[Slot] = Field([])
    index: Slot | None = None
    placebo: dict[str, str | None] | None = None


class Ranking(Form):
    """By what a run ranks, and of a combination its runs."""

    by: str = ""
    ms_per_query: Positive = 0.0
    combined: list[Part] = Field([])
    weights: list[Finite] = Field([])
    rule: str = ""


class LookUp(Form):
    """Precision and recall within each radius."""

    precision: list[Number | None]
    recall: list[Number | None]


class TopN(Form):
    """Precision of the first n."""

    n: list[Count]
    precision: list[Number | None]


class Curve(Form):
    """Curves of codes in one direction."""

    bits: Count
    lookup: LookUp
    topn: TopN

    @model_validator(mode="after")
    def _as_long(self) -> Curve:
        if len(self.lookup.precision) != len(self.lookup.recall) or len(self.topn.n) != len(self.topn.precision):
            raise PydanticCustomError("length", "must have curves whose two lists are as long as each other")
        return self


class Origin(Form):
    """The model that a hub gave. Its commit becomes a part of a path in the hub's cache: nothing but a commit."""

    model: str
    commit: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]


class Hardware(Form):
    """What a run was computed on."""

    device: str = ""
    threads: Count = 0


class BoardResult(Form):
    """A run's result on a board; its dataset is the board's."""

    run_id: Name
    experiment: str
    system: str
    seed: Whole
    status: Literal["finished", "failed", "pruned"]
    config: Config
    metrics: Numbers = Field({})
    metric_versions: dict[str, Count] = Field({})
    parameters: dict[str, Count] = Field({})
    train_s: Positive = 0.0
    other_s: Positive = 0.0
    epochs: Count = 0
    best_epoch: Count = 0
    test_evaluations: Count = 0
    ranking: Ranking = Field(default_factory=lambda: Ranking.model_validate({}))
    curves: dict[Literal["i2t", "t2i"], Curve] = Field({})
    versions: dict[str, str] = Field({})
    hub: dict[Slotted, Origin] = Field({})
    hardware: Hardware = Hardware()
    commit: str | None = None
    code: str = ""
    finished_at: str = ""
    notes: list[str] = Field([])
    error: str | None = None


class RunResult(BoardResult):
    """A run's result in its folder and in W&B; it has a dataset of its own."""

    dataset: Data


def parse_result(data: Any, place: Place) -> Result:
    """Return plain data as a result.

    Raises: DataError naming the first field at fault.
    """
    check_form(RunResult, data, place, noun="a result")
    return as_result(data)


def as_result(data: Mapping[str, Any]) -> Result:
    """Return data that have the form of a result as one, without the fields that this version does not know."""
    return Result(**{name: data[name] for name in RunResult.model_fields if name in data})
