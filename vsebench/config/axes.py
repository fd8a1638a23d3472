"""The axes of a sweep: their values with the lines they stand on, and a combination of them as a row."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from vsebench.config import document
from vsebench.config.fraction import balanced_part
from vsebench.config.merge import set_path
from vsebench.config.resolve import SYSTEMS_FOLDER, components_of, recipe, resolve, system_block
from vsebench.config.schema import SLOTS, Sweep, System
from vsebench.core.component import short
from vsebench.core.errors import Collector, ConfigError, Place, did_you_mean, known_names, nearest
from vsebench.core.errors import Path as KeyPath

MAX_ROWS = 100_000
#: (path in the document, path in the system that the value there stands for), later ones on top.
Origins = list[tuple[KeyPath, KeyPath]]


@dataclass(frozen=True)
class Row:
    """One system of an experiment: a row of its board.

    Args:
        name: shown on the board, unique in the experiment.
        section: ``systems`` (written by name) or ``sweep`` (a point of the grid).
        system: everything resolved.
        axes: for a grid's point, axis → label of the value.
        path: of its block in the file: ``("systems", name)``, or that of the sweep.
        placed: gives an error of the system, whose path leads into it, its place in the file.
    """

    name: str
    section: str
    system: System
    axes: dict[str, str] = field(default_factory=dict)
    path: KeyPath = ("sweep",)
    placed: Callable[[ConfigError], ConfigError] = field(default=lambda e: e, repr=False, compare=False)


@dataclass(frozen=True)
class Value:
    """One value of an axis: its label, and where it stands."""

    label: str
    value: Any
    path: KeyPath


Point = dict[str, Value]


@dataclass(frozen=True)
class Choices:
    """The axes whose values are written out: groups that are crossed, and the rules of ``exclude``.

    Args:
        groups: each axis of ``grid`` and each block of ``zip``, as its points.
        excluded: rules, axis → labels.
    """

    groups: tuple[Sequence[Point], ...]
    excluded: tuple[Mapping[str, set[str]], ...]

    @property
    def count(self) -> int:
        """How many combinations there are, with the excluded ones."""
        return math.prod(len(group) for group in self.groups)

    def combinations(self) -> Iterator[Point]:
        """Every combination, in the order of the file."""
        for combination in itertools.product(*self.groups):
            yield {axis: value for part in combination for axis, value in part.items()}

    def is_excluded(self, point: Point) -> bool:
        """Return whether a rule leaves the combination out."""
        return any(all(point[a].label in allowed for a, allowed in rule.items()) for rule in self.excluded)


def choices_of(doc: document.Document, path: KeyPath, sweep: Sweep, faults: Collector) -> Choices:
    """Return the sweep's ``grid``, ``zip`` and ``exclude``.

    Args:
        doc: the file.
        path: of the block in it.
        sweep: the block.
        faults: takes what is wrong, each at its line; the axes and rules at fault are left out.
    """
    axes: dict[str, list[Value]] = {}
    for axis, values in sweep.grid.items():
        with faults:
            axes[axis] = _axis(doc, axis, values, (*path, "grid", axis))
    groups: list[list[Point]] = [[{axis: v} for v in values] for axis, values in axes.items()]
    taken = dict.fromkeys(sweep.grid, "'grid' and in 'zip'")
    for i, block in enumerate(sweep.zip):
        with faults:
            groups.append(_zipped(doc, block, (*path, "zip", i), taken))
        taken |= dict.fromkeys(block, "two blocks of 'zip'")
    labels: dict[str, list[str]] = {}
    for group in groups:
        for point in group:
            for axis, value in point.items():
                labels.setdefault(axis, []).append(value.label)
    wrong = set(sweep.axes) - labels.keys()
    excluded: list[Mapping[str, set[str]]] = []
    for i, rule in enumerate(sweep.exclude):
        with faults:
            excluded.append(_exclusion(doc, rule, (*path, "exclude", i), labels, wrong))
    return Choices(tuple(groups), tuple(excluded))


def grid_rows(
    doc: document.Document, path: KeyPath, sweep: Sweep, train: dict[str, Any], accepts: Callable[[System], None]
) -> list[Row]:
    """Return a row for every combination that is not excluded.

    Args:
        doc: the file.
        path: of the block in it.
        sweep: the block.
        train: the experiment's training settings.
        accepts: refuses a system by a ConfigError.

    Raises: ConfigError of everything that is wrong, each at its line.
    """
    faults = Collector()
    choices = choices_of(doc, path, sweep, faults)
    if faults:
        with faults:
            _check_values(doc, path, sweep, train, choices)
        faults.check()
    if not choices.groups:
        raise ConfigError("the sweep has no axes: give 'grid' or 'zip'.", place=doc.place(path))
    total = choices.count
    if total > MAX_ROWS:
        raise ConfigError(f"the grid has {total:,} points; {MAX_ROWS:,} is the most.", place=doc.place(path))
    chosen = _fraction(doc, path, sweep, choices)
    rows = []
    for number, point in enumerate(choices.combinations()):
        if not choices.is_excluded(point) and (chosen is None or number in chosen):
            block, origins = laid_over(path, sweep.base, point)
            shown = {axis: value.label for axis, value in point.items()}
            with faults:
                system = resolve_at(doc, block, train, origins, accepts)
                placed = placing(doc, block, origins)
                rows.append(Row(" · ".join(shown.values()), "sweep", system, shown, path, placed))
    faults.check()
    if not rows:
        raise ConfigError("'exclude' leaves nothing of the grid.", place=doc.place((*path, "exclude")))
    return rows


def _check_values(doc: document.Document, path: KeyPath, sweep: Sweep, train: dict[str, Any], choices: Choices) -> None:
    """Check the components that the axes name, each by itself: what goes together is unknown where an axis is at fault.

    Raises: ConfigError of every fault.
    """
    faults = Collector()
    for value in [{axis: value} for group in choices.groups for point in group for axis, value in point.items()]:
        block, origins = laid_over(path, sweep.base, value)
        with faults:
            try:
                components_of(system_block(block, train))
            except ConfigError as error:
                raise placing(doc, block, origins)(error) from None
    faults.check()


def _fraction(doc: document.Document, path: KeyPath, sweep: Sweep, choices: Choices) -> set[int] | None:
    """Return the numbers of the combinations that ``fraction`` takes; None for all.

    Raises: ConfigError at its line.
    """
    if sweep.fraction is None:
        return None
    levels = [len(group) for group in choices.groups]
    names = [" and ".join(group[0]) for group in choices.groups]
    try:
        if choices.excluded:
            raise ConfigError("'fraction' and 'exclude' do not go together: what is left out would leave no balance.")
        part = balanced_part(levels, Fraction(sweep.fraction), sweep.seed, names)
    except ConfigError as error:
        raise ConfigError(error.message, place=doc.place((*path, "fraction"))) from None
    points = itertools.product(*(range(n) for n in levels))
    return {number for number, point in enumerate(points) if point in part}


def laid_over(path: KeyPath, base: dict[str, Any], point: Point) -> tuple[dict[str, Any], Origins]:
    """Return the base of the sweep at a path with a combination's values over it, and where each of them stands."""
    block = dict(base)
    origins: Origins = [((*path, "base"), ())]
    for axis, value in point.items():
        block = set_path(block, axis, value.value)
        origins.append((value.path, tuple(axis.split("."))))
    return block, origins


