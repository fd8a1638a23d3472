"""What a comparison of indexes will measure: every row and seed with its id, and which of them are done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vsebench.config.identity import ENGINE_VERSION, component_version, plugin_digests
from vsebench.config.index_experiment import IndexExperiment, IndexRow
from vsebench.core.digests import digest
from vsebench.core.errors import Collector, ConfigError
from vsebench.core.registry import INDEXES
from vsebench.retrieval.index_benchmark.measure import VERSION
from vsebench.runs.store import Store


@dataclass(frozen=True)
class Measurement:
    """One index, with one seed.

    Args:
        run_id: digest of all that can change its numbers but the machine.
        row: of the experiment.
        seed: of the index.
        options: its own, all of them.
        status: ``finished``, ``failed`` or ``waiting``.
    """

    run_id: str
    row: IndexRow
    seed: int
    options: Mapping[str, Any]
    status: str

    @property
    def title(self) -> str:
        """How progress shows it."""
        return f"{self.row.name} · seed {self.seed}" if len(self.row.seeds) > 1 else self.row.name


def plan(
    experiment: IndexExperiment, described: Mapping[str, Any], store: Store, *, threads: int
) -> tuple[Measurement, ...]:
    """Return the measurements, in the order of the file.

    Args:
        experiment: the validated experiment.
        described: the vectors, as results name them.
        store: of the experiment's results.
        threads: that they are made with.

    Raises: ConfigError of every row, with its line, whose index cannot hold vectors of this size, or lacks a library.
    """
    results, faults = [], Collector()
    for row in experiment.rows:
        for seed in row.seeds:
            options = row.options(seed)
            try:
                INDEXES.build(row.spec.name, options, dim=int(described["dim"]))
            except ConfigError as error:
                faults.faults += error.at(experiment.place(row)).faults
                continue
            run_id = measurement_id(experiment, row.spec.name, options, str(described["fingerprint"]), threads)
            result = store.read(run_id)
            results.append(Measurement(run_id, row, seed, options, "waiting" if result is None else result.status))
    faults.check()
    return tuple(results)


def measurement_id(
    experiment: IndexExperiment, name: str, options: Mapping[str, Any], fingerprint: str, threads: int
) -> str:
    """16 hex digits over the index, the vectors, what is measured, and the declared versions."""
    return digest(
        {
            "index": name,
            "options": dict(options),
            "vectors": fingerprint,
            "k": sorted(experiment.spec.k),
            "threads": threads,
            "version": VERSION,
            "engine": ENGINE_VERSION,
            "component": component_version("index", name),
            "plugins": plugin_digests([("index", name)]),
        }
    )
