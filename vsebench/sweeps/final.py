"""The numbers of a run's selected epoch, and what they can be computed from again."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vsebench.components.metric._curves import compact, curves_of
from vsebench.components.metric.base import Predictions
from vsebench.core.files import write_atomically
from vsebench.core.metric_specs import classes_left_out, compute, tuned
from vsebench.engine.evaluate import SplitOutputs, predict, predictions_of, reranker_of, save_predictions
from vsebench.engine.model import Model
from vsebench.engine.pair_scoring import said_of
from vsebench.runs.predictions import save_vectors
from vsebench.runs.slices import slice_numbers
from vsebench.sweeps.prepare import Prepared, RunContext

CURVES = "curves-test.json"


@dataclass(frozen=True)
class Evaluated:
    """What the selected epoch's model came to.

    Args:
        metrics: of val and test.
        ranking: how test was ranked, and at what cost.
        curves: those of test's codes that a board may draw.
        notes: which classes an average leaves out.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    ranking: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


def evaluate(context: RunContext, prepared: Prepared, stacked: np.ndarray | None = None) -> Evaluated:
    """Compute all metrics of the selected epoch, and how and at what cost test was ranked. Test is opened here, once.

    Args:
        context: of the run.
        prepared: the model and its data.
        stacked: cross-fitted logits of validation, where the model's own were fitted to it.
    """
    context.say("evaluating")
    model, loaders, gallery = prepared.model, prepared.loaders, prepared.gallery
    device, process_group = context.device, context.process_group
    loaders["test"] = context.loader("test", model)
    evaluated = Evaluated()
    thresholds: Mapping[str, float] = {}
    known: dict[str, SplitOutputs] = {}
    train = (
        predict(model, loaders["train"], device=device, process_group=process_group)
        if model.reranker is not None
        else None
    )
    for split in ("val", "test"):
        outputs = predict(model, loaders[split], device=device, process_group=process_group)
        ranked_gallery = (
            None
            if gallery is None
            else gallery.ranked_gallery(model, split, device=device, process_group=process_group, known=known)
        )
        if not process_group.is_main_process:
            continue
        if split == "val" and stacked is not None:
            outputs = replace(outputs, logits=stacked)
        rerank = None
        if train is not None:
            rerank = reranker_of(model, train, loaders["train"].labels.numpy(), outputs, ranked_gallery)
        begin = time.perf_counter()
        predictions = predictions_of(
            outputs, loaders[split], model, device=device, rerank=rerank, ranked_gallery=ranked_gallery
        )
        if split == "val":
            thresholds = tuned(predictions, prepared.metrics)
        predictions = replace(predictions, thresholds=thresholds)
        ranking = _ranking(model, predictions, begin) if predictions.retrieval else evaluated.ranking
        evaluated = _with_split(context, prepared, split, predictions, replace(evaluated, ranking=ranking))
    if evaluated.curves:  # test's, which is the last
        write_atomically(context.folder / CURVES, json.dumps(evaluated.curves))
    return replace(evaluated, curves=compact(evaluated.curves))


def _ranking(model: Model, predictions: Predictions, begin: float) -> dict[str, Any]:
    """Rank a split, and return how that was done and how long it took since ``begin``."""
    ranking: dict[str, Any] = {"by": said_of(model)}
    if predictions.unranked is None:
        queries = len(predictions.groups) + len(predictions.owner)
        assert predictions.ranks, "ranked here, so that it is timed"
        ranking["ms_per_query"] = 1e3 * (time.perf_counter() - begin) / queries
    return ranking


def _with_split(
    context: RunContext, prepared: Prepared, split: str, predictions: Predictions, before: Evaluated
) -> Evaluated:
    """Write a split's predictions, and add its numbers to those of the splits before it."""
    numbers, loader = compute(predictions, prepared.metrics), prepared.loaders[split]
    slices = loader.dataset.slices.take(loader.positions) if split == "test" else None
    save_predictions(context.folder / f"predictions-{split}.npz", predictions, loader, slices)
    save_vectors(context.folder / f"vectors-{split}.npz", predictions, prepared.metrics, numbers)
    notes = classes_left_out(predictions, prepared.metrics)
    if slices:
        by_slice, left_out = slice_numbers(predictions, slices, prepared.metrics)
        numbers, notes = numbers | by_slice, notes + left_out
    return Evaluated(
        {**before.metrics, **{f"{split}/{name}": value for name, value in numbers.items()}},
        before.ranking,
        curves_of(predictions),
        [*before.notes, *(f"{split}: {line}" for line in notes)],
    )
