"""One run from start to result. The same function for every executor."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vsebench.config.schema import System
from vsebench.core.culprit import TRACEBACK, in_one_line, keep_traceback
from vsebench.core.errors import ComponentError, ConfigError, DiskError, VsebenchError
from vsebench.core.files import FULL, explain, make_folder, writing
from vsebench.core.metric_specs import compute, metric_entry, needs_embeddings, parse_metrics, tuned, versions
from vsebench.core.types import Result
from vsebench.data.dataset import Dataset
from vsebench.data.splits import some_items
from vsebench.data.vocabulary import Vocabulary
from vsebench.distributed.gradient_sharing import ALONE, Team
from vsebench.engine import pretrain
from vsebench.engine.dry_run import dry_run
from vsebench.engine.evaluate import predict, predictions_of
from vsebench.engine.loader import Feed
from vsebench.engine.model import Model
from vsebench.engine.retrieval_gallery import gallery_feeds
from vsebench.engine.train import fit, judge_by, seed_of, trained_state
from vsebench.ops.process_state import fixed_state
from vsebench.ops.weights import save_weights
from vsebench.runs.energy import meter_of
from vsebench.runs.provenance import hardware, result_of, write_run_file
from vsebench.runs.store import HISTORY, MODEL, RUN, Store, as_text, times_tested, write_atomically
from vsebench.runs.tracking import RESULT_KEY, NullTracker, Tracker
from vsebench.sweeps.asha import Decide, Halving, Pruned
from vsebench.sweeps.final import evaluate
from vsebench.sweeps.plan import Run, pruned_by
from vsebench.sweeps.run_fitted import fitted
from vsebench.sweeps.run_untrained import judged
from vsebench.sweeps.stacking import stack
from vsebench.sweeps.suited import refuse_unlabelled

Say = Callable[[str], None]


def execute(
    run: Run,
    dataset: Dataset,
    store: Store,
    *,
    device: torch.device,
    tracker: Callable[[Run], Tracker],
    say: Say = lambda _: None,
    cache: bool = True,
    decide: Decide | None = None,
    team: Team = ALONE,
) -> Result:
    """Train, evaluate and write the result. A fault becomes a failed result, a run that is stopped at a rung a pruned
    one; neither stops a sweep.

    Args:
        tracker: makes the run's tracker; called after everything that may fail early.
        say: told in a few words what the run is doing.
        cache: keep frozen features on disk.
        decide: says at a rung whether the run goes on, where that is not the store.
        team: the processes that do this run together, each of them in this function. The first alone writes and tells.

    Raises: DiskError, which no other run would be spared; KeyboardInterrupt.
    """
    begin = time.perf_counter()
    try:
        judge = halving_of(run, store, dataset.fingerprint, decide)
        flags = {"deterministic": run.system.train.deterministic, "warn_only": device.type == "cuda"}
        with fixed_state(seed=seed_of("run", run.seed), **flags):
            result = _finish(run, dataset, store, device, tracker, say, cache, judge, team)
    except DiskError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise DiskError(explain(error)) from error
        message = _told(error, store.run_folder(run.run_id), team)
        result = result_of(run, dataset, "failed", error=message, train_s=time.perf_counter() - begin)
    if not team.first:
        return result
    if result.status == "finished":
        result = store.write_tested(result)
    else:
        store.write(result)
    if result.status in ("finished", "pruned"):
        store.clean_checkpoint(run.run_id)
    return result


def _told(error: Exception, folder: Path, team: Team) -> str:
    """Describe a run's fault in one line, and print the traceback of one that is not the user's."""
    message = in_one_line(error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        message = f"out of memory; a smaller train.batch_size may fit. {message}"
    if isinstance(error, VsebenchError) and not isinstance(error, ComponentError):
        return message
    return message + keep_traceback(error, folder / TRACEBACK) if team.first else message


def _finish(
    run: Run,
    dataset: Dataset,
    store: Store,
    device: torch.device,
    make_tracker: Callable[[Run], Tracker],
    say: Say,
    cache: bool,
    halving: Halving | None,
    team: Team,
) -> Result:
    begin = time.perf_counter()
    folder = store.run_folder(run.run_id)
    if team.first:
        make_folder(folder)
        (folder / TRACEBACK).unlink(missing_ok=True)  # of an earlier try
        write_run_file(folder / RUN, run, dataset)
    checkpoints = pretrain.ensure(run.system, dataset, device=device, on_epoch=say)
    if team.first:
        pretrain.write_record(folder, checkpoints)
    vocabulary = vocabulary_of(dataset) if "text" in run.system.modalities else None
    torch.manual_seed(seed_of("init", run.seed))
    refuse_unlabelled(run.system, dataset)
    model = Model(
        run.system,
        num_classes=dataset.num_classes,
        multi_label=dataset.multi_label,
        vocabulary=vocabulary,
        checkpoints={slot: weights.file for slot, weights in checkpoints.items()},
        feature_dims=dataset.feature_dims,
    )
    if team.first and model.origins:
        write_run_file(folder / RUN, run, dataset, model.origins)
    model = model.to(device)
    say("encoding")
    splits = ("train", "val") if run.system.objective or run.system.fitter else ("val",)
    among = {"train": training_items(run.system, dataset, run.seed)}
    feeds = {s: Feed(dataset, s, run.system, model.encoders, cache=cache, among=among.get(s)) for s in splits}
    dry_run(model, feeds[splits[0]], device=device)
    gallery = gallery_feeds(dataset, run.gallery, run.system, model.encoders, feeds, cache=cache)
    parsed = parse_metrics(list(run.metrics))
    key = run.select_metric.removeprefix("val/")
    selecting = parse_metrics([metric_entry(key)])

    def validate(model: Model, feed: Feed) -> Mapping[str, float]:
        ranked = needs_embeddings(selecting)
        outputs = predict(model, feed, device=device, embeddings=ranked, team=team)
        offered = gallery.offered(model, "val", device=device, team=team) if gallery is not None and ranked else None
        predictions = predictions_of(outputs, feed, model, device=device, offered=offered)
        found = compute(replace(predictions, thresholds=tuned(predictions, selecting)), selecting)
        if key not in found:
            known = ", ".join(f"val/{name}" for name in found) or "none"
            raise ConfigError(f"select.metric '{run.select_metric}' is not among the numbers of this system: {known}.")
        return {f"val/{name}": value for name, value in found.items()}

    tracker = make_tracker(run) if team.first else NullTracker()
    epochs = run.system.train.epochs
    history = folder / HISTORY
    if team.first:
        write_atomically(history, "")

    def on_epoch(numbers: dict[str, float]) -> None:
        with writing(history), history.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(numbers) + "\n")
        tracker.log(numbers)
        value = numbers.get(run.select_metric)
        at = f"epoch {numbers['epoch']:.0f}/{epochs}" if epochs else f"iteration {numbers['epoch']:.0f}"
        lower = " (lower is better)" if run.select_mode == "min" else ""
        say(at if value is None else f"{at} · {run.select_metric} {value:.3f}{lower}")
        if halving is not None:
            halving(numbers)

    judge = judge_by(validate, run.select_metric, run.select_mode)
    fitting = time.perf_counter()
    try:
        with meter_of(device) as meter:
            if run.system.objective:
                progress = fit(
                    model,
                    feeds["train"],
                    feeds["val"],
                    seed=run.seed,
                    judge=judge,
                    device=device,
                    folder=folder,
                    on_epoch=on_epoch,
                    team=team,
                )
            elif run.system.fitter is not None:
                progress = fitted(model, feeds, judge, seed=run.seed, device=device, on_epoch=on_epoch, team=team)
            else:
                progress = judged(model, feeds["val"], judge, on_epoch=on_epoch, team=team)
        fitting = time.perf_counter() - fitting
        stacked, said = stack(model, feeds["val"], device=device, team=team)
        found = evaluate(run, dataset, model, feeds, device, folder, parsed, cache, say, team, stacked, gallery)
    except Pruned as stop:
        result = _pruned(run, dataset, stop, time.perf_counter() - begin)
        tracker.finish({"pruned_at_epoch": stop.epoch, RESULT_KEY: as_text(result)})
        return result
    except BaseException:
        tracker.finish({}, failed=True)
        raise
    if team.first:
        _save_model(folder, model, vocabulary)
    if team.size == 1:  # of several, each has a processor or a GPU of its own
        meter.write(folder)
    result = result_of(
        run,
        dataset,
        "finished",
        metrics=found.metrics,
        metric_versions=versions(parsed),
        parameters=model.parameter_counts(),
        train_s=progress.seconds,
        other_s=time.perf_counter() - begin - fitting,
        epochs=progress.epoch,
        best_epoch=progress.best_epoch,
        test_evaluations=times_tested(folder) + 1,
        ranking=found.ranking,
        curves=found.curves,
        notes=[*_notes(model, feeds), *said, *found.notes],
        hub=model.origins,
        hardware=hardware() if team.size == 1 else {**hardware(), "processes": team.size},
    )
    counts = {f"parameters/{k}": v for k, v in result.parameters.items()}
    tracker.finish({**found.metrics, "train_s": progress.seconds, **counts, RESULT_KEY: as_text(result)})
    return result


def _pruned(run: Run, dataset: Dataset, stop: Pruned, seconds: float) -> Result:
    assert run.prune is not None, "only a run with rungs is stopped at one"
    return result_of(
        run,
        dataset,
        "pruned",
        metrics={} if stop.best is None else {run.select_metric: stop.best},
        train_s=seconds,
        epochs=stop.epoch,
        best_epoch=stop.best_epoch,
        notes=[pruned_by(run.prune)],
    )


def training_items(system: System, dataset: Dataset, seed: int) -> np.ndarray | None:
    """Return the positions of ``train.items`` of the training split; None for all of them."""
    count = system.train.items
    if count == "all":
        return None
    split = np.asarray(dataset.splits["train"], dtype=np.int64)
    rows = some_items(np.asarray(dataset.groups)[split], count, seed_of("items", seed))
    return split[rows]


def _notes(model: Model, feeds: Mapping[str, Feed]) -> list[str]:
    """Return notes on the inputs: texts that were cut, words without a pretrained vector."""
    notes = [note for feed in feeds.values() for note in feed.notes]
    if "train" in feeds and feeds["train"].part is not None:
        whole = len(feeds["train"].dataset.splits["train"])
        notes.append(f"trained on {len(feeds['train']):,} of {whole:,} items, whole groups drawn by the seed")
    encoder = model.encoders["text"] if "text" in model.encoders else None  # noqa: SIM401  (ModuleDict has no get)
    report: dict[str, Any] = getattr(encoder, "vector_report", dict)()
    if report:
        notes.append(
            f"word vectors: {100 * report['coverage']:.1f} % of {report['words']:,} training words"
            f" ({report['found']:,} listed, {report['subword']:,} from subwords, {report['random']:,} random)"
        )
    return notes


def halving_of(run: Run, store: Store, fingerprint: str, decide: Decide | None = None) -> Halving | None:
    """Return the validation scorer of a run that may be stopped early."""
    if run.prune is None:
        return None
    return Halving(
        run.prune,
        store,
        run_id=run.run_id,
        epochs=run.system.train.epochs,
        metric=run.select_metric,
        mode="min" if run.select_mode == "min" else "max",
        fingerprint=fingerprint,
        decide=decide,
    )


def _save_model(folder: Path, model: Model, vocabulary: Vocabulary | None) -> None:
    save_weights(folder / MODEL, trained_state(model), owner=folder.name)
    if vocabulary is not None:
        write_atomically(folder / "vocabulary.json", vocabulary.to_json())


_VOCABULARIES: dict[str, Vocabulary] = {}


def vocabulary_of(dataset: Dataset) -> Vocabulary:
    """Return the words of the training captions, and of no other split."""
    if dataset.fingerprint not in _VOCABULARIES:
        texts = [text for texts in dataset.all_texts("train") for text in texts]
        _VOCABULARIES[dataset.fingerprint] = Vocabulary.build(texts)
    return _VOCABULARIES[dataset.fingerprint]
