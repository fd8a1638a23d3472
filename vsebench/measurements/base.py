"""What a measure of a finished run is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vsebench.data.dataset import Dataset
    from vsebench.runs.load import LoadedRun

Take = Callable[["LoadedRun", "Dataset", Mapping[str, Any]], Mapping[str, Any]]

#: Where each measure is: a module of this package with a constant ``MEASURE``.
KNOWN: tuple[str, ...] = ("robustness", "subsets", "cost")


@dataclass(frozen=True)
class Measure:
    """One kind of measurement.

    Args:
        name: as in the experiment's block ``measure``.
        version: raised when what it gives changes; runs measured by another version are measured again.
        take: of a loaded run, its dataset and what is asked, plain data.
        every_seed: whether each seed of a row is measured, or its first finished one alone.
        alone: whether nothing else is measured at the same time, so that times are those of an idle machine.
        applies: whether it says anything of a resolved system (``Result.config``).
    """

    name: str
    version: int
    take: Take
    every_seed: bool = True
    alone: bool = False
    applies: Callable[[Mapping[str, Any]], bool] = lambda _: True


def measure_of(name: str) -> Measure:
    """A known measure. Raises: ValueError for an unknown one."""
    if name not in KNOWN:
        raise ValueError(f"no measure '{name}'; there are {', '.join(KNOWN) or 'none'}")
    found: Measure = import_module(f"vsebench.measurements.{name}").MEASURE
    return found
