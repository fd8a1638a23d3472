"""The forms of what is measured of finished runs, as boards hold it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vsebench.runs.schemas.base import Count, Finite, Form, Number, Numbers, Positive

#: A strength, and the numbers under it. JSON has lists for tuples.
Point = Annotated[tuple[Number, Numbers], Field(strict=False)]
#: Modality -> kind of damage -> strength and the numbers under it.
Damaged = dict[str, dict[str, list[Point]]]


class Spread(Form):
    """Milliseconds over repeats."""

    median: Positive
    low: Positive
    high: Positive


class Machine(Form):
    """Where it was measured."""

    device: str
    threads: Count
    load: Finite = 0.0


class Counts(Form):
    """Parameters of a part of a model."""

    total: Count
    trained: Count


class AllCounts(Counts):
    """Parameters of a model."""

    parts: dict[str, Counts]


class Cost(Form):
    """``vsebench/measurements/cost.py``."""

    answer: Literal["item", "query"]
    hardware: Machine
    parameters: AllCounts
    gflops: dict[str, Positive]
    latency_ms: dict[str, Spread]
    memory_bytes: Annotated[dict[str, Count], Field(min_length=1)]
    energy_j: dict[str, Positive] = Field({})
    energy_missing: dict[str, str] = Field({})
    not_counted: list[str] = Field([])
    gallery: Count = 0


class Robustness(Form):
    """``vsebench/measurements/robustness.py``."""

    clean: Numbers
    damaged: Damaged
    shuffled: dict[str, Numbers]
    dropped: dict[str, Numbers]
    needed: dict[str, str]
    stored: Numbers = Field({})


class Subsets(Form):
    """``vsebench/measurements/subsets.py``."""

    subsets: dict[str, Numbers]
    needed: dict[str, str]


class Measured(Form):
    """All of one run. Measurements of another version or a plug-in pass unseen: no page shows them."""

    cost: Cost | None = None
    robustness: Robustness | None = None
    subsets: Subsets | None = None
