"""An experiment file, read, merged, expanded and validated whole before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vsebench.config import document
from vsebench.config.axes import Row, grid_rows, resolve_at
from vsebench.config.choose import chosen
from vsebench.config.faults import validate
from vsebench.config.resolve import resolve_train
from vsebench.config.schema import ExperimentFile, System
from vsebench.config.select import Judged, Select, judged_by
from vsebench.config.space import Space, check_method, read_space
from vsebench.errors import ConfigError, did_you_mean, known_names
from vsebench.plugins import load_plugin_file
from vsebench.types import OWN_SPLIT


@dataclass(frozen=True)
class Experiment:
    """A validated experiment: rows × seeds are its runs. A search (``space``) adds rows while it runs.

    Args:
        judged: metrics and what chooses the epoch, with defaults filled in; :meth:`on` fits them to a dataset.
        tried: the systems that a search was checked with.
    """

    file: Path
    spec: ExperimentFile
    rows: tuple[Row, ...]
    document: document.Document = field(repr=False)
    judged: Judged
    space: Space | None = field(default=None, repr=False)
    tried: tuple[System, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """The experiment's name, which is also its board's."""
        return self.spec.experiment

    @property
    def select(self) -> Select:
        """Which validation number chooses the epoch."""
        return self.judged.select

    @property
    def metrics(self) -> tuple[str, ...]:
        """Entries of the list of metrics."""
        return self.judged.metrics

    def on(self, data: Mapping[str, Any]) -> Experiment:
        """The experiment with the defaults that suit a dataset.

        Args:
            data: ``Dataset.describe()``.

        Raises: ConfigError at the line of a mode that is not that of the default metric.
        """
        systems = [*(row.system for row in self.rows), *self.tried]
        return replace(self, judged=judged_by(self.document, self.spec, systems, data))

    def only(self, patterns: Sequence[str]) -> Experiment:
        """The rows whose names match one of the shell patterns.

        Raises: ConfigError when a pattern matches no row.
        """
        names = set(chosen([row.name for row in self.rows], patterns, self.file))
        kept = tuple(row for row in self.rows if row.name in names)
        return replace(self, rows=kept)


def load_experiment(
    file: Path | str, *, overrides: Iterable[str] = (), plugins: Iterable[str] = (), only: Sequence[str] = ()
) -> Experiment:
    """Read and validate an experiment file.

    Args:
        overrides: ``key=value`` as given with ``-o``.
        plugins: files given with ``--plugin``, beside those that the file names.
        only: shell patterns of row names.

    Raises: ConfigError with file and line; PluginError.
    """
    doc = document.load(file)
    for assignment in overrides:
        doc.override(assignment)
    try:
        spec = validate(ExperimentFile, doc.data, "the experiment file")
    except ConfigError as error:
        raise error.at(doc.place(error.path, on_key=error.on_key)) from None
    for plugin in plugins:
        load_plugin_file(plugin)
    for i, plugin in enumerate(spec.plugins):
        load_plugin_file(Path(file).parent / plugin, place=doc.place(("plugins", i)))
    _check_top(doc, spec)
    rows = _named_rows(doc, spec)
    space, tried = None, []
    if spec.sweep is not None:
        check_method(doc, spec.sweep)
        if spec.sweep.method == "grid":
            points = grid_rows(doc, spec.sweep, spec.train)
            rows += points
            _check_prune(doc, spec, [row.system for row in points])
        else:
            space = read_space(doc, spec.sweep, spec.train)
            tried = space.check()
            _check_prune(doc, spec, tried)
    if not rows and space is None:
        raise ConfigError("there is nothing to run: give 'systems', 'sweep' or both.", place=doc.place(()))
    _check_unique(doc, rows)
    _check_pivot(doc, spec)
    judged = judged_by(doc, spec, [*(row.system for row in rows), *tried])
    experiment = Experiment(Path(file), spec, tuple(rows), doc, judged, space, tuple(tried))
    return experiment.only(only) if only else experiment


def plugin_files(experiment: Experiment) -> list[Path]:
    """The plug-ins that the file names, as absolute paths (for worker processes)."""
    return [(experiment.file.parent / p).resolve() for p in experiment.spec.plugins]


def _check_top(doc: document.Document, spec: ExperimentFile) -> None:
    from vsebench.scoring import parse_metrics

    if len(set(spec.seeds)) != len(spec.seeds):
        raise ConfigError(f"'seeds' repeats a seed. Got {spec.seeds}.", place=doc.place(("seeds",)))
    try:
        parse_metrics(spec.metrics)
    except ConfigError as error:
        raise error.at(doc.place(("metrics", *error.path))) from None
    _check_gallery(doc, spec)
    try:
        resolve_train(spec.train, ("train",))
    except ConfigError as error:
        raise error.at(doc.place(error.path, on_key=error.on_key)) from None


def _check_gallery(doc: document.Document, spec: ExperimentFile) -> None:
    """Refuse what cannot be a gallery of any dataset; whether this one has the set is known when it is opened."""
    from vsebench.scoring import folded

    if spec.gallery in ("val", "test"):
        raise ConfigError(
            f"'gallery: {spec.gallery}' would rank queries of one split against those of another. Write 'split' for "
            "each split against itself, or the name of a set, such as 'database' or 'train'.",
            place=doc.place(("gallery",)),
        )
    parts = [] if spec.gallery == OWN_SPLIT else folded(spec.metrics)
    if parts:
        raise ConfigError(
            f"metric '{spec.metrics[parts[0]]}' ranks parts of a split against themselves; write gallery: split.",
            place=doc.place(("metrics", parts[0])),
        )


def _named_rows(doc: document.Document, spec: ExperimentFile) -> list[Row]:
    rows = []
    for name, block in spec.systems.items():
        system = resolve_at(doc, block, spec.train, [(("systems", name), ())])
        rows.append(Row(name, "systems", system))
    return rows


def _check_prune(doc: document.Document, spec: ExperimentFile, systems: Iterable[System]) -> None:
    """A rung that no run can reach would prune nothing, silently."""
    prune = spec.sweep.prune if spec.sweep is not None else None
    longest = max(system.train.epochs for system in systems)
    if prune is not None and prune.min_epochs >= longest:
        raise ConfigError(
            f"'prune' would never stop a run: 'min_epochs' is {prune.min_epochs}, and no run has more than {longest} "
            "epochs.",
            place=doc.place(("sweep", "prune", "min_epochs")),
        )


def _check_pivot(doc: document.Document, spec: ExperimentFile) -> None:
    """A pivot by what is no axis of the grid would show no table, silently."""
    if spec.board.pivot is None:
        return
    sweep = spec.sweep
    axes = [] if sweep is None else [*sweep.grid, *(axis for block in sweep.zip for axis in block)]
    by = spec.board.pivot.by
    if by not in axes:
        raise ConfigError(
            f"'{by}' is no axis of the grid." + did_you_mean(by, axes) + known_names(axes, "Axes"),
            place=doc.place(("board", "pivot", "by")),
        )


def _check_unique(doc: document.Document, rows: Iterable[Row]) -> None:
    seen: dict[str, Row] = {}
    for row in rows:
        if row.name in seen:
            raise ConfigError(f"two rows are named '{row.name}'.", place=doc.place(("sweep",)))
        seen[row.name] = row
