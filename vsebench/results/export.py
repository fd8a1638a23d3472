"""Boards as one table for pandas: a line per finished run of a row, everything that is known of it as a column."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsebench.core.errors import ConfigError, DataError
from vsebench.core.files import make_folder, replacing
from vsebench.core.types import Result
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.table import csv_cell
from vsebench.results.leaves import leaves
from vsebench.runs.item_scores import ItemScores
from vsebench.runs.snapshot import INDEX_FORM, BoardRow, Snapshot
from vsebench.stats.rank_groups import Comparisons, RankedRow

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (".parquet", ".csv")
#: Stands before the numbers of an index, as the split before those of a system.
INDEX = "index/"
#: Whole numbers outside of it have no column type of their own.
INT64 = range(-(2**63), 2**63)
#: Parts of a result that become dotted columns.
PARTS = ("dataset", "config", "parameters", "ranking", "versions", "metric_versions", "hardware")


def check_format(file: Path) -> None:
    """Refuse what cannot be written, before anything is read.

    Raises: ConfigError for another ending, and for Parquet without pyarrow.
    """
    if file.suffix.lower() not in FORMATS:
        raise ConfigError(f"--export writes FILE.parquet or FILE.csv, not '{file.name}'.")
    if file.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise ConfigError("Parquet needs pyarrow: pip install 'vsebench[parquet]'. FILE.csv works without it.")


def write(table: pd.DataFrame, file: Path) -> None:
    """Write a table as its file's ending says, whole or not at all.

    In CSV, text that a spreadsheet would run as a formula begins with ``'``; in Parquet all is as it is.

    Raises: ConfigError as :func:`check_format` does.
    """
    check_format(file)
    make_folder(file.parent)
    with replacing(file) as partial:
        partial.write_bytes(_parquet(table) if file.suffix.lower() == ".parquet" else _csv(table))


def table_of(boards: Iterable[tuple[Snapshot, ItemScores | None]]) -> pd.DataFrame:
    """Return the finished runs of some boards, in the order of their experiment files.

    A run that stands in two tables has a line in each. Columns are of one type: ``Int64``, ``boolean``, ``float64`` or
    text; what a run lacks is missing.

    Args:
        boards: with the outcomes of their test items, where some are kept; those give ``standing.*``.

    Raises: DataError when two facts of a run would share a column.
    """
    import pandas as pd

    lines = [line for snapshot, item_scores in boards for line in _lines(snapshot, item_scores)]
    # A part that a system does without (``config.fusion: null``) is a column only where it has a value of its own.
    names = dict.fromkeys(n for line in lines for n, value in line.items() if value is not None or "." not in n)
    order = sorted(names, key=_place)
    return pd.DataFrame({_text(name): _column([line.get(name) for line in lines]) for name in order})


def _lines(snapshot: Snapshot, item_scores: ItemScores | None) -> Iterator[dict[str, Any]]:
    ranked_rows: dict[tuple[str, str], dict[str, Any]] = {}
    for (section, measure), compared in ({} if item_scores is None else Comparisons(snapshot, item_scores)).items():
        for name, ranked_row in compared.ranked_rows.items():
            ranked_rows.setdefault((section, name), {}).update(_ranked_row(measure, ranked_row))
    for place, (value, half) in BoardData(snapshot, item_scores).over_base.items():
        ends = {} if half is None else {"gain.low": value - half, "gain.high": value + half}
        ranked_rows.setdefault(place, {}).update({"gain.value": value, **ends})
    for row in snapshot.rows:
        runs = [snapshot.results[run] for run in row.runs.values() if run in snapshot.results]
        pruned = sum(run.status == "pruned" for run in runs)
        for run in (run for run in runs if run.status == "finished"):
            parts = (_head(snapshot, row, run, pruned), _metrics(snapshot, run), _facts(run))
            measured = leaves(snapshot.measures.get(run.run_id, {}), "measures")
            yield _joined([*parts, measured, ranked_rows.get((row.section, row.name), {})], run.run_id)


def _head(snapshot: Snapshot, row: BoardRow, run: Result, pruned: int) -> dict[str, Any]:
    head = {"experiment": snapshot.experiment, "title": snapshot.title, "form": snapshot.form}
    place = {"section": row.section, "row": row.name, "row.seeds": len(row.runs), "row.pruned": pruned}
    axes = {f"axis.{axis}": label for axis, label in row.axes.items()}
    chosen = {"gallery": snapshot.gallery, "select.metric": snapshot.select.get("metric")}
    return {**head, **place, **axes, **chosen, "seed": run.seed, "run_id": run.run_id}


def _metrics(snapshot: Snapshot, run: Result) -> dict[str, float]:
    """Metrics under their keys. Those of an index have no split, and one has a name that every run has: ``train_s``."""
    return {f"{INDEX}{key}" if snapshot.form == INDEX_FORM else key: value for key, value in run.metrics.items()}


def _facts(run: Result) -> dict[str, Any]:
    names = ("train_s", "other_s", "epochs", "best_epoch", "test_evaluations", "commit", "finished_at")
    facts = {name: getattr(run, name) for name in names}
    return {**facts, "notes": "\n".join(run.notes) or None} | {
        name: value for part in PARTS for name, value in leaves(getattr(run, part), part).items()
    }


def _ranked_row(measure: str, ranked_row: RankedRow) -> dict[str, Any]:
    """Return a row's position on its board, repeated for each of its runs."""
    fields = {
        "group": ranked_row.group,
        "status": ranked_row.status,
        "value": ranked_row.value,
        "low": ranked_row.interval.low,
        "high": ranked_row.interval.high,
        "method": ranked_row.interval.method,
        "difference": ranked_row.difference,
        "p": ranked_row.p,
    }
    return {f"standing.{measure}.{name}": value for name, value in fields.items()}


