"""The form of ``run.yaml``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from vsebench.core.types import OWN_SPLIT
from vsebench.runs.schemas.base import Form, Name, Whole


class DatasetSource(Form):
    """What an experiment said as ``dataset``, and what it was."""

    spec: str | dict[str, Any]
    path: str
    fingerprint: str


class Selected(Form):
    """What chose the epoch."""

    metric: str
    mode: Literal["max", "min"]


class Part(Form):
    """A run of a combination."""

    experiment: Name
    run_id: Name
    row: str
    seed: Whole


class RunFile(Form):
    """``run.yaml``: what a run is."""

    run_id: Name
    experiment: Name
    row: str
    seed: Whole
    metrics: list[str]
    select: Selected
    dataset: DatasetSource
    plugins: list[str]
    system: dict[str, Any]
    gallery: str = OWN_SPLIT
    code: str = ""
    combined: list[Part] = Field([])
