"""Combinations of runs on the boards. They are no rows of an experiment file, so a sweep finds them in the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vsebench.core.errors import ConfigError, DataError, Place
from vsebench.core.types import Result
from vsebench.leaderboard.collect import update
from vsebench.leaderboard.render import render
from vsebench.runs.snapshot import BoardRow, Snapshot, check_comparable, load_board, results_file, save
from vsebench.runs.store import Store


def is_combination(result: Result) -> bool:
    """Return whether a result is of several runs together."""
    return "combined" in result.ranking


def combinations(
    store: Store, planned: Collection[str], *, fingerprint: str, versions: Mapping[str, int]
) -> list[Result]:
    """Return the combinations that belong on the board of a plan: of its data and metrics, and of runs that it still
    has.

    Args:
        store: of the experiment's runs.
        planned: ids of the plan's runs. Runs of other experiments may take part; those are not asked for.
        fingerprint: of the plan's dataset.
        versions: of the plan's metrics.
    """

    def belongs(result: Result) -> bool:
        parts = result.ranking["combined"]
        run_ids = [part["run_id"] for part in parts if part["experiment"] == store.experiment]
        same = result.dataset.get("fingerprint") == fingerprint and result.metric_versions == versions
        return same and set(run_ids) <= set(planned)

    made = (r for r in store.results() if is_combination(r) and r.status == "finished")
    return sorted(filter(belongs, made), key=lambda r: (r.finished_at, r.run_id))


def rows_of(results: Iterable[Result]) -> list[BoardRow]:
    """Return a row for each name, its seeds in order; of two results with one name and seed the later counts."""
    rows: dict[str, dict[str, str]] = {}
    for result in results:
        rows.setdefault(result.system, {})[str(result.seed)] = result.run_id
    return [BoardRow(name, "systems", {}, dict(sorted(runs.items()))) for name, runs in rows.items()]


def refuse_taken(name: str, board: Path, store: Store) -> None:
    """Refuse the name of a row that is no combination.

    Raises: ConfigError.
    """
    file = results_file(board, store.experiment)
    taken = {r.system for r in store.results() if not is_combination(r)}
    if file.is_file():
        shown = load_board(board, store.experiment)
        made = {run_id for run_id, result in shown.results.items() if is_combination(result)}
        taken |= {row.name for row in shown.rows if not made & set(row.runs.values())}
    if name in taken:
        raise ConfigError(f"experiment '{store.experiment}' has a row '{name}'; give the combination another --name.")


def show(results: Sequence[Result], store: Store, board: Path, *, select: tuple[str, str], command: str) -> list[Path]:
    """Put a combination on the board of its experiment, which is made where there is none. Earlier results under its
    name are removed. Returns the pages that changed.

    Raises: DataError where the board is of other data, or of other versions of the metrics.
    """
    name, selected = results[0].system, {r.run_id for r in results}
    for old in [r for r in store.results() if is_combination(r) and r.system == name and r.run_id not in selected]:
        store.remove(old.run_id)
    file = results_file(board, store.experiment)
    snapshot = (
        load_board(board, store.experiment) if file.is_file() else _empty(results, store.experiment, select, command)
    )
    fingerprint = results[0].dataset["fingerprint"]
    if snapshot.dataset["fingerprint"] != fingerprint:
        raise DataError(
            f"the board is of dataset {snapshot.dataset['fingerprint']}, the combination of {fingerprint}. "
            "Give another --experiment.",
            place=Place(str(file)),
        )
    rows = [row for row in snapshot.rows if row.name != name]
    result = {**snapshot.results, **{r.run_id: r for r in results}}
    snapshot = replace(snapshot, rows=[*rows, *rows_of(results)], results=result)
    check_comparable(snapshot, file)
    save(snapshot, file)
    update(snapshot, store.folder.parent, board)
    return render(board, [store.experiment])


def _empty(results: Sequence[Result], experiment: str, select: tuple[str, str], command: str) -> Snapshot:
    dataset: Mapping[str, Any] = results[0].dataset
    return Snapshot(
        experiment=experiment,
        title=f"{experiment}: {dataset['title']}",
        dataset=dataset,
        rows=[],
        seeds=sorted({r.seed for r in results}),
        select={"metric": select[0], "mode": select[1]},
        board={},
        command=command,
        results={},
    )
