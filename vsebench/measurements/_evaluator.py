"""A finished run on its test split, as it is or changed: the numbers, and what may be left out of its items."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vsebench.config.absent import why_all_need
from vsebench.core.metric_specs import compute, needs_embeddings, parse_metrics
from vsebench.data.dataset import Dataset
from vsebench.engine.evaluate import RankedGallery, predict, predictions_of
from vsebench.engine.loader import Loader
from vsebench.engine.retrieval_gallery import gallery_loaders
from vsebench.runs.load import LoadedRun

#: Those of an experiment's metrics that are computed again of changed inputs.
AGAIN = ("accuracy", "vqa_accuracy", "average_precision", "recall", "rsum", "map", "hamming_map")
#: Parts of keys of what these metrics give beside themselves.
BESIDE = {"chance", "skipped", "micro", "weighted"}
#: How far a number may be from the one that the run stored, where sums have another order: an item of 1,000.
TOLERANCE = 1e-3


class RunEvaluator:
    """Evaluates one run's test split, and changed copies of it, by those of the run's metrics that say what it is good
    for.

    Args:
        run: loaded.
        dataset: that it was trained on.
    """

    def __init__(self, run: LoadedRun, dataset: Dataset) -> None:
        self.run, self.dataset = run, dataset
        self.loader = Loader(dataset, "test", run.system, run.model.encoders)
        self.metrics = [metric for metric in parse_metrics(run.metrics) if metric.name in AGAIN]
        self.ranked_gallery: RankedGallery | None = None
        gallery = gallery_loaders(dataset, run.gallery, run.system, run.model.encoders, {})
        if gallery is not None and needs_embeddings(self.metrics):
            self.ranked_gallery = gallery.ranked_gallery(run.model, "test", device=run.device)

    @property
    def decides(self) -> bool:
        """Whether the system classifies."""
        return self.run.system.head is not None

    def numbers(self, loader: Loader, *, ranked: bool = True) -> dict[str, float]:
        """Compute the metrics of a split; those of retrieval only where ``ranked``. An external gallery stays as
        it is.
        """
        model, device = self.run.model, self.run.device
        ranked = ranked and needs_embeddings(self.metrics)
        outputs = predict(model, loader, device=device, embeddings=ranked)
        ranked_gallery = self.ranked_gallery if ranked else None
        metrics = compute(
            predictions_of(outputs, loader, model, device=device, ranked_gallery=ranked_gallery), self.metrics
        )
        return {key: float(value) for key, value in metrics.items() if not set(key.split("/")) & BESIDE}

    def differs(self, clean: Mapping[str, float]) -> dict[str, float]:
        """Return the run's stored metrics that differ from those recomputed now."""
        stored = self.run.result.metrics
        return {
            key: stored[f"test/{key}"]
            for key, value in clean.items()
            if f"test/{key}" in stored and abs(stored[f"test/{key}"] - value) > TOLERANCE
        }

    def missing_reason(self, modality: str) -> str | None:
        """Why an item cannot be evaluated without a modality; None where it can.

        What an objective needs in training does not count. A learned vector counts only once it was learned.
        """
        system = self.run.system
        if len(system.modalities) == 1:
            return "it reads nothing else"
        why = why_all_need(system.model_copy(update={"objective": ()}), modality)
        learned = system.absent == "learned" and "joint" in self.run.model.head_reads
        if why is None and learned and not self._missing_in_training(modality):
            return f"its vector of an absent {modality} was never trained: no training item lacks it"
        return why

    def _missing_in_training(self, modality: str) -> bool:
        train = self.dataset.splits["train"]
        if modality in self.loader.precomputed:
            present = self.dataset.feature_counts(modality)[train] > 0
        elif modality == "text":
            present = np.array([bool(texts) for texts in self.dataset.all_texts("train")])
        else:
            sounds = modality == "audio"
            present = self.dataset.sound_seconds(train) > 0 if sounds else self.dataset.has_image(train)
        return not bool(present.all())
