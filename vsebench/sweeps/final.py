"""The numbers of a run's selected epoch, and what they can be computed from again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vsebench.components.metric._curves import compact, curves_of
from vsebench.core.metric_specs import classes_left_out, compute, tuned
from vsebench.data.dataset import Dataset
from vsebench.distributed.gradient_sharing import Team
from vsebench.engine.evaluate import SplitOutputs, predict, predictions_of, reranker_of, save_predictions
from vsebench.engine.loader import Feed
from vsebench.engine.model import Model
from vsebench.engine.pair_scoring import said_of
from vsebench.engine.retrieval_gallery import GalleryFeeds
from vsebench.runs.predictions import save_vectors
from vsebench.runs.store import write_atomically
from vsebench.sweeps.plan import Run

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

    metrics: Mapping[str, float]
    ranking: Mapping[str, Any]
    curves: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


def evaluate(
    run: Run,
    dataset: Dataset,
    model: Model,
    feeds: dict[str, Feed],
    device: torch.device,
    folder: Path,
    parsed: Any,
    cache: bool,
    say: Callable[[str], None],
    team: Team,
    stacked: np.ndarray | None = None,
    gallery: GalleryFeeds | None = None,
) -> Evaluated:
    """All metrics of the selected epoch, and how and at what cost test was ranked. Test is opened here, once.

    ``stacked``: cross-fitted logits of validation, where the model's own were fitted to it.
    """
    say("evaluating")
    feeds["test"] = Feed(dataset, "test", run.system, model.encoders, cache=cache)
    metrics: dict[str, float] = {}
    ranking: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    notes: list[str] = []
    thresholds: Mapping[str, float] = {}
    known: dict[str, SplitOutputs] = {}
    train = predict(model, feeds["train"], device=device, team=team) if model.reranker is not None else None
    for split in ("val", "test"):
        outputs = predict(model, feeds[split], device=device, team=team)
        offered = None if gallery is None else gallery.offered(model, split, device=device, team=team, known=known)
        if not team.first:
            continue
        if split == "val" and stacked is not None:
            outputs = replace(outputs, logits=stacked)
        rerank = None
        if train is not None:
            rerank = reranker_of(model, train, feeds["train"].labels.numpy(), outputs, offered)
        begin = time.perf_counter()
        predictions = predictions_of(outputs, feeds[split], model, device=device, rerank=rerank, offered=offered)
        if split == "val":
            thresholds = tuned(predictions, parsed)
        predictions = replace(predictions, thresholds=thresholds)
        if predictions.retrieval:
            ranking = {"by": said_of(model)}
        if predictions.retrieval and predictions.unranked is None:
            queries = len(predictions.groups) + len(predictions.owner)
            assert predictions.ranks, "ranked here, so that it is timed"
            ranking["ms_per_query"] = 1e3 * (time.perf_counter() - begin) / queries
        found = compute(predictions, parsed)
        metrics |= {f"{split}/{name}": value for name, value in found.items()}
        notes += [f"{split}: {line}" for line in classes_left_out(predictions, parsed)]
        save_predictions(folder / f"predictions-{split}.npz", predictions, feeds[split])
        save_vectors(folder / f"vectors-{split}.npz", predictions, parsed, found)
        curves = curves_of(predictions)
    if curves:  # test's, which is the last
        write_atomically(folder / CURVES, json.dumps(curves))
    return Evaluated(metrics, ranking, compact(curves), notes)
