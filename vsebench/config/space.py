"""What a search draws from: the axes of a grid, and ranges of numbers beside them."""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vsebench.config import document
from vsebench.config.axes import Choices, Point, Row, Value, check_axis, choices_of, laid_over, placing, resolve_at
from vsebench.config.faults import validate
from vsebench.config.schema import Range, Sweep, System
from vsebench.core.errors import Collector, ConfigError
from vsebench.core.errors import Path as KeyPath

#: Combinations of written values that are tried to find one that a value or an end of a range goes together with.
MAX_PROBES = 2_000
#: A space with at most this many points is counted before the search begins.
MAX_COUNTED = 5_000
#: Where the block of a search stands in the file: alone.
SWEEP: KeyPath = ("sweep",)


@dataclass(frozen=True)
class Space:
    """The axes of a search.

    Args:
        choices: axes with written values.
        ranges: axes with numbers.
        accepts: refuses a system that cannot be run, or that the dataset does not suit, by a ConfigError.
    """

    choices: Choices
    ranges: Mapping[str, Range]
    budget: int
    sweep: Sweep = field(repr=False)
    train: dict[str, Any] = field(repr=False)
    document: document.Document = field(repr=False)
    accepts: Callable[[System], None] = field(repr=False, compare=False)

    def row(self, picked: tuple[int, ...], drawn: Mapping[str, float]) -> Row | None:
        """Return a sampled configuration; None when it is excluded or cannot work.

        Args:
            picked: for each group of ``choices`` the position of its point.
            drawn: for each range a number.
        """
        point = self._point(picked)
        if self.choices.is_excluded(point):
            return None
        numbers = {axis: self.ranges[axis].nearest(number) for axis, number in drawn.items()}
        try:
            system = self._resolve(point, {axis: _at(axis, number) for axis, number in numbers.items()})
        except ConfigError:
            return None
        labels = {axis: value.label for axis, value in point.items()}
        axes = {**labels, **{axis: str(number) for axis, number in numbers.items()}}
        short = self._short_names()
        name = " · ".join([*labels.values(), *(f"{short[axis]}={number}" for axis, number in numbers.items())])
        return Row(name, "sweep", system, axes)

    def check(self) -> list[Row]:
        """Refuse a space in which something written cannot work: each value and each end of a range must do so in at
        least one combination, and the budget must not be more than there is to draw. Returns what was tried.

        Raises: ConfigError at the line at fault.
        """
        good, first = self._first_good()
        tried = [first]
        lows = self._lows()
        for g, group in enumerate(self.choices.groups):
            for i in range(len(group)):
                tried.append(self._works(good, lows, fixed={g: i}))
        for axis, numbers in self.ranges.items():
            for end in ("low", "high"):
                value = _at(axis, getattr(numbers, end), end)
                tried.append(self._works(good, {**lows, axis: value}, fixed={}))
        self._count()
        return tried

    def _first_good(self) -> tuple[tuple[int, ...], Row]:
        first: ConfigError | None = None
        for picked in itertools.islice(self._picks({}), MAX_PROBES):
            try:
                return picked, self._try(self._point(picked), self._lows())
            except ConfigError as error:
                first = first or error
        assert first is not None, "a product of non-empty groups is not empty"
        raise first

    def _works(self, good: tuple[int, ...], numbers: Mapping[str, Value], fixed: dict[int, int]) -> Row:
        """Return some row with the fixed values and these numbers; the fault is told for the combination nearest to one
        that is known to work.
        """
        nearest = tuple(fixed.get(g, i) for g, i in enumerate(good))
        first: ConfigError | None = None
        for picked in itertools.islice(itertools.chain([nearest], self._picks(fixed)), MAX_PROBES):
            try:
                return self._try(self._point(picked), numbers)
            except ConfigError as error:
                first = first or error
        assert first is not None
        raise first

    def _count(self) -> None:
        counts = [numbers.count for numbers in self.ranges.values()]
        if None in counts:
            return
        total = self.choices.count * math.prod(c for c in counts if c is not None)
        if total > MAX_COUNTED:
            return
        steps = [[n.low + i * (n.step or 1) for i in range(n.count or 0)] for n in self.ranges.values()]
        points = (
            self.row(picked, dict(zip(self.ranges, numbers, strict=True)))
            for picked in self._picks({})
            for numbers in itertools.product(*steps)
        )
        valid = sum(1 for _ in itertools.islice((p for p in points if p is not None), self.budget))
        if valid < self.budget:
            raise ConfigError(
                f"'budget' is {self.budget}, but the axes have only {valid} valid combinations.",
                place=self.document.place((*SWEEP, "budget")),
            )

    def _picks(self, fixed: Mapping[int, int]) -> Iterator[tuple[int, ...]]:
        groups = enumerate(self.choices.groups)
        return itertools.product(*([fixed[g]] if g in fixed else range(len(group)) for g, group in groups))

    def _point(self, picked: tuple[int, ...]) -> Point:
        groups = zip(self.choices.groups, picked, strict=True)
        return {axis: value for group, i in groups for axis, value in group[i].items()}

    def _lows(self) -> dict[str, Value]:
        return {axis: _at(axis, numbers.low, "low") for axis, numbers in self.ranges.items()}

    def _try(self, point: Point, numbers: Mapping[str, Value]) -> Row:
        """Return a combination as a row of no board."""
        block, origins = laid_over(SWEEP, self.sweep.base, {**point, **numbers})
        name = " · ".join([*(v.label for v in point.values()), *(f"{a}={v.label}" for a, v in numbers.items())])
        return Row(name, "sweep", self._resolve(point, numbers), placed=placing(self.document, block, origins))

    def _resolve(self, point: Point, numbers: Mapping[str, Value]) -> System:
        block, origins = laid_over(SWEEP, self.sweep.base, {**point, **numbers})
        try:
            return resolve_at(self.document, block, self.train, origins, self.accepts)
        except ConfigError as error:
            raise error.each(lambda fault: self._of_axis(fault, numbers)) from None

    def _of_axis(self, fault: ConfigError, numbers: Mapping[str, Value]) -> ConfigError:
        """Attribute an unknown key to its axis, not to the number below it."""
        for axis in numbers if fault.on_key else ():
            if tuple(axis.split("."))[: len(fault.path)] == fault.path:
                place = self.document.place((*SWEEP, "space", axis), on_key=True)
                return ConfigError(fault.message, path=fault.path, on_key=True, place=place)
        return fault

    def _short_names(self) -> dict[str, str]:
        ends = [axis.rsplit(".", 1)[-1] for axis in self.ranges]
        return {axis: end if ends.count(end) == 1 else axis for axis, end in zip(self.ranges, ends, strict=True)}


