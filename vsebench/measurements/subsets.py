"""One finished run, evaluated with what is left of its modalities."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

from vsebench.config.schema import ENCODER_SLOTS
from vsebench.core.registry import MEASUREMENTS
from vsebench.leaderboard.page import Section
from vsebench.leaderboard.robustness import subset_sections
from vsebench.measurements.base import Measurement
from vsebench.runs.snapshot import Snapshot

if TYPE_CHECKING:
    from vsebench.data.dataset import Dataset
    from vsebench.runs.load import LoadedRun


@MEASUREMENTS.register("subsets", source="own; docs/robustness.md", version=2)
class Subsets(Measurement):
    """Evaluate test with every subset of the modalities that a run reads, the others absent in all items.

    Rankings of images and texts are measured where both are left; their embeddings see one modality alone, so that a
    third one changes nothing of them.

    Example:
        >>> Subsets.applies({"train": {}, "head": {"name": "mlp"}, "text_encoder": {"name": "bow"}})
        False
    """

    def measure(self, run: LoadedRun, dataset: Dataset) -> Mapping[str, Any]:
        """Evaluate a run's subsets.

        Returns: ``subsets``: ``image+text`` -> metric -> value, of those that can be evaluated, the smaller ones first;
            ``needed``: modality -> why it cannot be left out.
        """
        from vsebench.measurements._evaluator import RunEvaluator
        from vsebench.measurements._inputs import without

        evaluator = RunEvaluator(run, dataset)
        modalities = run.system.modalities
        needed = {m: why for m in modalities if (why := evaluator.missing_reason(m)) is not None}
        subsets = {}
        for size in range(1, len(modalities) + 1):
            for left in combinations(modalities, size):
                gone = [m for m in modalities if m not in left]
                if not set(gone) & set(needed):
                    subsets["+".join(left)] = evaluator.numbers(
                        without(evaluator.loader, gone) if gone else evaluator.loader
                    )
        return {"subsets": subsets, "needed": needed}

    @classmethod
    def applies(cls, config: Mapping[str, Any]) -> bool:
        """Return whether a system with a model and a head reads several modalities."""
        reads = [slot for slot in ENCODER_SLOTS.values() if config.get(slot)]
        return "train" in config and config.get("head") is not None and len(reads) > 1

    @classmethod
    def sections(cls, snapshot: Snapshot, name: str) -> list[Section]:
        """Return a table for each metric, subsets across."""
        return subset_sections(snapshot)
