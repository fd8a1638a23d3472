"""What of an experiment does not apply to its dataset, said with the plan: before an encoder is loaded or trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vsebench.config.absent import why_all_need
from vsebench.config.axes import Row
from vsebench.config.buildable import Parts, sizes_of
from vsebench.config.experiment import Experiment
from vsebench.config.schema import ENCODER_SLOTS, System
from vsebench.core.errors import Collector, ConfigError, MetricError, did_you_mean
from vsebench.core.metric_specs import Metric, compute, metric_entry, mode_of, parse_metrics
from vsebench.core.registry import FITTERS, METRICS, OBJECTIVES, registry_of
from vsebench.core.types import MODALITIES
from vsebench.engine.placebo import other_items

if TYPE_CHECKING:
    from vsebench.components.metric.base import Predictions
    from vsebench.data.dataset import Dataset

_NOUNS = {"image": "images", "text": "texts", "audio": "sounds"}
#: Items of the predictions that metrics are tried on, and numbers of an embedding.
_ITEMS, _WIDTH = 8, 8


@dataclass(frozen=True)
class Gives:
    """What the predictions of a row's runs hold.

    Args:
        logits: whether it classifies.
        embeddings: modalities that can be ranked on validation.
        codes: embeddings are codes.
        pairs: a scorer ranks every pair, or ``first`` those that embeddings rank first; empty without one.
        reranked: images are re-ranked by their classes.
    """

    logits: bool
    embeddings: tuple[str, ...]
    codes: bool
    pairs: str
    reranked: bool


def suited(experiment: Experiment, dataset: Dataset) -> Experiment:
    """Return the experiment with the defaults that suit a dataset.

    Raises: ConfigError of everything that does not apply to it, each fault once: a split that is missing, a modality or
        labels that a row needs, a metric, or a row without the number that chooses its epoch; and of a part that cannot
        be built.
    """
    experiment = experiment.on(dataset.describe())
    rows = [*experiment.rows, *experiment.tried]
    faults = Collector()
    with faults:
        _check_splits(experiment, dataset, rows)
    faults.check()
    parts, trial = Parts(sizes_of(dataset)), _Trial(experiment, dataset)

    def accepts(system: System) -> None:
        check_system(system, dataset)
        parts.check(system)

    for row in rows:
        try:
            accepts(row.system)
        except ConfigError as error:
            faults.faults += row.placed(error).faults
    faults.check()
    given = [(row, _given(row.system, dataset)) for row in rows]
    _check_metrics(experiment, given, trial, faults)
    _check_select(experiment, given, trial, faults)
    faults.check()
    if experiment.space is not None:
        experiment = replace(experiment, space=replace(experiment.space, accepts=accepts))
    return experiment


def unused(experiment: Experiment, dataset: Dataset) -> list[str]:
    """Return the requested metrics and corruptions that no row can give, a line each."""
    trial, rows = _Trial(experiment, dataset), (*experiment.rows, *experiment.tried)
    given = {_given(row.system, dataset) for row in rows}
    lines = []
    for entry in experiment.metrics:
        results = [trial.keys(gives, metric) for gives in given for metric in parse_metrics([entry])]
        if not any(keys is None or keys for keys in results):
            lines.append(f"no row gives '{entry}'; it is left out.")
    measure = experiment.spec.measure
    read = {modality for row in rows for modality in row.system.modalities}
    for name in measure.requested():
        for modality in [m for m in MODALITIES if m in measure.given(name) and m not in read]:
            lines.append(f"no row reads {_NOUNS[modality]}; measure.{name}.{modality} is left out.")
    return lines


def check_system(system: System, dataset: Dataset) -> None:
    """Refuse a system that needs what a dataset lacks.

    Raises: ConfigError of every fault, whose path leads into the system.
    """
    faults = Collector()
    for modality in system.modalities:
        with faults:
            _check_modality(system, dataset, modality)
    with faults:
        refuse_unlabelled(system, dataset)
    with faults:
        _check_items(system, dataset)
    if system.placebo is not None:
        for split in sorted({"train", "val", "test"} & set(dataset.splits)):
            with faults:
                other_items(dataset, split, system.placebo)
    faults.check()


def _check_items(system: System, dataset: Dataset) -> None:
    """Refuse a part of the training split that is none, or that encoders would have learned beyond."""
    count, split = system.train.items, np.asarray(dataset.splits.get("train", ()), np.int64)
    if count == "all":
        return
    sizes = np.unique(np.asarray(dataset.groups)[split], return_counts=True)[1]
    if not sizes.min(initial=len(split) + 1) <= count < len(split):
        raise ConfigError(
            f"'items' ({count:,}) must be fewer than the {len(split):,} items of the training split, and no fewer than "
            f"its smallest group has ({sizes.min(initial=0):,}). Write all for all of them.",
            path=("train", "items"),
        )
    for slot in (ENCODER_SLOTS[m] for m in system.modalities):
        if getattr(system, slot).options.get("weights") == "pretrain":
            raise ConfigError(
                f"'items' does not go with weights: pretrain, which trains {slot} on the whole training split.",
                path=("train", "items"),
            )


def refuse_unlabelled(system: System, dataset: Dataset) -> None:
    """Refuse what learns from labels where there are none.

    Raises: ConfigError.
    """
    if dataset.num_classes:
        return
    lacks = f"dataset '{dataset.name}' has no labels"
    for modality in system.modalities:
        slot = ENCODER_SLOTS[modality]
        if getattr(system, slot).options.get("weights") == "pretrain":
            message = f"{lacks}, and weights: pretrain trains {slot} as a classifier. Write weights: hub or none."
            raise ConfigError(message, path=(slot, "weights"))
    if system.head is not None:
        raise ConfigError(f"{lacks} to classify by: write head: none.", path=("head",))
    if system.fitter is not None and FITTERS.get(system.fitter.name).facts["needs_labels"]:
        raise ConfigError(f"{lacks}, but fitter '{system.fitter.name}' learns from them.", path=("fitter",))
    for term in system.objective:
        if OBJECTIVES.get(term.name).facts["needs_labels"]:
            raise ConfigError(f"{lacks}, but objective '{term.name}' needs them.", path=("objective",))


def _check_splits(experiment: Experiment, dataset: Dataset, rows: Sequence[Row]) -> None:
    """Check the splits: validation chooses the epoch, test is reported, and train is needed by what learns or builds a
    vocabulary.
    """
    learns = any(r.system.objective or r.system.fitter or "text" in r.system.modalities for r in rows)
    missing = [s for s in ("train", "val", "test") if s not in dataset.splits and (s != "train" or learns)]
    if missing:
        sizes = ", ".join(f"{name}: {len(rows):,}" for name, rows in dataset.splits.items()) or "none"
        raise ConfigError(
            f"dataset '{dataset.name}' has no {' and no '.join(missing)} split. Its splits are {sizes}. A run learns "
            "from train, chooses its epoch on val and is reported on test: build it with all three.",
            place=experiment.document.place(("dataset",)),
        )


def _check_modality(system: System, dataset: Dataset, modality: str) -> None:
    slot = ENCODER_SLOTS[modality]
    spec = getattr(system, slot)
    features = registry_of(slot).get(spec.name).facts["reads"] == "features"
    present = modality in dataset.feature_dims if features else dataset.has_raw(modality)
    if not present:
        noun = f"precomputed features of {_NOUNS[modality]}" if features else _NOUNS[modality]
        other = dataset.has_raw(modality) if features else modality in dataset.feature_dims
        instead = f"an encoder of {_NOUNS[modality]}" if features else "features"
        raise ConfigError(
            f"dataset '{dataset.name}' has no {noun}. "
            + (f"Choose {instead}" if other else f"Write {slot}: none")
            + f"; {slot} is '{spec.name}'.",
            path=(slot,),
        )
    why = why_all_need(system, modality)
    if why is None:
        return
    for split in ("train", "val", "test") if system.objective or system.fitter else ("val", "test"):
        positions = dataset.splits[split]
        lacks = dataset.lacks(modality, positions, features=features)
        if lacks.any():
            first = dataset.ids[int(positions[np.flatnonzero(lacks)[0]])]
            count = f"{int(lacks.sum()):,} items of the {split} split have no {modality}"
            raise ConfigError(f"{count} (the first is '{first}'), and {why}.", path=(slot,))


def _given(system: System, dataset: Dataset) -> Gives:
    """Return what evaluation knows of a system on validation."""
    ranked = () if system.scores_alone else system.modalities
    whole = []
    for modality in ranked:
        slot = ENCODER_SLOTS[modality]
        features = registry_of(slot).get(getattr(system, slot).name).facts["reads"] == "features"
        if not dataset.lacks(modality, dataset.splits["val"], features=features).any():
            whole.append(modality)
    codes = system.fitter is not None and bool(FITTERS.get(system.fitter.name).facts["codes"])
    pairs = "" if system.scorer is None else "all" if system.rerank_top is None else "first"
    logits = system.head is not None
    reranked = system.reranker is not None and logits and "image" in whole
    return Gives(logits, tuple(whole), codes, pairs, reranked)


class _Trial:
    """Compute metrics of made-up predictions in the form that a row's runs have, to see which numbers they give."""

    def __init__(self, experiment: Experiment, dataset: Dataset) -> None:
        self.dataset = dataset
        self.other_gallery = experiment.gallery_is_other
        self.known: dict[tuple[Gives, Metric], list[str] | MetricError | None] = {}

    def keys(self, gives: Gives, metric: Metric) -> list[str] | None:
        """Keys of the numbers; none of them where the predictions lack what the metric is computed from. None where
        that cannot be seen from made-up predictions.

        Raises: MetricError where the metric does not apply to the data.
        """
        if (gives, metric) not in self.known:
            try:
                self.known[gives, metric] = list(compute(self._predictions(gives), [metric]))
            except MetricError as error:
                self.known[gives, metric] = error
            except Exception:  # of a plug-in, at real predictions or at all: its run says so
                self.known[gives, metric] = None
        result = self.known[gives, metric]
        if isinstance(result, MetricError):
            raise result
        return result

    def _predictions(self, gives: Gives) -> Predictions:
        from vsebench.components.metric._answers import Answers
        from vsebench.components.metric._sides import Gallery

        data, draw = self.dataset, np.random.default_rng(0)
        classes, current = data.num_classes, np.arange(_ITEMS)
        labels = current % classes if classes else np.full(_ITEMS, -1)
        answers = None
        if data.has_answers:
            answers = Answers.of([{data.label_names[int(k)]: 3} for k in labels], data.label_names)
        groups = labels if data.relevance == "label" and not data.multi_label else current
        if data.multi_label:
            labels = np.eye(classes, dtype=np.int64)[labels]
        embeddings = {m: draw.normal(size=(_ITEMS, _WIDTH)).astype(np.float32) for m in gives.embeddings}
        if gives.codes:
            embeddings = {m: np.where(values > 0, 1, -1).astype(np.float32) for m, values in embeddings.items()}
        scores = draw.normal(size=(_ITEMS, _ITEMS)).astype(np.float32)
        every = np.tile(current, (_ITEMS, 1))
        gallery = Gallery(labels, embeddings, current, groups) if self.other_gallery else None
        if gallery is not None and gives.pairs == "all":
            gallery = Gallery(labels, embeddings, current, groups, {"i2t": scores, "t2i": scores.T})
        return _with_split_sizes(
            [len(data.splits[split]) for split in ("val", "test")],
            logits=draw.normal(size=(_ITEMS, classes)).astype(np.float32) if gives.logits else None,
            labels=labels,
            multi_label=data.multi_label,
            label_names=tuple(data.label_names),
            embeddings=embeddings,
            owner=current,
            groups=groups,
            similarity="hamming" if gives.codes else "cosine",
            pairs=scores if gives.pairs == "all" and gallery is None else None,
            candidates={"i2t": (every, scores), "t2i": (every, scores)} if gives.pairs == "first" else {},
            rerank=(lambda rows, values: values) if gives.reranked else None,
            unranked="items match by any shared label." if data.relevance == "label" and data.multi_label else None,
            gallery=gallery,
            answers=answers,
        )


