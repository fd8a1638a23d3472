"""Measure ``robustness``: what a finished run says of test when one modality is another item's, damaged or missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vsebench.data.dataset import Dataset
from vsebench.measurements._inputs import Damage, Damager, shuffled, without
from vsebench.measurements._judge import Judge
from vsebench.measurements.base import Measure
from vsebench.runs.load import LoadedRun


def take(run: LoadedRun, dataset: Dataset, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluate test with one modality at a time changed; the others stay as they are.

    Args:
        asked: the block ``robustness`` (:class:`vsebench.config.measures.Robustness`).

    Returns: metric -> value wherever numbers stand.
        ``clean``: as it is; ``stored``: what the run stored, where today's numbers are others.
        ``shuffled``: modality -> mean over the repeats. ``dropped``: modality -> numbers; ``needed``: modality -> why
        it cannot be left out. Both of what a head decides: no ranking outlives the exchange of one side of every pair.
        ``damaged``: modality -> kind -> a list of strength and numbers, in the order asked for.
    """
    judge = Judge(run, dataset)
    clean = judge.numbers(judge.feed)
    found: dict[str, Any] = {"clean": clean, "shuffled": {}, "dropped": {}, "needed": {}, "damaged": {}}
    if stored := judge.differs(clean):
        found["stored"] = stored
    for modality in run.system.modalities if judge.decides else ():
        if asked["shuffle"] and len(judge.feed) > 1:
            repeats = [shuffled(judge.feed, modality, seed) for seed in range(asked["repeats"])]
            found["shuffled"][modality] = _mean([judge.numbers(feed, ranked=False) for feed in repeats])
        if asked["drop"]:
            why = judge.why_needs(modality)
            if why is None:
                found["dropped"][modality] = judge.numbers(without(judge.feed, [modality]), ranked=False)
            else:
                found["needed"][modality] = why
    damager = Damager(judge.feed, run.model.encoders)
    for modality in run.system.modalities:
        kinds = asked["features" if modality in judge.feed.precomputed else modality]
        for kind, strengths in kinds.items():
            points = [[s, judge.numbers(damager.damaged(modality, Damage(kind, s)))] for s in strengths]
            found["damaged"].setdefault(modality, {})[kind] = points
    return found


def _mean(numbers: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: sum(one[key] for one in numbers) / len(numbers) for key in numbers[0]}


def _has_a_model(config: Mapping[str, Any]) -> bool:
    """Not of a combination of runs."""
    return "train" in config


MEASURE = Measure("robustness", version=2, take=take, applies=_has_a_model)
