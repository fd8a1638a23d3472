"""Runs of the earlier form of ids, under the ids that the same configuration has today."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vsebench.config import document
from vsebench.config.experiment import Experiment
from vsebench.config.hub_commits import repository_of
from vsebench.config.identity import local_weights
from vsebench.config.schema import System
from vsebench.core.errors import VsebenchError
from vsebench.core.files import write_atomically
from vsebench.core.metric_specs import parse_metrics, versions
from vsebench.core.registry import registry_of
from vsebench.core.types import OWN_SPLIT, Result
from vsebench.engine.pretrain import made_from, needed, read_record
from vsebench.ops.weights import load_weights, save_weights
from vsebench.results.leaves import differing, leaves
from vsebench.results.renew import CHOSEN_BY
from vsebench.runs.earlier import CARRIED, has_earlier_id
from vsebench.runs.store import MODEL, RESULT, RUN, Store, digests_file, read_run_file
from vsebench.sweeps.plan import Run, runs_of


@dataclass
class Carried:
    """What came of it.

    Args:
        ids: earlier id -> today's.
        left: earlier id -> why the run keeps it.
    """

    ids: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def carry_over(experiment: Experiment, store: Store) -> Carried:
    """Give finished runs of the earlier form the ids of the runs that the experiment plans today.

    A run is carried over where everything that an id of today is made from is the same: configuration (options that
    are new since then at their defaults), data, seed, metrics with their versions, what chooses the epoch, gallery, and
    pretrained weights. Its folder, weights and result then name the new id; a note of its result names the earlier one.

    Args:
        experiment: as it is planned today.
        store: of the experiment's runs.
    """
    carried = Carried()
    plans: dict[str, list[Run]] = {}
    for result in [r for r in store.results() if r.status == "finished" and has_earlier_id(r)]:
        try:
            config = read_run_file(store.run_folder(result.run_id))
            data = str(result.dataset["fingerprint"])
            if data not in plans:
                plans[data] = runs_of(experiment.on(result.dataset), experiment.rows, result.dataset, store)
            candidates = [run for run in plans[data] if run.seed == result.seed]
            run, reason = _match(candidates, config, result, store)
        except (VsebenchError, ValidationError) as error:
            run, reason = None, str(error).splitlines()[0]
        if run is None:
            carried.left[result.run_id] = reason
        else:
            _move(store, result, config, run)
            carried.ids[result.run_id] = run.run_id
    return carried


def _match(candidates: list[Run], config: Mapping[str, Any], result: Result, store: Store) -> tuple[Run | None, str]:
    """Return the planned run that a run is by all that counts, or why there is none."""
    before = System.model_validate(config["system"])
    system = _plain(completed(before, result))
    same = [run for run in candidates if _plain(run.system) == system]
    if not same:
        alike = [run for run in candidates if run.name == result.system]
        if not alike:
            return None, f"the experiment has no row '{result.system}' with seed {result.seed}"
        names = differing(leaves(_plain(alike[0].system)), leaves(system))
        return None, f"its configuration differs in {', '.join(list(names)[:3])}"
    run = same[0]
    return (None, reason) if (reason := _differs(run, before, config, result, store)) else (run, "")


def _differs(run: Run, before: System, config: Mapping[str, Any], result: Result, store: Store) -> str:
    """Return what else than the configuration is not the same; empty where all is."""
    # Whatever today's id covers and the earlier one did not must be shown to be equal, one thing after the other; the
    # first that is not is the reason.
    if sorted(config["metrics"]) != sorted(run.metrics):
        return "it has other metrics"
    wanted = versions(parse_metrics(list(run.metrics)))
    older = [name for name, version in wanted.items() if result.metric_versions.get(name) != version]
    if older:
        return f"{', '.join(older)}: by another version; run 'vsebench results recompute' first"
    if any(note.startswith(CHOSEN_BY) for note in result.notes):
        return "its epoch was chosen by an earlier version of a metric"
    if dict(config["select"]) != {"metric": run.select_metric, "mode": run.select_mode}:
        return "its epoch was chosen by another metric"
    if config.get("gallery", OWN_SPLIT) != run.gallery:
        return "its queries were ranked against another gallery"
    for name, version in local_weights(run.system).items():
        if result.hub.get(name.partition(".")[0], {}).get("commit") != version:
            return f"the content of the file that '{name}' names was not recorded with it"
    record = read_record(store.run_folder(result.run_id))
    for slot in needed(before):
        if record.get(slot, {}).get("made_from") != made_from(getattr(before, slot), result.dataset["fingerprint"]):
            return f"the weights that {slot} was pretrained to are of another version of 'weights: pretrain'"
    if store.run_folder(run.run_id).exists():
        return f"run {run.run_id}, which it is today, exists already"
    return ""


def completed(system: System, result: Result) -> System:
    """Return a system with options that are new at their defaults, and the commits that it had of the hub's models.

    Raises: ConfigError for an option or component that there is no more.
    """
    system = system.model_copy(deep=True)
    for kind, spec in system.components():
        spec.options.update(registry_of(kind).get(spec.name).validate(spec.options))
        if kind in result.hub and repository_of(spec.name, spec.options) is not None:
            spec.options["revision"] = result.hub[kind]["commit"]
    return system


def _plain(system: System) -> dict[str, Any]:
    return system.model_dump(mode="json", exclude={"recipe"})


def _move(store: Store, result: Result, config: Mapping[str, Any], run: Run) -> None:
    """Copy a run to its new id, result last, and then remove it under the earlier one."""
    old, new = store.run_folder(result.run_id), store.run_folder(run.run_id)
    shutil.copytree(old, new, ignore=shutil.ignore_patterns(RESULT))
    if (old / MODEL).is_file():
        save_weights(new / MODEL, load_weights(old / MODEL, owner=result.run_id), owner=run.run_id)
    system = run.system.model_dump(mode="json")
    written = {**config, "run_id": run.run_id, "row": run.name, "system": system}
    write_atomically(new / RUN, document.dump(written))
    made_by = f"version {result.versions.get('vsebench', '?')}, commit {result.commit or '?'}"
    note = f"{CARRIED}{result.run_id} of the earlier form of ids ({made_by}), by its configuration"
    notes = [*result.notes, note]
    store.write(replace(result, run_id=run.run_id, system=run.name, config=system, notes=notes))
    store.remove(result.run_id)
    digests_file(Path(old)).unlink(missing_ok=True)
