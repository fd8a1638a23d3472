"""What is computed of validation after every epoch: the number that selects the epoch, and others for the history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from vsebench.core.errors import ConfigError
from vsebench.core.metric_specs import compute, metric_entry, mode_of, needs_embeddings, parse_metrics, tuned
from vsebench.engine.evaluate import predict, predictions_of
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.retrieval_gallery import GalleryLoaders
from vsebench.sweeps.prepare import RunContext

#: Items that are ranked after every epoch though no epoch is selected by it.
MOST_RANKED = 1_000
#: Metrics of where the first match stands: of a split that is ranked anyway they cost next to nothing.
RANKS = ("recall", "rsum", "median_rank")


def validation(context: RunContext, gallery: GalleryLoaders | None) -> Callable[[Model, Loader], Mapping[str, float]]:
    """Return a function that computes an epoch's validation numbers: of the metric by which an epoch is selected, and
    for the history of every other metric that costs little beside it.
    """
    key = context.run.select_metric.removeprefix("val/")
    selecting = parse_metrics([metric_entry(key)])
    others = [metric for metric in parse_metrics(context.run.metrics) if metric not in selecting]
    ranking = needs_embeddings(selecting)
    device, process_group = context.device, context.process_group

    def validate(model: Model, loader: Loader) -> Mapping[str, float]:
        quickly = _ranks_quickly(model, loader, gallery)
        ranked = ranking or quickly
        outputs = predict(model, loader, device=device, embeddings=ranked, process_group=process_group)
        ranked_gallery = (
            gallery.ranked_gallery(model, "val", device=device, process_group=process_group)
            if gallery is not None and ranked
            else None
        )
        predictions = predictions_of(outputs, loader, model, device=device, ranked_gallery=ranked_gallery)
        quick = [m for m in others if quickly or not needs_embeddings([m]) or (ranking and m.name in RANKS)]
        predictions = replace(predictions, thresholds=tuned(predictions, [*selecting, *quick]))
        numbers = compute(predictions, selecting)
        if key not in numbers:
            known = ", ".join(f"val/{name}" for name in numbers) or "none"
            raise ConfigError(
                f"select.metric '{context.run.select_metric}' is not among the numbers of this system: {known}."
            )
        numbers = compute(predictions, quick) | numbers
        return {f"val/{name}": value for name, value in numbers.items() if name == key or mode_of(name) is not None}

    return validate


def _ranks_quickly(model: Model, loader: Loader, gallery: GalleryLoaders | None) -> bool:
    """Return whether ranking a split costs little, and is what evaluation does in the end: one caption an item, which
    needs no further pass through the model, no scores of pairs, no re-ranking, no other set, and few items.
    """
    plain = gallery is None and model.scorer is None and model.reranker is None
    return plain and len(loader) <= MOST_RANKED and int(loader.captions_per_item.max(initial=1)) <= 1
