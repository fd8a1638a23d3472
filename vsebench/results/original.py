"""A run that is to be done again: what it was, from its folder or from a board, and whether that says enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vsebench.config.find import described_dataset
from vsebench.config.schema import System
from vsebench.core.errors import ConfigError, DataError, Place, did_you_mean, known_names
from vsebench.core.home import datasets_home
from vsebench.core.metric_specs import metric_entry, parse_metrics
from vsebench.core.names import fault_of_name, in_any_case
from vsebench.core.plugins import import_stored, refusing_unknown
from vsebench.core.registry import registry_of
from vsebench.core.types import OWN_SPLIT, Result
from vsebench.data.dataset import Dataset
from vsebench.data.open import find_dataset, open_dataset
from vsebench.runs.find import find_run, finished_result, row_runs
from vsebench.runs.load import WITHOUT_MODEL
from vsebench.runs.snapshot import (
    DIGITS,
    INDEX_FORM,
    RESULTS,
    BoardRow,
    Snapshot,
    board_names,
    load_board,
    results_file,
)
from vsebench.runs.store import read_run_file
from vsebench.stats.rows import selected_by
from vsebench.sweeps.plan import Run

#: What a result must say for its run to be done again, and what it is called.
NEEDED = {
    "run_id": "run id",
    "config": "resolved configuration",
    "metrics": "metrics",
    "metric_versions": "versions of metrics",
    "versions": "versions of libraries",
    "hardware": "hardware",
    "commit": "commit",
}


@dataclass(frozen=True)
class Original:
    """A run as it was done before.

    Args:
        run: what is to be done.
        result: what came of it.
        source: the folder or results file that says so.
        exact: whether its numbers have all their digits, not a board's six.
        dataset_path: where its dataset was; None where only a board says what it was.
    """

    run: Run
    result: Result
    source: Path
    exact: bool
    dataset_path: Path | None = None

    def check_components(self, *, trust: bool = False) -> None:
        """Whether everything that the run names is registered here.

        Args:
            trust: import the plug-ins that the run names.

        Raises: UntrustedPlugin where a component or metric is unknown.
        """
        run = self.run
        left_out = import_stored([str(plugin) for plugin in run.plugins], trust=trust)
        with refusing_unknown(left_out, run=run.run_id, place=Place(str(self.source)), without=WITHOUT_MODEL):
            for kind, spec in run.system.components():
                registry_of(kind).get(spec.name)
            parse_metrics(list(run.metrics))


def find_original(reference: str, runs: Path, board: Path, seed: int | None = None) -> Original:
    """Find a run by ``experiment/row``, folder or id: in its folder, or on a board where that is missing.

    Raises: DataError that says what there is, for a run that is unknown, not finished, or not said in full.
    """
    row = row_runs(reference, runs)
    if row and seed is not None:
        if seed not in row:
            known = ", ".join(map(str, sorted(row)))
            raise DataError(f"row '{reference}' has no finished run of seed {seed}; there are {known}.")
        return from_folder(row[seed])
    try:
        folder = find_run(reference, runs)
    except DataError as error:
        result = find_on_boards(reference, board, seed)
        if result is None:
            raise DataError(f"{error} No board in {board} has it either.") from None
        return _from_board(result)
    original = from_folder(folder)
    if seed is not None and original.run.seed != seed:
        raise DataError(f"run {original.run.run_id} has seed {original.run.seed}, not {seed}.")
    return original


def from_folder(folder: Path) -> Original:
    """Read a run from its folder.

    Raises: DataError for a run that is not finished, combined, or not said in full.
    """
    run_config = read_run_file(folder)
    result = finished_result(folder, str(run_config["run_id"]))
    refuse_incomplete(result, str(folder))
    metric, mode = run_config["select"]["metric"], run_config["select"]["mode"]
    run = _run(result, run_config["system"], tuple(run_config["metrics"]), (metric, mode), str(folder))
    run = _with(run, run_config)
    return Original(run, result, folder, True, Path(run_config["dataset"]["path"]))


def _with(run: Run, config: Mapping[str, Any]) -> Run:
    return replace(
        run,
        experiment=str(config["experiment"]),
        name=str(config["row"]),
        dataset=config["dataset"]["spec"],
        plugins=tuple(Path(plugin) for plugin in config["plugins"]),
        gallery=str(config.get("gallery", OWN_SPLIT)),
    )


def _run(
    result: Result, system: Mapping[str, Any], metrics: tuple[str, ...], select: tuple[str, str], source: str
) -> Run:
    try:
        resolved = System.model_validate(dict(system))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = f"this version does not understand its configuration ({where}: {first['msg']})."
        raise DataError(message, place=Place(source)) from None
    return Run(
        run_id=result.run_id,
        experiment=result.experiment,
        name=result.system,
        section="systems",
        system=resolved,
        seed=result.seed,
        metrics=metrics,
        select_metric=select[0],
        select_mode=select[1],
        dataset=result.dataset["name"],
    )


def refuse_incomplete(result: Result, source: str) -> None:
    """Refuse a run that cannot be done again by what is said of it.

    Raises: DataError that names all that is missing.
    """
    if "combined" in result.ranking:
        parts = ", ".join(part["run_id"] for part in result.ranking["combined"])
        message = (
            f"run {result.run_id} is a combination and trains nothing; reproduce its runs ({parts}), then combine."
        )
        raise DataError(message, place=Place(source))
    missing = [name for key, name in NEEDED.items() if not getattr(result, key)]
    missing += [] if result.dataset.get("fingerprint") else ["fingerprint of the dataset"]
    if missing:
        message = f"run {result.run_id} cannot be done again: its result lacks {', '.join(missing)}."
        raise DataError(message, place=Place(source))


@dataclass(frozen=True)
class OnBoard:
    """A run on a board.

    Args:
        snapshot: the board's content.
        folder: of the leaderboards.
    """

    snapshot: Snapshot
    folder: Path
    run_id: str

    @property
    def file(self) -> Path:
        """The results file."""
        return results_file(self.folder, self.snapshot.experiment)

    @property
    def result(self) -> Result:
        """Its result."""
        return self.snapshot.results[self.run_id]


def find_on_boards(reference: str, board: Path, seed: int | None = None) -> OnBoard | None:
    """Find a run on a board, by ``experiment/row`` (with that seed, or the best on validation) or by id prefix; None
    where no board has it.

    Raises: DataError for a board without such a row or seed, or for an id that is not unique.
    """
    experiment, slash, name = reference.partition("/")
    experiment = in_any_case(experiment, (file.stem for file in (board / RESULTS).glob("*.json")))
    if slash and fault_of_name(experiment) is None and (file := results_file(board, experiment)).is_file():
        snapshot = load_board(board, experiment)
        rows = {row.name: row for row in snapshot.rows}
        name = in_any_case(name, rows)
        if name not in rows:
            known = did_you_mean(name, rows) + known_names(rows, "Rows")
            raise DataError(f"board '{experiment}' has no row '{name}'." + known, place=Place(str(file)))
        return OnBoard(snapshot, board, _run_of(rows[name], snapshot, seed, file))
    results = []
    for other in board_names(board) if reference and not slash and any((board / RESULTS).glob("*.json")) else ():
        snapshot = load_board(board, other)
        results += [OnBoard(snapshot, board, run_id) for run_id in snapshot.results if run_id.startswith(reference)]
    if len(results) > 1:
        raise DataError(f"{len(results)} runs on boards begin with '{reference}'; give more of the id.")
    return results[0] if results else None


def _run_of(row: BoardRow, snapshot: Snapshot, seed: int | None, file: Path) -> str:
    present = {s: run for s, run in row.runs.items() if run in snapshot.results}
    if seed is None:
        key, mode = selected_by(snapshot)
        sign = 1.0 if mode == "max" else -1.0
        chosen = {s: snapshot.results[run].metrics.get(key) for s, run in present.items()}
        known = {s: sign * value for s, value in chosen.items() if value is not None}
        wanted = max(known, key=lambda s: (known[s], -int(s)), default=next(iter(present), ""))
    else:
        wanted = str(seed)
    if wanted not in present:
        named = known_names(present, "Seeds with a result")
        of_seed = "" if seed is None else f" of seed {seed}"
        raise DataError(f"row '{row.name}' has no result{of_seed}." + named, place=Place(str(file)))
    return present[wanted]


def _from_board(on: OnBoard) -> Original:
    snapshot, file, run_id, result = on.snapshot, on.file, on.run_id, on.result
    if snapshot.form == INDEX_FORM:
        message = f"this board compares indexes; its command does it again: {snapshot.command}"
        raise DataError(message, place=Place(str(file)))
    if result.status != "finished":
        raise DataError(f"run {run_id} is not finished ({result.status}).", place=Place(str(file)))
    refuse_incomplete(result, str(file))
    metrics = tuple(dict.fromkeys(metric_entry(key) for key in result.metrics))
    select = (snapshot.select["metric"], snapshot.select["mode"])
    run = _run(result, result.config, metrics, select, str(file))
    run = replace(run, gallery=snapshot.gallery, dataset=described_dataset(snapshot.experiment, run.dataset))
    return Original(run, result, file, False)


def dataset_of(original: Original, source: str | None = None) -> Dataset:
    """Open the dataset that the run was trained on.

    Args:
        original: the run that is reproduced.
        source: a file or name that was given for it.

    Raises: DataError when it is not at hand, or what was given is another one.
    """
    wanted, name = str(original.result.dataset["fingerprint"]), str(original.result.dataset["name"])
    if source is not None:
        dataset = open_dataset(source)
        if dataset.fingerprint != wanted:
            raise DataError(
                f"dataset '{source}' has fingerprint {dataset.fingerprint}; the run was trained on {wanted} ('{name}')."
            )
        return dataset
    return require_dataset(wanted, original.run.dataset, original.dataset_path)


def require_dataset(fingerprint: str, spec: str | Mapping[str, Any], path: Path | None = None) -> Dataset:
    """Open a dataset by its fingerprint: at its recorded place, among the built ones, or as an experiment describes it.

    Raises: DataError when it is not at hand, or is another one under the same name.
    """
    folder_files = sorted(datasets_home().glob("*.h5")) if datasets_home().is_dir() else []
    if (result := find_dataset([*([] if path is None else [path]), *folder_files], fingerprint)) is not None:
        return result
    try:
        dataset = open_dataset(spec)
    except (DataError, ConfigError) as error:
        raise DataError(
            f"the dataset of fingerprint {fingerprint} is missing here: {error} Or give --dataset FILE."
        ) from None
    if dataset.fingerprint != fingerprint:
        raise DataError(
            f"dataset '{dataset.name}' has changed: its fingerprint is {dataset.fingerprint}, the run was trained on "
            f"{fingerprint}. Build it again as it was, or give --dataset FILE."
        )
    return dataset


def precision_of(original: Original) -> str:
    """Describe the precision of the numbers compared with."""
    return "all digits" if original.exact else f"a board's {DIGITS} digits, its configuration too"
