"""What a sweep will do: every row and seed as a run with its id, and which of them are done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from vsebench.config.experiment import Experiment, Row, plugin_files
from vsebench.config.identity import run_id
from vsebench.config.schema import System
from vsebench.store import Store

Status = Literal["finished", "failed", "started", "waiting"]


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
        """How many runs have a status."""
        return sum(r.status == status for r in self.runs)

    @property
    def todo(self) -> list[Run]:
        """The runs that are not finished."""
        return [r for r in self.runs if r.status != "finished"]


def make_plan(experiment: Experiment, dataset: Mapping[str, Any], store: Store) -> Plan:
    """Give every row and seed its id and look up what is done.

    Args:
        dataset: ``Dataset.describe()``; its fingerprint is part of the ids.

    Two rows that come to the same run share it: it is trained once and shown for both.
    """
    from vsebench.scoring import parse_metrics, versions

    spec = experiment.spec
    parsed = parse_metrics(spec.metrics)
    metric_versions = versions(parsed)
    runs: list[Run] = []
    for row in experiment.rows:
        for seed in spec.seeds:
            key = run_id(
                row.system,
                seed=seed,
                fingerprint=str(dataset["fingerprint"]),
                metric_versions=metric_versions,
                metrics=spec.metrics,
                select=spec.select.model_dump(),
            )
            run = _run(experiment, row, seed, key)
            runs.append(replace(run, status=_status(store, key)))
    return Plan(experiment, tuple(runs), dataset)


def _run(experiment: Experiment, row: Row, seed: int, key: str) -> Run:
    spec = experiment.spec
    return Run(
        run_id=key,
        experiment=experiment.name,
        name=row.name,
        section=row.section,
        system=row.system,
        seed=seed,
        metrics=tuple(spec.metrics),
        select_metric=spec.select.metric,
        select_mode=spec.select.mode,
        dataset=spec.dataset,
        axes=tuple(row.axes.items()),
        plugins=tuple(plugin_files(experiment)),
    )


def _status(store: Store, key: str) -> Status:
    result = store.read(key)
    if result is not None:
        return "finished" if result.status == "finished" else "failed"
    return "started" if store.run_folder(key).is_dir() else "waiting"
