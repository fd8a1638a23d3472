"""What a finished run's model costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vsebench.core.registry import MEASUREMENTS
from vsebench.leaderboard.cost import cost_sections
from vsebench.leaderboard.cost_plots import figures
from vsebench.leaderboard.page import Section
from vsebench.measurements.base import Measurement
from vsebench.runs.snapshot import Snapshot

if TYPE_CHECKING:
    from vsebench.data.dataset import Dataset
    from vsebench.runs.load import LoadedRun


@MEASUREMENTS.register("cost", source="own; docs/cost.md", version=2, every_seed=False, alone=True)
class Cost(Measurement):
    """Count parameters and operations of an answer; measure its time and memory, and the energy of the training.

    Example:
        >>> Cost().applies({"train": {}, "head": None})
        True
    """

    def measure(self, run: LoadedRun, dataset: Dataset) -> Mapping[str, Any]:
        """Return the values of the board's section ``Cost``."""
        from vsebench.measurements._cost import cost_of

        return cost_of(run, dataset)

    @classmethod
    def sections(cls, snapshot: Snapshot, name: str) -> list[Section]:
        """Return the section ``Cost``."""
        return cost_sections(snapshot, figures(snapshot))
