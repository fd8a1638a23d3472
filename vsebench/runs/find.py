"""A finished run by its name: its folder, and its result."""

from __future__ import annotations

import math
from pathlib import Path

from vsebench.core.errors import DataError, Place, did_you_mean, known_names
from vsebench.core.metric_specs import mode_of
from vsebench.core.names import fault_of_name, in_any_case
from vsebench.core.types import Result
from vsebench.runs.store import RESULT, RUN, Store, read_run_file, selected_value, whole_result


def find_run(reference: str | Path, runs: Path = Path("runs")) -> Path:
    """Return the folder of a finished run.

    Args:
        reference: a run's folder; the beginning of a run's id; or ``experiment/row``, which is the row's best seed by
            the validation number that chose its epoch. Names may be typed in any case where one alone fits.
        runs: folder of all runs.

    Raises: DataError that says what there is, for a run that is unknown, not unique, or not finished.
    """
    for folder in (Path(reference), runs / reference):
        if (folder / RUN).is_file():
            return folder
    text = str(reference)
    experiment, slash, row = text.partition("/")
    experiments = sorted(f.name for f in runs.iterdir() if f.is_dir()) if runs.is_dir() else []
    experiment = in_any_case(experiment, experiments)
    if slash and fault_of_name(experiment) is None and (runs / experiment).is_dir():
        return _best_of_row(Store(runs, experiment), row)
    result = sorted(f.parent for f in runs.glob(f"*/*/{RUN}") if f.parent.name.startswith(text) and text)
    if len(result) == 1:
        return result[0]
    if result:
        raise DataError(
            f"{len(result)} runs begin with '{text}'; give more of the id.", problems=[str(f) for f in result]
        )
    raise DataError(
        f"there is no run '{text}' in {runs}. Give a run's folder, the beginning of its id, or experiment/row."
        + did_you_mean(experiment, experiments)
        + known_names(experiments, "Experiments there")
    )


def row_runs(reference: str, runs: Path = Path("runs")) -> dict[int, Path]:
    """Return the finished runs of a row, ``experiment/row``, by seed; of several with one seed, the latest.

    Empty where ``reference`` is a run's folder or id, or names no row that has any.
    """
    experiment, slash, row = reference.partition("/")
    if (
        not slash
        or fault_of_name(experiment) is not None
        or any((folder / RUN).is_file() for folder in (Path(reference), runs / reference))
    ):
        return {}
    store = Store(runs, in_any_case(experiment, (f.name for f in runs.iterdir()) if runs.is_dir() else ()))
    result = sorted(store.finished_of(row), key=lambda r: r.finished_at)
    return {r.seed: store.run_folder(r.run_id) for r in result}


def _best_of_row(store: Store, row: str) -> Path:
    named = store.finished_of(row)
    if not named:
        by_id = [r for r in store.results() if r.status == "finished" and row and r.run_id.startswith(row)]
        if len(by_id) == 1:
            return store.run_folder(by_id[0].run_id)
        rows = store.rows()
        raise DataError(
            f"experiment '{store.experiment}' has no finished run of a row '{row}'."
            + did_you_mean(row, rows)
            + known_names(rows, "Rows")
        )

    def selection_value(result: Result) -> float:
        folder = store.run_folder(result.run_id)
        select = read_run_file(folder)["select"]
        value = selected_value(store, result, select["metric"])
        if math.isnan(value):
            raise DataError(f"its result lacks {select['metric']}, which chose its epoch.", place=Place(str(folder)))
        return value if (mode_of(select["metric"]) or select["mode"]) == "max" else -value

    best = max(named, key=lambda r: (selection_value(r), -r.seed, r.run_id))
    return store.run_folder(best.run_id)


def finished_result(folder: Path, run_id: str) -> Result:
    """Read the result of a finished run.

    Args:
        folder: of the run.
        run_id: that its run file names.

    Raises: DataError for a run that is not finished, saying what it is.
    """
    try:
        result = whole_result(folder)
    except DataError as error:
        raise DataError(
            f"run {run_id} is not finished; it has no whole {RESULT} ({error.message.rstrip('.')}). "
            "The same sweep goes on with it.",
            place=Place(str(folder)),
        ) from None
    if result.run_id != run_id:
        state = f"its {RESULT} is of run {result.run_id}"
    elif result.status == "failed":
        state = f"it failed: {((result.error or '').strip().splitlines() or ['no message'])[-1]}"
    elif result.status != "finished":
        state = f"it was {result.status}"
    else:
        return result
    raise DataError(f"run {run_id} is not finished; {state}.", place=Place(str(folder)))
