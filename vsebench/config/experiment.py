"""An experiment file, read, merged, expanded and validated whole before anything runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from vsebench.config import document
from vsebench.config.faults import validate
from vsebench.config.merge import set_path
from vsebench.config.resolve import recipe, resolve, resolve_train, system_block
from vsebench.config.schema import SLOTS, ExperimentFile, Sweep, System
from vsebench.errors import ConfigError, Place, did_you_mean, known_names
from vsebench.errors import Path as KeyPath
from vsebench.registry import load_plugin_file

MAX_ROWS = 100_000


@dataclass(frozen=True)
class Row:
    """One system of an experiment: a row of its board.

    Args:
        name: shown on the board, unique in the experiment.
        section: ``systems`` (written by name) or ``sweep`` (a point of the grid).
        system: everything resolved.
        axes: for a grid's point, axis → label of the value.
    """

    name: str
    section: str
    system: System
    axes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """A validated experiment: rows × seeds are its runs."""

    file: Path
    spec: ExperimentFile
    rows: tuple[Row, ...]
    document: document.Document = field(repr=False)

    @property
    def name(self) -> str:
        """The experiment's name, which is also its board's."""
        return self.spec.experiment

    def only(self, patterns: Sequence[str]) -> Experiment:
        """The rows whose names match one of the shell patterns.

        Raises: ConfigError when a pattern matches no row.
        """
        for pattern in patterns:
            if not any(_matches(row.name, pattern) for row in self.rows):
                names = [row.name for row in self.rows]
                raise ConfigError(
                    f"--only '{pattern}' matches no row of {self.file}."
                    + did_you_mean(pattern, names)
                    + known_names(names[:20], "Rows")
                )
        kept = tuple(row for row in self.rows if any(_matches(row.name, p) for p in patterns))
        return Experiment(self.file, self.spec, kept, self.document)


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
    rows = (*_named_rows(doc, spec), *_grid_rows(doc, spec))
    if not rows:
        raise ConfigError("there is nothing to run: give 'systems', 'sweep' or both.", place=doc.place(()))
    _check_unique(doc, rows)
    experiment = Experiment(Path(file), spec, rows, doc)
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
    try:
        resolve_train(spec.train, ("train",))
    except ConfigError as error:
        raise error.at(doc.place(error.path, on_key=error.on_key)) from None


def _named_rows(doc: document.Document, spec: ExperimentFile) -> list[Row]:
    rows = []
    for name, block in spec.systems.items():
        system = _resolve_at(doc, block, spec.train, [(("systems", name), ())])
        rows.append(Row(name, "systems", system))
    return rows


@dataclass(frozen=True)
class _Value:
    """One value of an axis: its label, and where it stands."""

    label: str
    value: Any
    path: KeyPath


def _grid_rows(doc: document.Document, spec: ExperimentFile) -> list[Row]:
    sweep = spec.sweep
    if sweep is None:
        return []
    axes = {axis: _axis(doc, axis, values, ("sweep", "grid", axis)) for axis, values in sweep.grid.items()}
    groups: list[list[dict[str, _Value]]] = [[{axis: v} for v in values] for axis, values in axes.items()]
    groups += [_zipped(doc, block, i, axes) for i, block in enumerate(sweep.zip)]
    if not groups:
        raise ConfigError("the sweep has no axes: give 'grid' or 'zip'.", place=doc.place(("sweep",)))
    labels: dict[str, list[str]] = {}
    for group in groups:
        for point in group:
            for axis, value in point.items():
                labels.setdefault(axis, []).append(value.label)
    excluded = [_exclusion(doc, rule, i, labels) for i, rule in enumerate(sweep.exclude)]
    total = 1
    for group in groups:
        total *= len(group)
    if total > MAX_ROWS:
        raise ConfigError(f"the grid has {total:,} points; {MAX_ROWS:,} is the most.", place=doc.place(("sweep",)))
    rows = []
    for combination in itertools.product(*groups):
        point = {axis: value for part in combination for axis, value in part.items()}
        shown = {axis: value.label for axis, value in point.items()}
        if any(all(shown[a] in allowed for a, allowed in rule.items()) for rule in excluded):
            continue
        rows.append(_grid_row(doc, sweep, spec.train, point, shown))
    if not rows:
        raise ConfigError("'exclude' leaves nothing of the grid.", place=doc.place(("sweep", "exclude")))
    return rows


def _grid_row(
    doc: document.Document, sweep: Sweep, train: dict[str, Any], point: dict[str, _Value], shown: dict[str, str]
) -> Row:
    block = dict(sweep.base)
    origins: list[tuple[KeyPath, KeyPath]] = [(("sweep", "base"), ())]
    for axis, value in point.items():
        block = set_path(block, axis, value.value)
        origins.append((value.path, tuple(axis.split("."))))
    system = _resolve_at(doc, block, train, origins)
    return Row(" · ".join(shown.values()), "sweep", system, shown)


def _axis(doc: document.Document, axis: str, values: Any, path: KeyPath) -> list[_Value]:
    head = axis.split(".")[0]
    known = [*SLOTS, *(f for f in System.model_fields if f not in (*SLOTS, "recipe")), "system"]
    if head not in known:
        message = f"unknown axis '{axis}'." + did_you_mean(head, known) + known_names(known)
        raise ConfigError(message, place=doc.place(path, on_key=True))
    if isinstance(values, dict):
        found = [_Value(str(label), value, (*path, label)) for label, value in values.items()]
    elif isinstance(values, list):
        found = [_Value(_label(value), value, (*path, i)) for i, value in enumerate(values)]
    else:
        raise ConfigError(
            f"axis '{axis}' must be a list of values, or a block of label: value. Got {values!r}.",
            place=doc.place(path),
        )
    if not found:
        raise ConfigError(f"axis '{axis}' is empty: the grid has no points.", place=doc.place(path))
    seen: set[str] = set()
    for value in found:
        if value.label in seen:
            raise ConfigError(
                f"axis '{axis}' has two values shown as '{value.label}'. "
                "Write the axis as a block of label: value to tell them apart.",
                place=doc.place(value.path),
            )
        seen.add(value.label)
    return found


def _label(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return str(value["name"])
    if isinstance(value, list):
        return "+".join(_label(v) for v in value)
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _zipped(
    doc: document.Document, block: dict[str, Any], i: int, grid: dict[str, list[_Value]]
) -> list[dict[str, _Value]]:
    place = doc.place(("sweep", "zip", i))
    axes = {axis: _axis(doc, axis, values, ("sweep", "zip", i, axis)) for axis, values in block.items()}
    twice = sorted(set(axes) & set(grid))
    if twice:
        raise ConfigError(f"axis '{twice[0]}' stands in 'grid' and in 'zip'.", place=place)
    lengths = {axis: len(values) for axis, values in axes.items()}
    if not axes or len(set(lengths.values())) > 1:
        said = ", ".join(f"{axis}: {n}" for axis, n in lengths.items()) or "no axes"
        raise ConfigError(f"zipped axes must have the same number of values. Got {said}.", place=place)
    return [dict(zip(axes, values, strict=True)) for values in zip(*axes.values(), strict=True)]


def _exclusion(
    doc: document.Document, rule: dict[str, Any], i: int, labels: dict[str, list[str]]
) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for axis, wanted in rule.items():
        path: KeyPath = ("sweep", "exclude", i, axis)
        if axis not in labels:
            message = f"'exclude' names an axis '{axis}' that the sweep does not have."
            message += did_you_mean(axis, labels) + known_names(labels, "Axes")
            raise ConfigError(message, place=doc.place(path, on_key=True))
        names = {_label(v) for v in (wanted if isinstance(wanted, list) else [wanted])}
        for name in sorted(names - set(labels[axis])):
            message = f"'exclude' names '{name}', which is no value of axis '{axis}'."
            message += did_you_mean(name, labels[axis]) + known_names(dict.fromkeys(labels[axis]), "Values")
            raise ConfigError(message, place=doc.place(path))
        found[axis] = names
    if not found:
        raise ConfigError(
            "an empty rule in 'exclude' would leave out everything.", place=doc.place(("sweep", "exclude", i))
        )
    return found


def _resolve_at(
    doc: document.Document, block: dict[str, Any], train: dict[str, Any], origins: list[tuple[KeyPath, KeyPath]]
) -> System:
    """Resolve a row; on a fault find the line that the user wrote.

    Args:
        origins: (path in the document, path in the system that the value there stands for), later ones on top.
    """
    try:
        return resolve(system_block(block, train))
    except ConfigError as error:
        raise error.at(_blame(doc, block, error, [((), ()), *origins])) from None


def _blame(
    doc: document.Document, block: dict[str, Any], error: ConfigError, origins: list[tuple[KeyPath, KeyPath]]
) -> Place:
    best: tuple[int, Place] | None = None
    for prefix, stands_for in reversed(origins):
        path = error.path
        if path[: len(stands_for)] != stands_for:
            continue
        rest = path[len(stands_for) :]
        # The top level of the file is not part of a system, except for its train block.
        if prefix == () and rest[:1] != ("train",):
            continue
        depth = len(rest)
        while depth >= 0 and not doc.has((*prefix, *rest[:depth])):
            depth -= 1
        if depth < 0 or (depth == 0 and not stands_for and rest):
            continue
        reached = len(stands_for) + depth
        if best is None or reached > best[0]:
            exact = depth == len(rest)
            best = (reached, doc.place((*prefix, *rest[:depth]), on_key=error.on_key and exact))
    if best is not None:
        return best[1]
    name = block.get("system")
    if isinstance(name, str) and error.path and error.path[0] != "system":
        try:
            below = recipe(name)
        except ConfigError:
            below = None
        if below is not None and below.has(error.path[:1]):
            return below.place(error.path, on_key=error.on_key)
    return doc.place(origins[-1][0])


def _check_unique(doc: document.Document, rows: Iterable[Row]) -> None:
    seen: dict[str, Row] = {}
    for row in rows:
        if row.name in seen:
            raise ConfigError(f"two rows are named '{row.name}'.", place=doc.place(("sweep",)))
        seen[row.name] = row


def _matches(name: str, pattern: str) -> bool:
    return fnmatch(name, pattern) or name == pattern
