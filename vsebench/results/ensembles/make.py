"""Finished runs as one: evaluated together, and written as a run of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vsebench.config import document
from vsebench.config.identity import component_version, plugin_digests
from vsebench.config.schema import SINGLE_SLOTS
from vsebench.core.digests import digest
from vsebench.core.errors import ConfigError, DataError
from vsebench.core.metric_specs import compute, needs_embeddings, parse_metrics, tuned
from vsebench.core.types import OWN_SPLIT, Result
from vsebench.data.dataset import Dataset
from vsebench.engine.evaluate import predict, predictions_of, save_predictions
from vsebench.engine.loader import Loader
from vsebench.results.ensembles.scores import Combined, combined, in_item_order
from vsebench.results.ensembles.weights import best_weights
from vsebench.runs.load import LoadedRun
from vsebench.runs.predictions import predictions_file, save_vectors, vectors_file
from vsebench.runs.provenance import commit, hardware, library_versions
from vsebench.runs.slices import slice_numbers
from vsebench.runs.store import RUN, Store

Say = Callable[[str], None]
#: Raise it when the same runs, combined by the same rule, give other numbers.
VERSION = 1


@dataclass(frozen=True)
class Recipe:
    """How runs are combined.

    Args:
        name: of the row.
        rule: how each run's scores are normalised, query by query.
        weights: of the runs, summing to 1; None chooses them on validation.
        select: ``val/…`` and its mode, by which weights are chosen.
    """

    name: str
    rule: str
    weights: tuple[float, ...] | None
    select: tuple[str, str]


def check_comparable(runs: Sequence[LoadedRun]) -> None:
    """Refuse runs that cannot be one row.

    Raises: DataError naming the first run that differs, and in what.
    """
    first = runs[0]
    for run in runs:
        if "image" not in run.system.modalities or "text" not in run.system.modalities:
            raise DataError(f"run {run.run_id} ({run.row}) has no ranking of images and texts to combine.")
        if run.gallery != OWN_SPLIT:
            raise DataError(
                f"run {run.run_id} ({run.row}) ranked its queries against set '{run.gallery}'; only rankings within a "
                "split are combined."
            )
        if run.fingerprint != first.fingerprint:
            raise DataError(
                f"runs on different data cannot be combined: {first.run_id} ({first.row}) was trained on "
                f"{first.fingerprint}, {run.run_id} ({run.row}) on {run.fingerprint}."
            )
        if sorted(run.metrics) != sorted(first.metrics):
            raise DataError(
                f"runs with different lists of metrics cannot be combined: {first.run_id} ({first.row}) has "
                f"{', '.join(first.metrics)}; {run.run_id} ({run.row}) has {', '.join(run.metrics)}."
            )
        if run.result.metric_versions != first.result.metric_versions:
            raise DataError(
                f"runs {first.run_id} and {run.run_id} were measured by different versions of a metric. Sweep again."
            )
    if len({run.run_id for run in runs}) < len(runs):
        raise DataError("a run is given twice; give it a larger weight instead.")
    if not needs_embeddings(parse_metrics(list(first.metrics))):
        raise DataError(f"none of the runs' metrics is of a ranking ({', '.join(first.metrics)}).")


def combination_id(runs: Sequence[LoadedRun], recipe: Recipe) -> str:
    """Compute the id: a digest of the parts, of how they are combined, and of the declared versions."""
    return digest(
        {
            "combined": [run.run_id for run in runs],
            "name": recipe.name,
            "rule": recipe.rule,
            "weights": "auto" if recipe.weights is None else list(recipe.weights),
            "select": list(recipe.select) if recipe.weights is None else None,
            "metrics": sorted(runs[0].metrics),
            "versions": dict(runs[0].result.metric_versions),
            "version": [VERSION, component_version("ensemble", recipe.rule)],
            "plugins": plugin_digests([("ensemble", recipe.rule)]),
        }
    )


def combine(
    runs: Sequence[LoadedRun], recipe: Recipe, store: Store, *, cache: bool = True, say: Say = lambda _: None
) -> Result:
    """Rank validation and test by all runs together, test once, and write the result as a finished run.

    Raises: DataError when the runs cannot be combined (:func:`check_comparable`), or have other data now; ConfigError
        when weights cannot be chosen.
    """
    begin = time.perf_counter()
    check_comparable(runs)
    dataset = runs[0].open_dataset()
    key = combination_id(runs, recipe)
    folder = store.run_folder(key)
    folder.mkdir(parents=True, exist_ok=True)
    parsed = parse_metrics(list(runs[0].metrics))
    weights, notes = recipe.weights or tuple(1 / len(runs) for _ in runs), []
    metrics: dict[str, float] = {}
    ranking: dict[str, Any] = {}
    thresholds: Mapping[str, float] = {}
    for split in ("val", "test"):
        ranked_at = time.perf_counter()
        together, loader, encoding = _together(runs, dataset, split, weights, recipe.rule, cache, say)
        if split == "val" and recipe.weights is None:
            say("choosing weights on validation")
            name, mode = recipe.select
            weights, value = best_weights(together, name.removeprefix("val/"), mode)
            together = combined(together.parts, weights, recipe.rule)
            notes = [f"weights {_said(weights)} chosen on validation, where {name} is {value:.4g} with them"]
        thresholds = tuned(together, parsed) if split == "val" else thresholds
        together = replace(together, thresholds=thresholds)
        ranking = {"by": in_words(runs, recipe)}
        if together.unranked is None:
            queries = len(together.groups) + len(together.owner)
            assert together.ranks, "ranked here, so that it is timed"
            ranking["ms_per_query"] = 1e3 * (time.perf_counter() - ranked_at - encoding) / queries
        results = compute(together, parsed)
        metrics |= {f"{split}/{name}": value for name, value in results.items()}
        slices = dataset.slices.take(loader.positions) if split == "test" else None
        save_predictions(predictions_file(folder, split), together, loader, slices)
        save_vectors(vectors_file(folder, split), together, parsed, results)
        if slices:
            by_slice, left_out = slice_numbers(together, slices, parsed)
            metrics |= {f"{split}/{name}": value for name, value in by_slice.items()}
            notes += [f"{split}: {line}" for line in left_out]
    parts = [{"experiment": r.experiment, "run_id": r.run_id, "row": r.row, "seed": r.seed} for r in runs]
    ranking |= {"combined": parts, "weights": list(weights), "rule": recipe.rule}
    _write_run_file(folder / RUN, key, runs, recipe, store, parts)
    result = Result(
        run_id=key,
        experiment=store.experiment,
        system=recipe.name,
        seed=runs[0].seed,
        status="finished",
        config=_config(runs),
        dataset=dataset.describe(),
        metrics=metrics,
        metric_versions=runs[0].result.metric_versions,
        parameters={n: sum(r.result.parameters[n] for r in runs) for n in ("total", "trained")},
        train_s=sum(r.result.train_s for r in runs),
        other_s=time.perf_counter() - begin,
        test_evaluations=1,
        ranking=ranking,
        notes=[*notes, *(note for run in runs for note in run.result.notes)],
        versions=library_versions(),
        hardware=hardware(),
        commit=commit(),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return store.write_tested(result)


def _together(
    runs: Sequence[LoadedRun],
    dataset: Dataset,
    split: str,
    weights: Sequence[float],
    rule: str,
    cache: bool,
    say: Say,
) -> tuple[Combined, Loader, float]:
    """All runs' predictions of a split as one, and the seconds that embedding (not ranking) took."""
    parts, seconds = [], 0.0
    for run in runs:
        say(f"{split}: {run.row}, seed {run.seed}")
        began = time.perf_counter()
        loader = Loader(dataset, split, run.system, run.model.encoders, cache=cache)
        outputs = predict(run.model, loader, device=run.device)
        seconds += time.perf_counter() - began
        predictions = predictions_of(outputs, loader, run.model, device=run.device)
        if not predictions.retrieval:
            raise DataError(f"run {run.run_id} ({run.row}) has no ranking of images and texts to combine.")
        parts.append(in_item_order(predictions))
    return combined(parts, weights, rule), loader, seconds


