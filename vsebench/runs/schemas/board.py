"""The form of ``leaderboard/results/<experiment>.json``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from vsebench.config.schema import Board
from vsebench.core.types import OWN_SPLIT
from vsebench.runs.schemas.base import Count, Finite, Form, Name, Number, Numbers, Positive, Share, Whole
from vsebench.runs.schemas.measures import Measured
from vsebench.runs.schemas.run import Part, Selected


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
    hardware: dict[str, Any] = Field({})
    commit: str | None = None
    finished_at: str = ""
    notes: list[str] = Field([])
    error: str | None = None


def _seed(value: str) -> str:
    if not value.removeprefix("-").isdecimal() or not value.isascii() or len(value) > 20:
        raise PydanticCustomError("seed", "must be a seed, a whole number as text")
    return value


class Row(Form):
    """A row of the board: the runs of a system, by seed."""

    model_config = ConfigDict(extra="forbid")

    name: str
    section: Literal["systems", "sweep", "indexes"]
    axes: dict[str, str]
    runs: dict[Annotated[str, AfterValidator(_seed)], Name]


class Search(Form):
    """How a sweep's rows were chosen."""

    method: str | None = None
    budget: Count | None = None
    seed: Whole | None = None
    asked: Count | None = None
    prune: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Search:
        if self.method is not None and None in (self.budget, self.seed, self.asked):
            raise PydanticCustomError("search", "must have 'budget', 'seed' and 'asked' beside 'method'")
        return self


class BoardFile(Form):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1]
    experiment: Name
    title: str
    dataset: Data
    rows: list[Row]
    seeds: list[Whole]
    select: Selected
    board: Board
    command: str
    results: list[BoardResult]
    search: Search = Search()
    gallery: str = OWN_SPLIT
    form: Literal["systems", "indexes"] = "systems"
    measures: dict[str, Measured] = Field({})

    @model_validator(mode="after")
    def _belongs_together(self) -> BoardFile:
        for check in (_once, _gallery, _systems if self.form == "systems" else _indexes):
            fault = check(self)
            if fault is not None:
                raise PydanticCustomError("together", "{fault}", {"fault": fault})
        return self


def _once(board: BoardFile) -> str | None:
    for noun, names in (("row", [row.name for row in board.rows]), ("result", [r.run_id for r in board.results])):
        twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
        if twice is not None:
            return f"must have each {noun} once: '{twice}' is there {names.count(twice)} times"
    return None


def _gallery(board: BoardFile) -> str | None:
    known = {OWN_SPLIT, *board.dataset.splits, *board.dataset.sets}
    return None if board.gallery in known else f"must rank against a set of the dataset: gallery '{board.gallery}'"


def _systems(board: BoardFile) -> str | None:
    if board.dataset.num_classes is None:
        return "must say the number of classes: 'dataset.num_classes'"
    for result in board.results:
        lacking = {"total", "trained"} - set(result.parameters)
        if result.status == "finished" and lacking:
            return f"must count parameters: result {result.run_id} lacks {', '.join(sorted(lacking))}"
    return None


def _indexes(board: BoardFile) -> str | None:
    name, _, k = board.select.metric.rpartition("@")
    if not name or not (k.isascii() and k.isdecimal()) or len(k) > 9:
        return f"must compare indexes by a metric at k, as recall@10: 'select.metric' is '{board.select.metric}'"
    if board.dataset.dim is None or "queries" not in board.dataset.splits:
        return "must say the vectors' size and the queries: 'dataset.dim', 'dataset.splits.queries'"
    lacking = next((result.run_id for result in board.results if result.config.index is None), None)
    return None if lacking is None else f"must have an index in each result: {lacking} has none"
