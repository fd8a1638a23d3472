"""What a board is made from: the results of one experiment in one committed JSON file, and nothing else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vsebench.core.errors import DataError, Place, did_you_mean, known_names
from vsebench.core.files import write_atomically
from vsebench.core.names import fault_of_name, in_any_case
from vsebench.core.types import OWN_SPLIT, Result
from vsebench.runs.store import plain_name

FORMAT = 1
RESULTS = "results"
#: ``Snapshot.form`` of a comparison of indexes; that of systems is the default.
SYSTEM_FORM, INDEX_FORM = "systems", "indexes"
DIGITS = 6


@dataclass(frozen=True)
class BoardRow:
    """One system of the board.

    Args:
        name: unique.
        section: ``systems`` or ``sweep``; ``indexes`` on a board of them.
        axes: axis -> label, for a point of a grid or search.
        runs: seed (as text) -> run id.
    """

    name: str
    section: str
    axes: Mapping[str, str]
    runs: Mapping[str, str]


@dataclass(frozen=True)
class Snapshot:
    """A board's content.

    Args:
        experiment: its name.
        title: of the page.
        dataset: ``Dataset.describe()``.
        rows: in the order of the experiment file.
        seeds: those asked for.
        select: metric and mode.
        board: the experiment file's ``board`` block.
        command: what makes it.
        results: by run id.
        gallery: the set that queries were ranked against, or ``split``: each split against itself.
        search: how the sweep's rows were chosen: ``method``, ``budget``, ``seed`` and ``asked`` of a search, ``prune``
            in words. Empty for a whole grid.
        form: what is compared, systems or indexes.
        measures: run id -> measure -> what was measured of the finished run, beside its metrics.
    """

    experiment: str
    title: str
    dataset: Mapping[str, Any]
    rows: Sequence[BoardRow]
    seeds: Sequence[int]
    select: Mapping[str, str]
    board: Mapping[str, Any]
    command: str
    results: Mapping[str, Result] = field(repr=False)
    search: Mapping[str, Any] = field(default_factory=dict)
    gallery: str = OWN_SPLIT
    form: str = SYSTEM_FORM
    measures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)


def save(snapshot: Snapshot, file: Path) -> None:
    """Write it, numbers to six significant digits, in a stable order."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, as_text(snapshot))


def as_text(snapshot: Snapshot) -> str:
    """Serialise a board's content as the text of its file."""
    plain = _head(snapshot)
    wanted = {run for row in snapshot.rows for run in row.runs.values()}
    measures = {run: snapshot.measures[run] for run in sorted(wanted & set(snapshot.measures))}
    # What all results share, the dataset, is written once.
    names = [f.name for f in dataclasses.fields(Result) if f.name != "dataset"]
    results = (snapshot.results[run] for run in sorted(wanted & set(snapshot.results)))
    entries = [
        {name: getattr(result, name) for name in names if name != "curves" or result.curves} for result in results
    ]
    text = json.dumps({"format": FORMAT, **_rounded(plain)}, indent=1, ensure_ascii=False)
    lines = ",\n".join("  " + json.dumps(_rounded(r), ensure_ascii=False, sort_keys=True) for r in entries)
    more = ",\n".join(f"  {json.dumps(run)}: {json.dumps(_rounded(m), sort_keys=True)}" for run, m in measures.items())
    parts = [f' "results": [\n{lines}\n ]', *([f' "measures": {{\n{more}\n }}'] if more else [])]
    return ",\n".join([text.removesuffix("\n}"), *parts]) + "\n}\n"


def head_of(snapshot: Snapshot) -> str:
    """All of it but results and measures, as JSON."""
    return json.dumps(_rounded(_head(snapshot)), ensure_ascii=False)


def _head(snapshot: Snapshot) -> dict[str, Any]:
    plain = dataclasses.asdict(dataclasses.replace(snapshot, results={}, measures={}))
    usual: dict[str, Any] = {"search": {}, "gallery": OWN_SPLIT, "form": SYSTEM_FORM, "results": {}, "measures": {}}
    return {key: value for key, value in plain.items() if key not in usual or value != usual[key]}


