"""What a run needs before it begins: its folder, weights, model and data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from vsebench.config.schema import System
from vsebench.core.culprit import TRACEBACK
from vsebench.core.files import make_folder
from vsebench.core.metric_specs import Metric, parse_metrics
from vsebench.data.dataset import Dataset
from vsebench.data.splits import some_items
from vsebench.data.vocabulary import Vocabulary
from vsebench.distributed.gradient_sharing import ProcessGroup
from vsebench.engine import pretrain
from vsebench.engine.dry_run import dry_run
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.retrieval_gallery import GalleryLoaders, gallery_loaders
from vsebench.engine.train import seed_of
from vsebench.runs.provenance import write_run_file
from vsebench.runs.store import RUN, Store
from vsebench.runs.tracking import Tracker
from vsebench.sweeps.asha import Halving
from vsebench.sweeps.plan import Run
from vsebench.sweeps.suited import refuse_unlabelled

Say = Callable[[str], None]


@dataclass(frozen=True)
class RunContext:
    """What all steps of one run share.

    Args:
        run, dataset, store: what is run, on what, and where it is kept.
        device: where it computes.
        make_tracker: makes the run's tracker.
        say: called with a few words on what the run is doing.
        cache: keep frozen features on disk.
        halving: says at a rung whether the run goes on; None for a run without rungs.
        process_group: the processes that do the run together.
        begin: when it began, of ``time.perf_counter``.
    """

    run: Run
    dataset: Dataset
    store: Store
    device: torch.device
    make_tracker: Callable[[Run], Tracker]
    say: Say
    cache: bool
    halving: Halving | None
    process_group: ProcessGroup
    begin: float = field(default_factory=time.perf_counter)

    @property
    def folder(self) -> Path:
        """Where the run's files are."""
        return self.store.run_folder(self.run.run_id)

    @property
    def system(self) -> System:
        """What is run."""
        return self.run.system

    @property
    def seconds(self) -> float:
        """Time since the run began."""
        return time.perf_counter() - self.begin

    def loader(self, split: str, model: Model) -> Loader:
        """Open a split for a model; of the training split the items that the run trains on."""
        among = training_items(self.system, self.dataset, self.run.seed) if split == "train" else None
        return Loader(self.dataset, split, self.system, model.encoders, cache=self.cache, among=among)


@dataclass(frozen=True)
class Prepared:
    """A run that can begin.

    Args:
        model: with the weights that it begins with, on its device.
        vocabulary: of the training texts, where a text is read.
        loaders: split -> loader; evaluation adds ``test``.
        gallery: what queries are ranked against, where that is not their split.
        metrics: what is computed of val and test.
    """

    model: Model
    vocabulary: Vocabulary | None
    loaders: dict[str, Loader]
    gallery: GalleryLoaders | None
    metrics: Sequence[Metric]


def prepare(context: RunContext) -> Prepared:
    """Make a run's folder, weights, model and loaders, and try the model on a few items.

    Raises: ConfigError, ComponentError, DataError of what cannot be run.
    """
    run, dataset, system = context.run, context.dataset, context.system
    if context.process_group.is_main_process:
        make_folder(context.folder)
        (context.folder / TRACEBACK).unlink(missing_ok=True)  # of an earlier try
        write_run_file(context.folder / RUN, run, dataset)
    # ---- init
    checkpoints = pretrain.ensure(system, dataset, device=context.device, on_epoch=context.say)
    if context.process_group.is_main_process:
        pretrain.write_record(context.folder, checkpoints)
    vocabulary = vocabulary_of(dataset) if "text" in system.modalities else None
    torch.manual_seed(seed_of("init", run.seed))
    refuse_unlabelled(system, dataset)
    model = Model(
        system,
        num_classes=dataset.num_classes,
        multi_label=dataset.multi_label,
        vocabulary=vocabulary,
        checkpoints={slot: weights.file for slot, weights in checkpoints.items()},
        feature_dims=dataset.feature_dims,
    )
    if context.process_group.is_main_process and model.origins:
        write_run_file(context.folder / RUN, run, dataset, model.origins)
    model = model.to(context.device)
    # ---- data
    context.say("encoding")
    splits = ("train", "val") if system.objective or system.fitter else ("val",)
    loaders = {split: context.loader(split, model) for split in splits}
    dry_run(model, loaders[splits[0]], device=context.device)
    gallery = gallery_loaders(dataset, run.gallery, system, model.encoders, loaders, cache=context.cache)
    return Prepared(model, vocabulary, loaders, gallery, parse_metrics(list(run.metrics)))


def training_items(system: System, dataset: Dataset, seed: int) -> np.ndarray | None:
    """Return the positions of ``train.items`` of the training split; None for all of them."""
    count = system.train.items
    if count == "all":
        return None
    split = np.asarray(dataset.splits["train"], dtype=np.int64)
    rows = some_items(np.asarray(dataset.groups)[split], count, seed_of("items", seed))
    return split[rows]


_VOCABULARIES: dict[str, Vocabulary] = {}


def vocabulary_of(dataset: Dataset) -> Vocabulary:
    """Return the words of the training captions, and of no other split."""
    if dataset.fingerprint not in _VOCABULARIES:
        texts = [text for texts in dataset.all_texts("train") for text in texts]
        _VOCABULARIES[dataset.fingerprint] = Vocabulary.build(texts)
    return _VOCABULARIES[dataset.fingerprint]