def check_method(doc: document.Document, path: KeyPath, sweep: Sweep) -> None:
    """Refuse keys that the method does not have, a search without what it needs, and in a list all but grids.

    Raises: ConfigError at the line at fault.
    """
    # A key of another method would be read and then change nothing.
    given = sweep.model_fields_set
    if path != SWEEP:
        _check_listed(doc, path, sweep)
    if sweep.method == "grid":
        for key in ("budget", "seed", "space"):
            if key == "seed" and sweep.fraction is not None:
                continue  # of the part of the grid
            if key in given and getattr(sweep, key) not in (None, {}):
                message = f"'{key}' is for the methods random and tpe, and this sweep is a grid."
                raise ConfigError(message, place=doc.place((*path, key), on_key=True))
    elif sweep.fraction is not None:
        message = f"'fraction' takes a part of a grid, and this sweep is a search ({sweep.method})."
        raise ConfigError(message, place=doc.place((*path, "fraction"), on_key=True))
    if sweep.method != "tpe" and "round" in given:
        message = "'round' is for the method tpe, the only one that learns from what is finished."
        raise ConfigError(message, place=doc.place((*path, "round"), on_key=True))
    if sweep.method == "grid":
        return
    if sweep.budget is None:
        message = f"method '{sweep.method}' needs 'budget', the number of configurations to sample."
        raise ConfigError(message, place=doc.place((*path, "method")))
    if importlib.util.find_spec("optuna") is None:
        message = f"method '{sweep.method}' needs Optuna: pip install 'vsebench[search]'."
        raise ConfigError(message, place=doc.place((*path, "method")))