def _joined(parts: Sequence[Mapping[str, Any]], run_id: str) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for part in parts:
        if shared := sorted(line.keys() & part.keys()):
            raise DataError(f"run {run_id} has two facts named '{shared[0]}'; a column holds one.")
        line |= {name: value for name, value in part.items() if not _empty(value)}
    return line


def _empty(value: Any) -> bool:
    """Return whether a value is empty: an empty mapping or list says nothing that its missing columns do not."""
    return isinstance(value, Mapping | list | tuple) and not value


def _place(name: str) -> int:
    """Return where a column stands: what names the run, its numbers, how they were made."""
    kinds = ("experiment", "title", "form", "section", "row", "axis.", "gallery", "select.", "seed", "run_id")
    if name.startswith(kinds):
        return next(i for i, kind in enumerate(kinds) if name.startswith(kind))
    if name.startswith(("standing.", "gain.")):
        return len(kinds)
    return len(kinds) + 1 + (not name.startswith(("val/", "test/", INDEX))) + name.startswith(("config.", "measures."))


def _column(values: Sequence[Any]) -> pd.Series[Any]:
    """Values of one kind as pandas keeps them; of several kinds, as text.

    Whole numbers are ``Int64``, those among fractions ``float64``.
    """
    import pandas as pd

    known = [value for value in values if value is not None]
    kinds = {type(value) for value in known}
    if kinds == {bool}:
        return pd.Series(values, dtype="boolean")
    if kinds == {int} and all(value in INT64 for value in known):
        return pd.Series(values, dtype="Int64")
    if float in kinds and kinds <= {int, float}:
        return pd.Series([float("nan") if v is None else float(v) for v in values], dtype="float64")
    return pd.Series([None if v is None else _text(v) for v in values], dtype="string")


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    # Half of a surrogate pair, which JSON can hold, is in no UTF-8 file.
    return text.encode("utf-8", "replace").decode("utf-8")


def _parquet(table: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.to_parquet(stream, engine="pyarrow", index=False)
    return stream.getvalue()


def _csv(table: pd.DataFrame) -> bytes:
    safe = table.rename(columns=csv_cell)
    for name in safe.columns:
        if safe[name].dtype == "string":
            safe[name] = safe[name].map(csv_cell, na_action="ignore")
    return safe.to_csv(index=False, lineterminator="\n").encode("utf-8")