def check_axis(doc: document.Document, axis: str, path: KeyPath) -> None:
    """Refuse an axis that is no key of a system.

    Raises: ConfigError at ``path``, with the nearest name.
    """
    head = axis.split(".")[0]
    known = [*SLOTS, *(f for f in System.model_fields if f not in (*SLOTS, "recipe")), "system"]
    if head not in known:
        message = f"unknown axis '{axis}'." + did_you_mean(axis, known) + known_names(known)
        raise ConfigError(message, place=doc.place(path, on_key=True))


def _axis(doc: document.Document, axis: str, values: Any, path: KeyPath) -> list[Value]:
    check_axis(doc, axis, path)
    if isinstance(values, dict):
        results = [Value(str(label), value, (*path, label)) for label, value in values.items()]
    elif isinstance(values, list):
        results = [Value(label_of(value), value, (*path, i)) for i, value in enumerate(values)]
    else:
        raise ConfigError(
            f"axis '{axis}' must be a list of values, or a block of label: value. Got {short(values)}.",
            place=doc.place(path),
        )
    if not results:
        raise ConfigError(f"axis '{axis}' is empty: the grid has no points.", place=doc.place(path))
    seen: set[str] = set()
    for value in results:
        if value.label in seen:
            raise ConfigError(
                f"axis '{axis}' has two values shown as '{value.label}'. "
                "Write the axis as a block of label: value to tell them apart.",
                place=doc.place(value.path),
            )
        seen.add(value.label)
    return results