def _with_split_sizes(sizes: Sequence[int], **parts: Any) -> Predictions:
    """Predictions whose folds are judged by the sizes of the real splits."""
    from vsebench.components.metric.base import Predictions

    class Sized(Predictions):
        def folds(self, size: int) -> list[Predictions]:
            wrong = next((count for count in sizes if not count or count % size), None)
            if wrong is not None:
                raise MetricError(
                    f"folds of {size:,} images need splits of whole folds, and val or test has {wrong:,} items."
                )
            return super().folds(_ITEMS)

    return Sized(**parts)


def _check_metrics(
    experiment: Experiment, given: Sequence[tuple[Row, Gives]], trial: _Trial, faults: Collector
) -> None:
    """Refuse metrics that do not apply to the data."""
    for i, entry in enumerate(experiment.metrics):
        for metric in parse_metrics([entry]):
            for gives in dict.fromkeys(gives for _, gives in given):
                try:
                    trial.keys(gives, metric)
                except MetricError as error:
                    place = experiment.document.place(("metrics", i))
                    faults.faults.append(
                        ConfigError(f"metric '{entry}' on dataset '{trial.dataset.name}': {error}", place=place)
                    )
                    break


def _check_select(experiment: Experiment, given: Sequence[tuple[Row, Gives]], trial: _Trial, faults: Collector) -> None:
    """Refuse rows that do not give the number that chooses their epoch."""
    metric, place = experiment.select.metric, experiment.document.place(("select", "metric"))
    key = metric.removeprefix("val/")
    (selecting,) = parse_metrics([metric_entry(key)])
    lacking: list[tuple[Row, Gives]] = []
    for row, gives in given:
        try:
            keys = trial.keys(gives, selecting)
            if keys is not None and key not in keys:
                lacking.append((row, gives))
        except MetricError as error:
            faults.faults.append(ConfigError(f"{metric} on dataset '{trial.dataset.name}': {error}", place=place))
            return
    if not lacking:
        return
    known = dict.fromkeys(k for _, gives in lacking for k in _numbers(experiment, gives, trial, selecting))
    listing = f" Known: {', '.join(known)}." if known else ""
    if len(lacking) == len(given):
        message = f"no row gives {metric}, which is to choose the epoch." + did_you_mean(metric, known) + listing
        faults.faults.append(ConfigError(message, place=place))
        return
    for row, gives in lacking:
        message = f"row '{row.name}' gives no {metric}, which is to choose its epoch{_why(selecting, gives)}." + listing
        message += " Select by a number that all rows give, or leave the row out."
        faults.faults.append(row.placed(ConfigError(message)))


def _why(metric: Metric, gives: Gives) -> str:
    """Explain which input of a metric a row lacks."""
    needs = METRICS.get(metric.name).facts["needs"]
    missing = [m for m in needs if m in MODALITIES and m not in gives.embeddings]
    if "logits" in needs and not gives.logits:
        return ": it has no head and does not classify"
    if "codes" in needs and not gives.codes:
        return ": no fitter gives it codes"
    return f": it has no embedding of every item's {' and '.join(missing)}" if missing else ""


def _numbers(experiment: Experiment, gives: Gives, trial: _Trial, selecting: Metric) -> Iterator[str]:
    """Numbers of validation that a row gives, of the experiment's metrics and of the one that it selects by."""
    for metric in dict.fromkeys([selecting, *parse_metrics(list(experiment.metrics))]):
        try:
            yield from (f"val/{key}" for key in trial.keys(gives, metric) or () if mode_of(key) is not None)
        except MetricError:
            continue
