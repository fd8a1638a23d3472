"""One run from start to result. The same function for every executor."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from vsebench.core.culprit import TRACEBACK, in_one_line, keep_traceback
from vsebench.core.errors import ComponentError, DiskError, VsebenchError
from vsebench.core.files import FULL, explain, write_atomically, writing
from vsebench.core.metric_specs import versions
from vsebench.core.types import Result
from vsebench.data.dataset import Dataset
from vsebench.data.vocabulary import Vocabulary
from vsebench.distributed.gradient_sharing import SINGLE_PROCESS, ProcessGroup
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.train import Progress, fit, seed_of, trained_state, validation_scorer_of
from vsebench.ops.process_state import fixed_state
from vsebench.ops.weights import save_weights
from vsebench.runs.energy import meter_of
from vsebench.runs.provenance import hardware, result_of
from vsebench.runs.store import HISTORY, MODEL, Store, times_tested
from vsebench.runs.tracking import NullTracker, Tracker
from vsebench.sweeps.asha import Decide, Halving, Pruned
from vsebench.sweeps.final import Evaluated, evaluate
from vsebench.sweeps.plan import Run, pruned_by
from vsebench.sweeps.prepare import Prepared, RunContext, Say, prepare
from vsebench.sweeps.run_fitted import fitted
from vsebench.sweeps.run_untrained import evaluate_untrained
from vsebench.sweeps.stacking import stack
from vsebench.sweeps.validation import validation


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
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> Result:
    """Train, evaluate and write the result. A fault becomes a failed result, a run that is stopped at a rung a pruned
    one; neither stops a sweep.

    Args:
        run: to do.
        dataset: that the run is trained on.
        store: that takes the result.
        device: where it trains.
        tracker: makes the run's tracker; called after everything that may fail early.
        say: told in a few words what the run is doing.
        cache: keep frozen features on disk.
        decide: says at a rung whether the run goes on, where that is not the store.
        process_group: the processes that do this run together, each in this function. The first alone writes and tells.

    Raises: DiskError, which no other run would be spared; KeyboardInterrupt.
    """
    begin = time.perf_counter()
    try:
        halving = halving_of(run, store, dataset.fingerprint, decide)
        context = RunContext(run, dataset, store, device, tracker, say, cache, halving, process_group)
        flags = {"deterministic": run.system.train.deterministic, "warn_only": device.type == "cuda"}
        with fixed_state(seed=seed_of("run", run.seed), **flags):
            result = _finish(context)
    except DiskError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise DiskError(explain(error)) from error
        message = _told(error, store.run_folder(run.run_id), process_group)
        result = result_of(run, dataset, "failed", error=message, train_s=time.perf_counter() - begin)
    if not process_group.is_main_process:
        return result
    if result.status == "finished":
        result = store.write_tested(result)
    else:
        store.write(result)
    if result.status in ("finished", "pruned"):
        store.clean_checkpoint(run.run_id)
    return result


def _told(error: Exception, folder: Path, process_group: ProcessGroup) -> str:
    """Describe a run's fault in one line, and print the traceback of one that is not the user's."""
    message = in_one_line(error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        message = f"out of memory; a smaller train.batch_size may fit. {message}"
    if isinstance(error, VsebenchError) and not isinstance(error, ComponentError):
        return message
    return message + keep_traceback(error, folder / TRACEBACK) if process_group.is_main_process else message


def _finish(context: RunContext) -> Result:
    """Do a run: prepare, fit, evaluate, record."""
    # ---- init, data
    prepared = prepare(context)
    # Made after everything that may fail early, so that a run that never trained leaves nothing at W&B.
    tracker = context.make_tracker(context.run) if context.process_group.is_main_process else NullTracker()
    try:
        # ---- loop
        fitting = time.perf_counter()
        with meter_of(context.device) as meter:
            progress = _fit(context, prepared, tracker)
        fitting = time.perf_counter() - fitting
        # ---- evaluate
        stacked, lines = stack(
            prepared.model, prepared.loaders["val"], device=context.device, process_group=context.process_group
        )
        evaluated = evaluate(context, prepared, stacked)
    except Pruned as stop:
        result = _pruned(context.run, context.dataset, stop, context.seconds)
        tracker.finish(result)
        return result
    except BaseException:
        tracker.finish(None)
        raise
    # ---- record
    if context.process_group.is_main_process:
        _save_model(context.folder, prepared.model, prepared.vocabulary)
    if context.process_group.size == 1:  # of several, each has a processor or a GPU of its own
        meter.write(context.folder)
    result = _result(context, prepared, progress, evaluated, fitting, lines)
    tracker.finish(result)
    return result


def _fit(context: RunContext, prepared: Prepared, tracker: Tracker) -> Progress:
    """Train the model, fit its fitter, or leave it as it is; in the state of its best validation afterwards."""
    run, process_group, model, loaders = context.run, context.process_group, prepared.model, prepared.loaders
    if process_group.is_main_process:
        write_atomically(context.folder / HISTORY, "")
    validation_scorer = validation_scorer_of(validation(context, prepared.gallery), run.select_metric, run.select_mode)
    on_epoch = _epochs(context, tracker)
    if run.system.objective:
        return fit(
            model,
            loaders["train"],
            loaders["val"],
            seed=run.seed,
            validation_scorer=validation_scorer,
            device=context.device,
            folder=context.folder,
            on_epoch=on_epoch,
            process_group=process_group,
        )
    if run.system.fitter is not None:
        return fitted(
            model,
            loaders,
            validation_scorer,
            seed=run.seed,
            device=context.device,
            on_epoch=on_epoch,
            process_group=process_group,
        )
    return evaluate_untrained(model, loaders["val"], validation_scorer, on_epoch=on_epoch, process_group=process_group)


def _epochs(context: RunContext, tracker: Tracker) -> Callable[[dict[str, float]], None]:
    """Return what is called after each epoch: it writes the history, and may stop the run at a rung."""
    run, history = context.run, context.folder / HISTORY
    epochs = run.system.train.epochs

    def on_epoch(numbers: dict[str, float]) -> None:
        with writing(history), history.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(numbers) + "\n")
        tracker.log(numbers)
        value = numbers.get(run.select_metric)
        at = f"epoch {numbers['epoch']:.0f}/{epochs}" if epochs else f"iteration {numbers['epoch']:.0f}"
        lower = " (lower is better)" if run.select_mode == "min" else ""
        context.say(at if value is None else f"{at} · {run.select_metric} {value:.3f}{lower}")
        if context.halving is not None:
            context.halving(numbers)

    return on_epoch


def _result(
    context: RunContext,
    prepared: Prepared,
    progress: Progress,
    evaluated: Evaluated,
    fitting: float,
    lines: Sequence[str],
) -> Result:
    """Return the result of a finished run. ``fitting``: seconds in the loop; ``lines``: notes of the stack."""
    size = context.process_group.size
    return result_of(
        context.run,
        context.dataset,
        "finished",
        metrics=evaluated.metrics,
        metric_versions=versions(prepared.metrics),
        parameters=prepared.model.parameter_counts(),
        train_s=progress.seconds,
        other_s=context.seconds - fitting,
        epochs=progress.epoch,
        best_epoch=progress.best_epoch,
        test_evaluations=times_tested(context.folder) + 1,
        ranking=evaluated.ranking,
        curves=evaluated.curves,
        notes=[*_notes(prepared.model, prepared.loaders), *lines, *evaluated.notes],
        hub=prepared.model.origins,
        hardware=hardware() if size == 1 else {**hardware(), "processes": size},
    )


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


def _notes(model: Model, loaders: Mapping[str, Loader]) -> list[str]:
    """Return notes on the inputs: texts that were cut, words without a pretrained vector."""
    notes = [note for loader in loaders.values() for note in loader.notes]
    if "train" in loaders and loaders["train"].part is not None:
        whole = len(loaders["train"].dataset.splits["train"])
        notes.append(f"trained on {len(loaders['train']):,} of {whole:,} items, whole groups drawn by the seed")
    return [*notes, *(line for encoder in model.encoders.values() for line in encoder.notes())]


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
