"""Results of one experiment from several machines or people as one board's results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vsebench.core.errors import ConfigError, DataError, did_you_mean, known_names
from vsebench.core.types import Result
from vsebench.ops.slices import is_of_slice
from vsebench.results.leaves import ABSENT, differing, leaves
from vsebench.results.recompute import agrees
from vsebench.runs.snapshot import BoardRow, Snapshot

#: Relative: one unit in the last of the six digits that results files keep.
TOLERANCE = 1e-5
#: Of two results of one run, the one that got further stands.
_STANDING = {"finished": 2, "pruned": 1, "failed": 0}
#: What results must share to stand on one board, and what it is called.
_SHARED = {"experiment": "experiment", "form": "kind of board", "gallery": "gallery"}


@dataclass(frozen=True)
class Origin:
    """A results file that is merged."""

    name: str
    snapshot: Snapshot


@dataclass(frozen=True)
class Conflict:
    """What two origins say otherwise.

    Args:
        what: run or row, and what of it.
        said: origin -> what it says.
    """

    what: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.what}: " + "; ".join(f"{value} in {name}" for name, value in self.values.items())


@dataclass(frozen=True)
class Merged:
    """What came of it.

    Args:
        snapshot: rows, seeds and results of all.
        came: origin -> runs that no earlier one had.
        duplicates: runs that several had with the same numbers.
        settled: conflicts that were settled by what was preferred.
        notes: what differs beside numbers; the first origin's stands.
    """

    snapshot: Snapshot
    came: Mapping[str, int]
    duplicates: int
    settled: Sequence[Conflict]
    notes: Sequence[str]


def merge(origins: Sequence[Origin], *, prefer: str | None = None, tolerance: float = TOLERANCE) -> Merged:
    """Unite rows, seeds and results. A run that several have counts once; of two results, that which got further.

    Args:
        origins: at least one; the first one's title, description and order of rows stand.
        prefer: whose word counts in conflicts: ``first``, ``last`` or an origin's name. Without it they are errors.
        tolerance: relative; numbers of one run that are further apart conflict.

    Raises: DataError for results of other data, metric versions or experiments, and for conflicts, each with both
        origins; ConfigError for an unknown ``prefer``.
    """
    check_mergeable(origins)
    ordered = _preferred(origins, prefer)
    results, duplicates, conflicts = _results(ordered, tolerance)
    rows, of_rows = _rows(ordered, [row.name for one in origins for row in one.snapshot.rows])
    conflicts += of_rows
    if conflicts and prefer is None:
        raise DataError(
            f"{len(conflicts)} conflicts; nothing was written. Choose which file wins: --prefer first, last or a file.",
            problems=[str(one) for one in conflicts],
        )
    wanted = {run for row in rows for run in row.runs.values()}
    first = origins[0].snapshot
    snapshot = replace(
        first,
        rows=rows,
        seeds=sorted({seed for one in origins for seed in one.snapshot.seeds}),
        results={run: result for run, result in results.items() if run in wanted},
        measures={run: parts for run, parts in _measures(ordered).items() if run in wanted},
    )
    return Merged(snapshot, _came(origins), duplicates, conflicts, _notes(origins))


def check_mergeable(origins: Sequence[Origin]) -> None:
    """Refuse results that may not share a board.

    Raises: DataError naming two origins and what differs: experiment, data, metric versions, what chose the epoch.
    """
    first = origins[0]
    measured: dict[str, tuple[str, str, Mapping[str, int]]] = {}
    for one in origins:
        for key, noun in _SHARED.items():
            _same(first, one, noun, getattr(first.snapshot, key), getattr(one.snapshot, key))
        _same(first, one, "choice of the epoch", *(_chosen(o.snapshot) for o in (first, one)))
        a, b = (str(o.snapshot.dataset["fingerprint"]) for o in (first, one))
        _same(first, one, "dataset (fingerprint)", a, b)
        for run, result in one.snapshot.results.items():
            if result.status == "finished":
                measured.setdefault(
                    str(sorted(result.metric_versions.items())), (one.name, run, result.metric_versions)
                )
    if len(measured) > 1:
        (a_name, a_run, a_said), (b_name, b_run, b_said) = list(measured.values())[:2]
        apart = ", ".join(f"{k} {x} and {y}" for k, (x, y) in differing(dict(a_said), dict(b_said)).items())
        raise DataError(
            f"results of different metric versions cannot share a board: {apart} (run {a_run} in {a_name}, run {b_run} "
            f"in {b_name}). Sweep again what is older."
        )


def _chosen(snapshot: Snapshot) -> str:
    return f"{snapshot.select['metric']}, {snapshot.select['mode']}"


def _same(first: Origin, other: Origin, noun: str, a: str, b: str) -> None:
    if a != b:
        raise DataError(
            f"results cannot be merged: {noun} is {a} in {first.name} and {b} in {other.name}. Rows of one board share "
            "it."
        )


def _preferred(origins: Sequence[Origin], prefer: str | None) -> list[Origin]:
    """Order the origins, the preferred one first."""
    names = [one.name for one in origins]
    if prefer in (None, "first"):
        return list(origins)
    if prefer == "last":
        return [origins[-1], *origins[:-1]]
    if prefer not in names:
        hint = did_you_mean(str(prefer), names) + known_names(["first", "last", *names])
        raise ConfigError(f"--prefer '{prefer}' is none of the files that are merged." + hint)
    chosen = names.index(prefer)
    return [origins[chosen], *(one for i, one in enumerate(origins) if i != chosen)]


def _results(ordered: Sequence[Origin], tolerance: float) -> tuple[dict[str, Result], int, list[Conflict]]:
    """Results by run id, how many came twice, and those of which two say otherwise."""
    results: dict[str, tuple[str, Result]] = {}
    twice: set[str] = set()
    conflicts: list[Conflict] = []
    for origin in ordered:
        for run, result in origin.snapshot.results.items():
            if run not in results:
                results[run] = origin.name, result
                continue
            name, known = results[run]
            if _STANDING[result.status] != _STANDING[known.status]:
                if _STANDING[result.status] > _STANDING[known.status]:
                    results[run] = origin.name, result
                continue
            apart = _apart(known, result, tolerance)
            if apart:
                conflicts += [
                    Conflict(
                        f"run {run} ({known.system}, seed {known.seed}), {key}", {name: str(a), origin.name: str(b)}
                    )
                    for key, (a, b) in apart.items()
                ]
            else:
                twice.add(run)
    return {run: result for run, (_, result) in results.items()}, len(twice), conflicts


def _apart(a: Result, b: Result, tolerance: float) -> dict[str, tuple[Any, Any]]:
    """Return the values that one run cannot have twice: other numbers, another configuration or seed."""
    result = differing({"seed": a.seed, **leaves(a.config, "config")}, {"seed": b.seed, **leaves(b.config, "config")})
    for key, (x, y) in differing(dict(a.metrics), dict(b.metrics)).items():
        if is_of_slice(key) and ABSENT in (x, y):  # files of the same items may name other slices
            continue
        numbers = all(isinstance(value, int | float) for value in (x, y))
        if not numbers or not agrees(x, y, tolerance):
            result[key] = x, y
    return result


def _rows(ordered: Sequence[Origin], names: Sequence[str]) -> tuple[list[BoardRow], list[Conflict]]:
    """Every row once, in the order of ``names``, with the seeds of all origins."""
    rows: dict[str, BoardRow] = {}
    whose: dict[tuple[str, str], str] = {}
    conflicts: list[Conflict] = []
    for origin in ordered:
        for row in origin.snapshot.rows:
            known = rows.get(row.name)
            for seed, run in row.runs.items():
                name = whose.setdefault((row.name, seed), origin.name)
                known_run = run if known is None else known.runs.get(seed, run)
                if known_run != run:
                    facts = {name: f"run {known_run}", origin.name: f"run {run}"}
                    conflicts.append(Conflict(f"row '{row.name}', seed {seed}", facts))
            if known is None:
                rows[row.name] = row
                continue
            if dict(known.axes) != dict(row.axes):
                facts = {ordered[0].name: str(dict(known.axes)), origin.name: str(dict(row.axes))}
                conflicts.append(Conflict(f"row '{row.name}', its place in the grid", facts))
            rows[row.name] = replace(known, runs={**row.runs, **known.runs})
    ordered_rows = [rows[name] for name in dict.fromkeys(names)]
    return [replace(row, runs=dict(sorted(row.runs.items(), key=_by_number))) for row in ordered_rows], conflicts


def _measures(ordered: Sequence[Origin]) -> dict[str, dict[str, Any]]:
    """Merge the measurements of each run; of times and memory, which differ by machine, the first wins."""
    results: dict[str, dict[str, Any]] = {}
    for origin in ordered:
        for run, parts in origin.snapshot.measures.items():
            results[run] = {**parts, **results.get(run, {})}
    return results


def _by_number(item: tuple[str, str]) -> tuple[int, str]:
    seed = item[0]
    return (int(seed), seed) if seed.lstrip("-").isdigit() else (0, seed)


def _came(origins: Sequence[Origin]) -> dict[str, int]:
    seen: set[str] = set()
    came = {}
    for one in origins:
        came[one.name] = len(set(one.snapshot.results) - seen)
        seen |= set(one.snapshot.results)
    return came


def _notes(origins: Sequence[Origin]) -> list[str]:
    """Return the differences that are not numbers; the first origin's value is kept."""
    first, result = origins[0], []
    for key in ("title", "command", "board", "search"):
        others = [o.name for o in origins[1:] if getattr(o.snapshot, key) != getattr(first.snapshot, key)]
        if others:
            result.append(f"{key} differs in {', '.join(others)}; that of {first.name} stands")
    return result