def label_of(value: Any) -> str:
    """Return how a value is shown: a component by its name."""
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return str(value["name"])
    if isinstance(value, list):
        return "+".join(label_of(v) for v in value)
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _zipped(
    doc: document.Document, block: dict[str, Any], path: KeyPath, taken: Mapping[str, str]
) -> list[dict[str, Value]]:
    place = doc.place(path)
    axes, faults = {}, Collector()
    for axis, values in block.items():
        with faults:
            axes[axis] = _axis(doc, axis, values, (*path, axis))
    faults.check()
    twice = sorted(set(axes) & set(taken))
    if twice:
        raise ConfigError(f"axis '{twice[0]}' stands in {taken[twice[0]]}.", place=place)
    lengths = {axis: len(values) for axis, values in axes.items()}
    if not axes or len(set(lengths.values())) > 1:
        listing = ", ".join(f"{axis}: {n}" for axis, n in lengths.items()) or "no axes"
        raise ConfigError(f"zipped axes must have the same number of values. Got {listing}.", place=place)
    return [dict(zip(axes, values, strict=True)) for values in zip(*axes.values(), strict=True)]


def _exclusion(
    doc: document.Document, rule: dict[str, Any], path: KeyPath, labels: dict[str, list[str]], wrong: Collection[str]
) -> dict[str, set[str]]:
    """Return a rule of ``exclude`` as axis -> labels; axes at fault (``wrong``) are left out."""
    results: dict[str, set[str]] = {}
    for axis, wanted in rule.items():
        if axis in wrong or nearest(axis, wrong):
            continue
        if axis not in labels:
            message = f"'exclude' names an axis '{axis}' that the sweep does not have."
            message += did_you_mean(axis, labels) + known_names(labels, "Axes")
            raise ConfigError(message, place=doc.place((*path, axis), on_key=True))
        names = {label_of(v) for v in (wanted if isinstance(wanted, list) else [wanted])}
        for name in sorted(names - set(labels[axis])):
            message = f"'exclude' names '{name}', which is no value of axis '{axis}'."
            message += did_you_mean(name, labels[axis]) + known_names(dict.fromkeys(labels[axis]), "Values")
            raise ConfigError(message, place=doc.place((*path, axis)))
        results[axis] = names
    if not rule:
        raise ConfigError("an empty rule in 'exclude' would leave out everything.", place=doc.place(path))
    return results


def resolve_at(
    doc: document.Document,
    block: dict[str, Any],
    train: dict[str, Any],
    origins: Origins,
    accepts: Callable[[System], None],
) -> System:
    """Resolve a row; on a fault find the line that the user wrote.

    Raises: ConfigError with file and line.
    """
    try:
        system = resolve(system_block(block, train))
        accepts(system)
        return system
    except ConfigError as error:
        raise placing(doc, block, origins)(error) from None


def placing(doc: document.Document, block: dict[str, Any], origins: Origins) -> Callable[[ConfigError], ConfigError]:
    """Return a function that gives errors of a row their place: the user's line or, for what only the recipe sets, the
    row.
    """

    def placed(fault: ConfigError) -> ConfigError:
        place = _blame(doc, fault, [((), ()), *origins])
        if place is not None:
            return fault.at(place)
        by, message = _recipe_line(block.get("system"), fault), fault.message
        if by is not None and fault.place is None:
            message = f"{message} ({by[0]} of recipe '{block['system']}', {by[1]})"
        return ConfigError(message, path=fault.path, on_key=fault.on_key, place=fault.place).at(
            doc.place(origins[-1][0])
        )

    return lambda error: error.each(placed)


def _recipe_line(name: Any, fault: ConfigError) -> tuple[str, Place] | None:
    """Return the key of a recipe that a fault is about, and its line."""
    if not isinstance(name, str) or not fault.path or fault.path[0] == "system":
        return None
    try:
        below = recipe(name)
    except ConfigError:
        return None
    place = below.place(fault.path, on_key=fault.on_key)
    named = Place(f"{SYSTEMS_FOLDER.name}/{name}.yaml", place.line)
    return (str(fault.path[0]), named) if below.has(fault.path[:1]) else None


def _blame(doc: document.Document, error: ConfigError, origins: Origins) -> Place | None:
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
    return None if best is None else best[1]
