"""Measure ``subsets``: one finished run, evaluated with what is left of its modalities."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from vsebench.config.schema import ENCODER_SLOTS
from vsebench.data.dataset import Dataset
from vsebench.measurements._inputs import without
from vsebench.measurements._judge import Judge
from vsebench.measurements.base import Measure
from vsebench.runs.load import LoadedRun


def take(run: LoadedRun, dataset: Dataset, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluate test with every subset of the modalities that the run reads, the others absent in all items.

    Rankings of images and texts are measured where both are left; their embeddings see one modality alone, so that a
    third one changes nothing of them.

    Args:
        asked: nothing.

    Returns: ``subsets``: ``image+text`` -> metric -> value, of those that can be evaluated, the smaller ones first;
        ``needed``: modality -> why it cannot be left out.
    """
    judge = Judge(run, dataset)
    modalities = run.system.modalities
    needed = {m: why for m in modalities if (why := judge.why_needs(m)) is not None}
    found = {}
    for size in range(1, len(modalities) + 1):
        for left in combinations(modalities, size):
            gone = [m for m in modalities if m not in left]
            if not set(gone) & set(needed):
                found["+".join(left)] = judge.numbers(without(judge.feed, gone) if gone else judge.feed)
    return {"subsets": found, "needed": needed}


def _fuses(config: Mapping[str, Any]) -> bool:
    """Whether a system with a model and a head reads several modalities."""
    reads = [slot for slot in ENCODER_SLOTS.values() if config.get(slot)]
    return "train" in config and config.get("head") is not None and len(reads) > 1


MEASURE = Measure("subsets", version=2, take=take, applies=_fuses)