def _check_listed(doc: document.Document, path: KeyPath, sweep: Sweep) -> None:
    """Refuse in a list of blocks what a sweep has only by itself."""
    if sweep.method != "grid":
        message = f"a list of blocks holds grids. Got a search ({sweep.method}); write it as the only block of 'sweep'."
        raise ConfigError(message, place=doc.place((*path, "method")))
    if sweep.prune is not None:
        message = "'prune' is not for a list of grids; write one grid as the only block of 'sweep', or leave it out."
        raise ConfigError(message, place=doc.place((*path, "prune"), on_key=True))


def read_space(doc: document.Document, sweep: Sweep, train: dict[str, Any], accepts: Callable[[System], None]) -> Space:
    """Read the axes of a search; ``Space.check`` tries them.

    Raises: ConfigError at the line at fault.
    """
    faults = Collector()
    choices = choices_of(doc, SWEEP, sweep, faults)
    written = {axis for group in choices.groups for axis in group[0]}
    ranges = {}
    for axis, block in sweep.space.items():
        with faults:
            ranges[axis] = _range(doc, axis, block, written)
    faults.check()
    if not choices.groups and not ranges:
        raise ConfigError("the search has no axes: give 'space', 'grid' or 'zip'.", place=doc.place(SWEEP))
    assert sweep.budget is not None, "check_method asks for it"
    return Space(choices, ranges, sweep.budget, sweep, train, doc, accepts)


def _range(doc: document.Document, axis: str, block: Any, written: set[str]) -> Range:
    path: KeyPath = (*SWEEP, "space", axis)
    check_axis(doc, axis, path)
    if axis in written:
        raise ConfigError(
            f"axis '{axis}' stands in 'space' and in 'grid' or 'zip'.", place=doc.place(path, on_key=True)
        )
    if isinstance(block, list):
        raise ConfigError(
            f"space axis '{axis}' must be a range {{low: …, high: …}}. Got a list; lists of values stand in 'grid'.",
            place=doc.place(path),
        )
    try:
        numbers = validate(Range, block, f"space axis '{axis}'")
        _check_range(axis, numbers)
    except ConfigError as error:
        raise doc.placed(error.under(*path)) from None
    return numbers


def _check_range(axis: str, numbers: Range) -> None:
    who = f"space axis '{axis}'"
    low, high, step = numbers.low, numbers.high, numbers.step
    for key, number in (("low", low), ("high", high), ("step", step)):
        if number is not None and not math.isfinite(number):
            raise ConfigError(f"{who}: '{key}' must be finite. Got {number}.", path=(key,))
    if low >= high:
        raise ConfigError(f"{who}: 'low' must be less than 'high'. Got low {low}, high {high}.", path=("low",))
    if numbers.log and low <= 0:
        raise ConfigError(f"{who}: 'log' needs 'low' above 0. Got low {low}.", path=("low",))
    if step is None:
        return
    if numbers.log:
        raise ConfigError(f"{who}: 'log' and 'step' do not go together.", path=("step",))
    if step <= 0:
        raise ConfigError(f"{who}: 'step' must be above 0. Got {step}.", path=("step",))
    steps = (high - low) / step
    if abs(steps - round(steps)) > 1e-6 or round(steps) < 1:
        reached = low + math.floor(steps + 1e-6) * step
        raise ConfigError(
            f"{who}: steps of {step} from {low} do not reach 'high' {high}; the last below it is {reached:g}.",
            path=("step",),
        )


def _at(axis: str, number: float, end: str = "low") -> Value:
    return Value(str(number), number, (*SWEEP, "space", axis, end))
