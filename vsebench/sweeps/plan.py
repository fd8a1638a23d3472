"""What a sweep will do: every row and seed as a run with its id, and which of them are done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from vsebench.config.code_files import code_digest
from vsebench.config.experiment import Experiment, Row, plugin_files
from vsebench.config.hub_commits import pinned
from vsebench.config.identity import run_id
from vsebench.config.schema import Prune, System
from vsebench.core.types import OWN_SPLIT, Result
from vsebench.runs.store import Store

Status = Literal["finished", "pruned", "failed", "started", "waiting"]


@dataclass(frozen=True)
class Run:
    """One system with one seed, with all that a worker process needs. Plain data: it travels to workers."""

    run_id: str
    experiment: str
    name: str
    section: str
    system: System
    seed: int
    metrics: tuple[str, ...]
    select_metric: str
    select_mode: str
    dataset: Any  # the experiment file's dataset block
    axes: tuple[tuple[str, str], ...] = ()
    plugins: tuple[Path, ...] = ()
    prune: Prune | None = None
    gallery: str = OWN_SPLIT  # the set that queries are ranked against
    code: str = ""  # digest of the code that planned it, which other nodes must have too
    status: Status = "waiting"

    @property
    def title(self) -> str:
        """How progress shows it."""
        return f"{self.name} · seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """The runs of an experiment, each once, in the order of the file."""

    experiment: Experiment
    runs: tuple[Run, ...]
    dataset: Mapping[str, Any]  # what results say of the dataset

    def count(self, status: Status) -> int:
        """Return how many runs have a status."""
        return sum(r.status == status for r in self.runs)

    @property
    def todo(self) -> list[Run]:
        """The runs that are not over. A failed run is tried again, a pruned one is not."""
        return [r for r in self.runs if r.status not in ("finished", "pruned")]


def make_plan(experiment: Experiment, dataset: Mapping[str, Any], store: Store) -> Plan:
    """Give every row and seed its id and look up what is done.

    Args:
        experiment: the validated experiment.
        dataset: ``Dataset.describe()``; its fingerprint is part of the ids.
        store: of the experiment's runs.

    Two rows that come to the same run share it: it is trained once and shown for both.
    """
    return Plan(experiment, tuple(runs_of(experiment, experiment.rows, dataset, store)), dataset)


def runs_of(experiment: Experiment, rows: Iterable[Row], dataset: Mapping[str, Any], store: Store) -> list[Run]:
    """Return the runs of some rows, with what the store says of them."""
    unpruned = {_key(experiment, row, seed, dataset) for row, seed in _named(experiment)}
    runs = []
    for row in map(_pinned, rows):
        for seed in experiment.seeds_of(row):
            run = _run(experiment, row, seed, _key(experiment, row, seed, dataset))
            if run.run_id in unpruned:
                run = replace(run, prune=None)
            runs.append(replace(run, status=_status(store, run)))
    return runs


def is_over(run: Run, result: Result) -> bool:
    """Return whether a result stands: a pruned one only under the rules that it was pruned by."""
    if result.status == "pruned":
        return run.prune is not None and pruned_by(run.prune) in result.notes
    return result.status == "finished"


def pruned_by(prune: Prune) -> str:
    """Return the note of a pruned result."""
    return f"pruned by {prune.text}"


def id_here(run: Run, fingerprint: str) -> str:
    """Compute the id that a run has in this process; it differs from the run's where versions or local files do."""
    return run_id(
        run.system,
        seed=run.seed,
        fingerprint=fingerprint,
        metric_versions=_versions(run.metrics, run.select_metric),
        metrics=list(run.metrics),
        select={"metric": run.select_metric, "mode": run.select_mode},
        gallery=run.gallery,
    )


def _named(experiment: Experiment) -> list[tuple[Row, int]]:
    """Return the runs of rows by name: they are no part of the sweep and never pruned."""
    rows = [row for row in experiment.rows if row.section == "systems"] if experiment.spec.prune is not None else []
    return [(_pinned(row), seed) for row in rows for seed in experiment.seeds_of(row)]


def _pinned(row: Row) -> Row:
    """Return the row with the commits of the hub's models, which are part of its runs' ids."""
    return replace(row, system=pinned(row.system))


def _key(experiment: Experiment, row: Row, seed: int, dataset: Mapping[str, Any]) -> str:
    spec = experiment.spec
    return run_id(
        row.system,
        seed=seed,
        fingerprint=str(dataset["fingerprint"]),
        metric_versions=_versions(experiment.metrics, experiment.select.plain["metric"]),
        metrics=list(experiment.metrics),
        select=experiment.select.plain,
        gallery=spec.gallery,
    )


def _versions(metrics: Sequence[str], selected: str) -> dict[str, int]:
    """Of every metric that a run's numbers rest on: the one that chooses its epoch need not be among the others."""
    from vsebench.core.metric_specs import metric_entry, parse_metrics, versions

    return versions(parse_metrics([*metrics, metric_entry(selected.removeprefix("val/"))]))


def _run(experiment: Experiment, row: Row, seed: int, key: str) -> Run:
    spec = experiment.spec
    return Run(
        run_id=key,
        code=code_digest(row.system),
        experiment=experiment.name,
        name=row.name,
        section=row.section,
        system=row.system,
        seed=seed,
        metrics=experiment.metrics,
        select_metric=experiment.select.metric,
        select_mode=experiment.select.mode,
        dataset=spec.dataset,
        axes=tuple(row.axes.items()),
        plugins=tuple(plugin_files(experiment)),
        prune=spec.prune if row.section == "sweep" else None,
        gallery=spec.gallery,
    )


def _status(store: Store, run: Run) -> Status:
    result = store.read(run.run_id)
    if result is None:
        return "started" if store.run_folder(run.run_id).is_dir() else "waiting"
    if result.status == "failed":
        return "failed"
    if not is_over(run, result):
        return "waiting"
    return "pruned" if result.status == "pruned" else "finished"
