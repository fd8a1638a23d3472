"""An experiment file, read, merged, expanded and validated whole before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vsebench.config import document
from vsebench.config.axes import Origins, Row, grid_rows, placing, resolve_at
from vsebench.config.buildable import Parts, check_files
from vsebench.config.choose import chosen
from vsebench.config.faults import validate
from vsebench.config.resolve import resolve_train
from vsebench.config.schema import ExperimentFile, System
from vsebench.config.select import Select, Selection, selection_of
from vsebench.config.space import Space, check_method, read_space
from vsebench.core.errors import Collector, ConfigError, did_you_mean, known_names
from vsebench.core.errors import Path as KeyPath
from vsebench.core.plugins import load_plugin
from vsebench.core.types import OWN_SPLIT

#: Keys of ``train`` that hold a component.
NAMED = ("optimizer", "schedule")


@dataclass(frozen=True)
class Experiment:
    """A validated experiment: rows × seeds are its runs. A search (``space``) adds rows while it runs.

    Args:
        selection: metrics and what chooses the epoch, with defaults filled in; :meth:`on` fits them to a dataset.
        tried: systems that a search was checked with; no rows of the board.
    """

    file: Path
    spec: ExperimentFile
    rows: tuple[Row, ...]
    document: document.Document = field(repr=False)
    selection: Selection
    space: Space | None = field(default=None, repr=False)
    tried: tuple[Row, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """The experiment's name, which is also its board's."""
        return self.spec.experiment

    @property
    def select(self) -> Select:
        """Which validation number chooses the epoch."""
        return self.selection.select

    @property
    def metrics(self) -> tuple[str, ...]:
        """Entries of the list of metrics."""
        return self.selection.metrics

    @property
    def gallery_is_other(self) -> bool:
        """Whether queries are ranked against items of another set than their own split."""
        return self.spec.gallery != OWN_SPLIT

    def on(self, data: Mapping[str, Any]) -> Experiment:
        """Return the experiment with the defaults that suit a dataset.

        Args:
            data: ``Dataset.describe()``.

        Raises: ConfigError at the line of a mode that is not that of the default metric.
        """
        systems = [row.system for row in (*self.rows, *self.tried)]
        return replace(self, selection=selection_of(self.document, self.spec, systems, data))

    def seeds_of(self, row: Row) -> list[int]:
        """Return the seeds that a row is run with."""
        block = self.spec.sweeps.get(row.path)
        return self.spec.seeds if block is None or block.seeds is None else block.seeds

    def only(self, patterns: Sequence[str]) -> Experiment:
        """Return the rows whose names match one of the shell patterns.

        Raises: ConfigError when a pattern matches no row.
        """
        names = set(chosen([row.name for row in self.rows], patterns, self.file))
        rows = tuple(row for row in self.rows if row.name in names)
        return replace(self, rows=rows)


def load_experiment(
    file: Path | str | document.Document,
    *,
    overrides: Iterable[str] = (),
    only: Sequence[str] = (),
    runs_here: bool = True,
) -> Experiment:
    """Read and validate an experiment file.

    Args:
        file: its path, or what was read of it.
        overrides: ``key=value`` as given with ``-o``.
        only: shell patterns of row names.
        runs_here: refuse also what cannot run on this machine, such as an encoder whose file is missing.

    Raises: ConfigError of everything that is wrong, with file and line; PluginError.
    """
    doc = file if isinstance(file, document.Document) else document.load(file)
    faults = Collector()
    for assignment in overrides:
        with faults:
            doc.override(assignment)
    spec = _spec(doc, faults)
    for i, plugin in enumerate(spec.plugins):
        load_plugin(Path(doc.file).parent / plugin, place=doc.place(("plugins", i)))
    _check_top(doc, spec, faults)
    accepts = _runnable(Parts()) if runs_here else _accept_all
    rows = _named_rows(doc, spec, faults, accepts)
    space: Space | None = None
    tried: list[Row] = []
    for path, sweep in spec.sweeps.items():
        # A sweep whose only axes are at fault is not told to have none.
        if faults and not (sweep.grid or sweep.zip or sweep.space):
            continue
        with faults:
            check_method(doc, path, sweep)
            if sweep.method == "grid":
                points = grid_rows(doc, path, sweep, spec.train, accepts)
                rows += points
                _check_prune(doc, spec, [row.system for row in points])
            else:
                space = read_space(doc, sweep, spec.train, accepts)
                tried = space.check()
                _check_prune(doc, spec, [row.system for row in tried])
    _check_axes(doc, spec, faults)
    with faults:
        _check_pivot(doc, spec)
    with faults:
        _check_unique(doc, rows)
    _check_claims(doc, spec, rows, faults)
    with faults:
        selection = selection_of(doc, spec, [row.system for row in (*rows, *tried)])
    faults.check()
    if not rows and space is None:
        raise ConfigError("there is nothing to run: give 'systems', 'sweep' or both.", place=doc.place(()))
    experiment = Experiment(Path(doc.file), spec, tuple(rows), doc, selection, space, tuple(tried))
    return experiment.only(only) if only else experiment


def _spec(doc: document.Document, faults: Collector) -> ExperimentFile:
    """Return the file as typed blocks. Of a file with faults, what is left without the blocks at fault, so that the
    faults of all others are told too.

    Raises: ConfigError where nothing is left.
    """
    try:
        return validate(ExperimentFile, doc.data, "the experiment file")
    except ConfigError as error:
        faults.faults += doc.placed(error).faults
        if not isinstance(doc.data, dict):
            faults.check()
        wrong = [_left_out(fault) for fault in error.faults if fault.path]
    left = _without(doc.data, wrong)
    try:
        return validate(ExperimentFile, {"experiment": "x", "dataset": "x", **left}, "the experiment file")
    except ConfigError:
        faults.check()
        raise


#: Where a fault is in a value, the block that is left out with it: one row, or the whole block of the top level.
_DEPTH = {"systems": 2}


def _left_out(fault: ConfigError) -> KeyPath:
    """Return the path of the part of a file that is not read because of a fault: an unknown key, or a block."""
    return fault.path if fault.on_key else fault.path[: _DEPTH.get(str(fault.path[0]), 1)]


def _without(data: Any, paths: Sequence[KeyPath]) -> Any:
    """Return a copy of a block without some of the keys below it."""
    if isinstance(data, list):  # of its positions none is left out, only keys below
        return [_without(value, [path[1:] for path in paths if path[0] == i]) for i, value in enumerate(data)]
    if not isinstance(data, dict):
        return data
    below = {key: [path[1:] for path in paths if path[0] == key] for key in data}
    return {key: _without(value, below[key]) for key, value in data.items() if () not in below[key]}


def plugin_files(experiment: Experiment) -> list[Path]:
    """Return the plug-ins that the file names, as absolute paths (for worker processes)."""
    return [(experiment.file.parent / p).resolve() for p in experiment.spec.plugins]


def _check_top(doc: document.Document, spec: ExperimentFile, faults: Collector) -> None:
    from vsebench.core.metric_specs import parse_metrics

    of_blocks = {(*path, "seeds"): block.seeds for path, block in spec.sweeps.items()}
    for path, seeds in {("seeds",): spec.seeds, **of_blocks}.items():
        with faults:
            if seeds is not None and len(set(seeds)) != len(seeds):
                raise ConfigError(f"'seeds' repeats a seed. Got {seeds}.", place=doc.place(path))
    for i, entry in enumerate(spec.metrics):
        try:
            parse_metrics([entry])
        except ConfigError as error:
            faults.faults.append(error.at(doc.place(("metrics", i))))
    with faults:
        _check_gallery(doc, spec)
    with faults:
        try:
            spec.measure.requested()
        except ConfigError as error:
            raise doc.placed(error.under("measure")) from None
    # A block without a name changes options of each row's own optimiser, and is checked with the row.
    named = {k: v for k, v in spec.train.items() if not (isinstance(v, dict) and "name" not in v and k in NAMED)}
    with faults:
        try:
            resolve_train(named, ("train",))
        except ConfigError as error:
            raise doc.placed(error) from None


def _check_gallery(doc: document.Document, spec: ExperimentFile) -> None:
    """Refuse what cannot be a gallery of any dataset; whether this one has the set is known when it is opened."""
    from vsebench.core.metric_specs import folded

    if spec.gallery in ("val", "test"):
        raise ConfigError(
            f"'gallery: {spec.gallery}' would rank queries of one split against those of another. Write 'split' for "
            "each split against itself, or the name of a set, such as 'database' or 'train'.",
            place=doc.place(("gallery",)),
        )
    try:
        parts = [] if spec.gallery == OWN_SPLIT else folded(spec.metrics)
    except ConfigError:
        return  # an unknown metric is told by itself
    if parts:
        raise ConfigError(
            f"metric '{spec.metrics[parts[0]]}' ranks parts of a split against themselves; write gallery: split.",
            place=doc.place(("metrics", parts[0])),
        )


def _runnable(parts: Parts) -> Callable[[System], None]:
    """Return a check that refuses a system with a part that cannot be built, or a file that is missing."""

    def check(system: System) -> None:
        faults = Collector()
        with faults:
            check_files(system)
        with faults:
            parts.check(system)
        faults.check()

    return check


def _accept_all(system: System) -> None:
    """Refuse nothing."""


def _named_rows(
    doc: document.Document, spec: ExperimentFile, faults: Collector, accepts: Callable[[System], None]
) -> list[Row]:
    rows = []
    for name, block in spec.systems.items():
        origins: Origins = [(("systems", name), ())]
        with faults:
            system = resolve_at(doc, block, spec.train, origins, accepts)
            rows.append(Row(name, "systems", system, path=("systems", name), placed=placing(doc, block, origins)))
    return rows


def _check_prune(doc: document.Document, spec: ExperimentFile, systems: Iterable[System]) -> None:
    """Refuse a rung that no run can reach: it would silently prune nothing."""
    prune = spec.prune
    longest = max(system.train.epochs for system in systems)
    if prune is not None and prune.min_epochs >= longest:
        raise ConfigError(
            f"'prune' would never stop a run: 'min_epochs' is {prune.min_epochs}, and no run has more than {longest} "
            "epochs.",
            place=doc.place(("sweep", "prune", "min_epochs")),
        )


def _check_pivot(doc: document.Document, spec: ExperimentFile) -> None:
    """Refuse a pivot by something that is no axis of the grid: it would silently show no table."""
    if spec.board.pivot is None:
        return
    axes = list(dict.fromkeys(axis for block in spec.sweeps.values() for axis in block.axes))
    by = spec.board.pivot.by
    if by not in axes:
        raise ConfigError(
            f"'{by}' is no axis of the grid." + did_you_mean(by, axes) + known_names(axes, "Axes"),
            place=doc.place(("board", "pivot", "by")),
        )
    _check_pivoted(doc, spec)


def _check_pivoted(doc: document.Document, spec: ExperimentFile) -> None:
    """Refuse a pivot of a metric that the experiment does not request: it would be a table of dashes."""
    from vsebench.core.metric_specs import metric_entry, parse_metrics

    faults = Collector()
    requested = parse_metrics(spec.metrics) if "metrics" in spec.model_fields_set else None
    for i, key in enumerate(spec.board.pivot.metrics if spec.board.pivot is not None else ()):
        place = doc.place(("board", "pivot", "metrics", i))
        with faults:
            try:
                entry = metric_entry(key.split("/", 1)[1])
                (metric,) = parse_metrics([entry])
            except ConfigError as error:
                raise ConfigError(error.message, place=place) from None
            if requested is not None and metric not in requested:
                message = f"'{key}' is shown across, but '{entry}' is not among the experiment's metrics."
                raise ConfigError(message + known_names(spec.metrics, "Metrics"), place=place)
    faults.check()


def _check_claims(doc: document.Document, spec: ExperimentFile, rows: Sequence[Row], faults: Collector) -> None:
    """Refuse claims about rows that there are not. A search's points have names only when they are drawn."""
    if any(block.method != "grid" for block in spec.sweeps.values()):
        return
    names = [row.name for row in rows]
    for i, claim in enumerate(spec.board.claims or ()):
        for key in ("row", "over"):
            name = getattr(claim, key)
            with faults:
                if name not in names:
                    message = f"there is no row '{name}'." + did_you_mean(name, names)
                    raise ConfigError(message, place=doc.place(("board", "claims", i, key)))


def _check_unique(doc: document.Document, rows: Iterable[Row]) -> None:
    seen: dict[str, Row] = {}
    for row in rows:
        if row.name in seen:
            first = doc.place(seen[row.name].path)
            raise ConfigError(f"two rows are named '{row.name}': here and at {first}.", place=doc.place(row.path))
        seen[row.name] = row


def _check_axes(doc: document.Document, spec: ExperimentFile, faults: Collector) -> None:
    """Refuse two grids with the same axes: a board tells its grids apart by them."""
    seen: dict[frozenset[str], KeyPath] = {}
    for path, block in spec.sweeps.items():
        first = seen.setdefault(frozenset(block.axes), path)
        if first != path and block.axes:
            message = f"this grid has the axes of that at {doc.place(first)} ({', '.join(block.axes)}): join them."
            faults.faults.append(ConfigError(message, place=doc.place(path)))
