"""The form of ``leaderboard/results/<experiment>.json``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from vsebench.config.schema import Board
from vsebench.core.types import OWN_SPLIT
from vsebench.runs.schemas.base import Count, Form, Name, Whole
from vsebench.runs.schemas.measures import Measured
from vsebench.runs.schemas.result import BoardResult, Data
from vsebench.runs.schemas.run import Selected


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
