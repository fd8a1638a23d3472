"""Runs and results on disk. A run is finished when a whole result with its id exists, and by nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vsebench.errors import DataError, Place
from vsebench.files import make_folder, write_atomically
from vsebench.names import fault_of_name
from vsebench.result_form import parse_result, result_from
from vsebench.types import Result

__all__ = ["Store", "as_text", "parse_result", "read_history", "read_result", "read_run_file", "result_from", "sealed",
           "selected_value", "unsealed", "write_atomically"]  # fmt: skip

RESULT = "result.json"
HISTORY = "history.jsonl"
RUN = "run.yaml"
MODEL = "model.safetensors"
#: Key of a JSON file's own digest.
DIGEST = "sha256"


class Store:
    """The runs of one experiment, ``runs/<experiment>/<run id>/``.

    Args:
        root: the folder of all experiments' runs.
        experiment: its name.
    """

    def __init__(self, root: Path | str, experiment: str) -> None:
        self.folder = Path(root) / plain_name(experiment, "an experiment")
        self.experiment = experiment

    def run_folder(self, run_id: str) -> Path:
        """Where a run keeps its files."""
        return self.folder / plain_name(run_id, "a run")

    def lock_file(self, run_id: str) -> Path:
        """The file that a process locks while it works on a run."""
        return self.folder / ".locks" / f"{plain_name(run_id, 'a run')}.lock"

    def finished(self, run_id: str) -> bool:
        """Whether a whole result without error exists."""
        result = self.read(run_id)
        return result is not None and result.status == "finished"

    def read(self, run_id: str) -> Result | None:
        """The run's result, or None when there is no whole one."""
        result = read_result(self.run_folder(run_id))
        return result if result is not None and result.run_id == run_id else None

    def write(self, result: Result) -> None:
        """Write a result, last of a run's files, by atomic rename."""
        folder = self.run_folder(result.run_id)
        make_folder(folder)
        write_atomically(folder / RESULT, sealed(dataclasses.asdict(result)))

    def results(self) -> Iterator[Result]:
        """Every whole result, finished, failed and pruned, in the order of ids."""
        if self.folder.is_dir():
            for child in sorted(self.folder.iterdir()):
                named = child.is_dir() and fault_of_name(child.name) is None  # others, as of locks, are no runs
                result = self.read(child.name) if named else None
                if result is not None:
                    yield result

    def forget(self, run_id: str) -> None:
        """Take a result away that is failed, or pruned by rules that no longer hold, so that the run is done again."""
        (self.run_folder(run_id) / RESULT).unlink(missing_ok=True)

    def clean_checkpoint(self, run_id: str) -> None:
        """Remove the checkpoint of a run that is over."""
        for file in self.run_folder(run_id).glob("checkpoint*"):
            file.unlink(missing_ok=True)

    def remove(self, run_id: str) -> None:
        """Remove a run with all its files."""
        shutil.rmtree(self.run_folder(run_id), ignore_errors=True)


def plain_name(name: str, noun: str) -> str:
    """A name that becomes a part of a path, as it is.

    Raises: DataError for one that would lead elsewhere.
    """
    fault = fault_of_name(name)
    if fault is not None:
        raise DataError(f"'{name}' cannot be the name of {noun}: it {fault}.")
    return name


def as_text(result: Result) -> str:
    """A result as JSON, with all its digits."""
    return json.dumps(dataclasses.asdict(result), indent=1, ensure_ascii=False)


def read_result(folder: Path) -> Result | None:
    """The result in a run's folder, or None when there is no whole one."""
    try:
        return parse_result(_plain(folder / RESULT))
    except (OSError, ValueError):
        return None


def _plain(file: Path) -> Any:
    """What a JSON file holds. Raises: OSError; ValueError when it is no JSON, or other than its digest says."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("nested too deep") from None
    if isinstance(data, dict) and (digest := data.pop(DIGEST, None)) is not None and digest != _digest(data):
        raise ValueError("its content is not what was written: the digest differs")
    return data


def read_run_file(folder: Path) -> dict[str, Any]:
    """What a run's file says of it.

    Raises: DataError for a folder without one, or one that is damaged.
    """
    import yaml

    from vsebench.file_schemas import RunFile, check_form

    file = folder / RUN
    if not file.is_file():
        raise DataError(f"not the folder of a run: it has no {RUN}.", place=Place(str(folder)))
    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise DataError(f"cannot be read ({str(error).splitlines()[0]}).", place=Place(str(file))) from None
    check_form(RunFile, said, Place(str(file)), noun="a run file")
    return dict(said)


def sealed(data: Mapping[str, Any]) -> str:
    """Plain data as JSON with the digest of its content, which :func:`unsealed` checks."""
    return json.dumps({**data, DIGEST: _digest(data)}, indent=1, ensure_ascii=False)


def unsealed(file: Path) -> dict[str, Any]:
    """What :func:`sealed` gave for a file.

    Raises: OSError; ValueError when it is something else, or damaged.
    """
    data = _plain(file)
    if not isinstance(data, dict):
        raise ValueError("no JSON object")
    return data


def _digest(data: Any) -> str:
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_history(folder: Path) -> list[dict[str, float]]:
    """The per-epoch numbers of a run.

    Raises: DataError for a damaged line.
    """
    file = folder / HISTORY
    if not file.is_file():
        return []
    lines = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            lines.append(json.loads(line))
        except ValueError:
            raise DataError("not a JSON line.", place=Place(str(file), number)) from None
    return lines


def selected_value(store: Store, result: Result, metric: str) -> float:
    """The validation number that chose the epoch of a result; NaN where there is none.

    It need not be among the metrics of the board; the history then has it.
    """
    if metric in result.metrics or result.status == "pruned":
        return result.metrics.get(metric, math.nan)
    history = read_history(store.run_folder(result.run_id))
    return next((e[metric] for e in history if e["epoch"] == result.best_epoch and metric in e), math.nan)