def load(file: Path) -> Snapshot:
    """Read it.

    Raises: DataError when it is missing, damaged or of another form, naming the field.
    """
    place = Place(str(file))
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError("no such results file.", place=place) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {str(error).splitlines()[0]}.", place=place) from None
    snapshot = snapshot_of(data, place)
    check_comparable(snapshot, file)
    return snapshot


def snapshot_of(data: Any, place: Place) -> Snapshot:
    """Plain data as a board's content.

    Raises: DataError naming the first field at fault.
    """
    from vsebench.runs.schemas.base import check_depth, check_form
    from vsebench.runs.schemas.board import BoardFile
    from vsebench.runs.schemas.result import as_result

    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise DataError(f"not a results file of format {FORMAT}.", place=place)
    check_depth(data, place, noun="a results file")
    check_form(BoardFile, data, place, noun="a results file")
    plain = {key: value for key, value in data.items() if key != "format"}
    rows = [BoardRow(**row) for row in plain.pop("rows")]
    results = [as_result({**one, "dataset": data["dataset"]}) for one in plain.pop("results")]
    return Snapshot(rows=rows, results={r.run_id: r for r in results}, **plain)


def load_board(folder: Path, experiment: str) -> Snapshot:
    """Read an experiment's board from a leaderboard folder.

    Raises: DataError as :func:`load`, and for a file of another experiment, whose pages would be written elsewhere.
    """
    file = results_file(folder, experiment)
    snapshot = load(file)
    if snapshot.experiment != experiment:
        raise DataError(
            f"'experiment' is '{snapshot.experiment}', so that its pages would take the place of another board's. "
            f"Name the file {snapshot.experiment}.json.",
            place=Place(str(file)),
        )
    return snapshot


def board_names(folder: Path, experiments: Sequence[str] = ()) -> list[str]:
    """Return the experiments with results in a leaderboard folder: those named, or all.

    Raises: DataError for one without results, or where there are none at all.
    """
    place = Place(str(folder / RESULTS))
    stems = sorted(file.stem for file in (folder / RESULTS).glob("*.json"))
    known = [name for name in stems if fault_of_name(name) is None]  # others are being written at this moment
    named = [in_any_case(name, known) for name in experiments]
    for name in named:
        if name not in known:
            hint = did_you_mean(name, known) + known_names(known, "There are")
            raise DataError(f"no results of '{name}'." + hint, place=place)
    if not known:
        raise DataError("there are no results; run 'vsebench sweep' first.", place=place)
    return list(dict.fromkeys(named)) or known


def results_file(folder: Path, experiment: str) -> Path:
    """Return where an experiment's results lie.

    Raises: DataError for a name that leads elsewhere.
    """
    return folder / RESULTS / f"{plain_name(experiment, 'an experiment')}.json"


def check_comparable(snapshot: Snapshot, file: Path) -> None:
    """Refuse results that may not share a table.

    Raises: DataError naming the two kinds: other data, or another version of a metric.
    """
    versions: dict[tuple[tuple[str, int], ...], str] = {}
    for run_id, result in snapshot.results.items():
        if result.status == "finished":
            versions.setdefault(tuple(sorted(result.metric_versions.items())), run_id)
    if len(versions) > 1:
        (a, run_a), (b, run_b) = list(versions.items())[:2]
        raise DataError(
            f"results of different metric versions cannot share a table: {run_a} has {dict(a)}, {run_b} has {dict(b)}.",
            place=Place(str(file)),
        )


def collect(results: Iterable[Result], fingerprint: str) -> dict[str, Result]:
    """Results by run id, of one dataset only.

    Raises: DataError naming a run on other data.
    """
    output = {}
    for result in results:
        if result.dataset.get("fingerprint") != fingerprint:
            raise DataError(
                f"run {result.run_id} was made on dataset {result.dataset.get('fingerprint')}, "
                f"the board is of {fingerprint}."
            )
        output[result.run_id] = result
    return output


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value