def in_words(runs: Sequence[LoadedRun], recipe: Recipe) -> str:
    """Return how a combination ranks."""
    names = [run.row for run in runs]
    if len(set(names)) < len(names):
        names = [f"{run.row}, seed {run.seed}" for run in runs]
    description = "chosen on validation" if recipe.weights is None else _said(recipe.weights)
    even = recipe.weights is not None and len(set(recipe.weights)) == 1
    how = "" if recipe.rule == "none" else f"{recipe.rule}, "
    return f"{' + '.join(names)} ({how}{'equal weights' if even else f'weights {description}'})"


def _said(weights: Sequence[float]) -> str:
    return ", ".join(f"{weight:.3g}" for weight in weights)


def parse_weights(text: str | None, count: int) -> tuple[float, ...] | None:
    """Parse ``--weights`` as shares: numbers of any scale, equal ones by default, None for ``auto``.

    Raises: ConfigError.

    Example:
        >>> parse_weights("3, 1", 2)
        (0.75, 0.25)
    """
    if text == "auto":
        return None
    if text is None:
        return tuple(1 / count for _ in range(count))
    try:
        given = [float(number) for number in text.split(",")]
    except ValueError:
        raise ConfigError(f"--weights must be numbers with commas between them, or auto. Got '{text}'.") from None
    if len(given) != count:
        raise ConfigError(f"--weights has {len(given)} numbers for {count} runs.")
    if not all(0 <= number < float("inf") for number in given) or not 0 < sum(given) < float("inf"):
        raise ConfigError(f"--weights must be 0 or more, and not all 0. Got '{text}'.")
    return tuple(number / sum(given) for number in given)


def _config(runs: Sequence[LoadedRun]) -> dict[str, Any]:
    """Return the configuration that boards read: the names in each slot, over all runs."""
    configs = [run.system.model_dump(mode="json") for run in runs]
    result: dict[str, Any] = {"objective": [term for config in configs for term in config["objective"]]}
    for slot in SINGLE_SLOTS:
        names = list(dict.fromkeys(config[slot]["name"] for config in configs if config[slot] is not None))
        result[slot] = {"name": " + ".join(names), "options": {}} if names else None
    pooled = dict.fromkeys(m for config in configs for m in config["pooling"])
    for modality in pooled:
        names = list(dict.fromkeys(c["pooling"][modality]["name"] for c in configs if modality in c["pooling"]))
        pooled[modality] = {"name": " + ".join(names), "options": {}}
    return {**result, "pooling": pooled}


def _write_run_file(
    file: Path, key: str, runs: Sequence[LoadedRun], recipe: Recipe, store: Store, parts: Sequence[Mapping[str, Any]]
) -> None:
    """Say what the combination is, in the form of a run's file."""
    metric, mode = recipe.select
    first = runs[0]
    plain = {
        "run_id": key,
        "experiment": store.experiment,
        "row": recipe.name,
        "seed": first.seed,
        "metrics": list(first.metrics),
        "select": {"metric": metric, "mode": mode},
        "dataset": {"spec": first.dataset_spec, "path": str(first.dataset_path), "fingerprint": first.fingerprint},
        "plugins": [],
        "system": {},
        "combined": [dict(part) for part in parts],
    }
    file.write_text(document.dump(plain), encoding="utf-8")
