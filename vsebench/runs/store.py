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

from vsebench.core.errors import ConfigError, DataError, Place
from vsebench.core.files import DAMAGED, file_digest, make_folder, write_atomically, writing
from vsebench.core.names import fault_of_name, in_any_case
from vsebench.core.types import Result

RESULT = "result.json"
HISTORY = "history.jsonl"
RUN = "run.yaml"
MODEL = "model.safetensors"
#: How often a run was begun and lost, and how often it was evaluated on test.
ATTEMPTS, TESTED = "attempts.json", "test-evaluations.jsonl"
#: Row -> seed -> run id, of all sweeps: rows of equal configuration share a run, whose result names the first of them.
ROWS = ".rows.json"
#: Folder of the digests of runs' files, beside the runs.
DIGESTS = ".digests"
#: Files up to so many bytes are read to see whether they are damaged.
HASHED = 1 << 24


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
        """Return where a run keeps its files."""
        return self.folder / plain_name(run_id, "a run")

    def lock_file(self, run_id: str) -> Path:
        """Return the file that a process locks while it works on a run."""
        return self.folder / ".locks" / f"{plain_name(run_id, 'a run')}.lock"

    def finished(self, run_id: str) -> bool:
        """Return whether a whole result without error exists."""
        result = self.read(run_id)
        return result is not None and result.status == "finished"

    def read(self, run_id: str) -> Result | None:
        """Read the run's result, or None when there is no whole one."""
        result = read_result(self.run_folder(run_id))
        return result if result is not None and result.run_id == run_id else None

    def write(self, result: Result) -> None:
        """Write a result, last of a run's files, by atomic rename."""
        folder = self.run_folder(result.run_id)
        make_folder(folder)
        text = as_text(result)
        state: list[int | str] = [len(text.encode()), hashlib.sha256(text.encode()).hexdigest()]
        digests = digests_file(folder)
        make_folder(digests.parent)
        write_atomically(digests, json.dumps({**_manifest(folder), RESULT: state}, indent=1))
        write_atomically(folder / RESULT, text)

    def write_tested(self, result: Result) -> Result:
        """Write a result whose numbers come from an evaluation on test, and count that in the run's folder.

        Counted are evaluations of the run's model on test by which its numbers became known: by a sweep, also when a
        result was removed or damaged and the run was done again, on a cluster, and by ``combine``. Not counted is what
        makes no new predictions (``verify``, ``recompute``), what measures a finished run beside its numbers
        (``measure``), and ``reproduce``, which does a run of its own elsewhere.

        Returns: the result with the number of evaluations so far, this one included.
        """
        file = self.run_folder(result.run_id) / TESTED
        result = dataclasses.replace(result, test_evaluations=times_tested(file.parent) + 1)
        self.write(result)
        with writing(file), file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"finished_at": result.finished_at, "commit": result.commit}) + "\n")
        return result

    def results(self) -> Iterator[Result]:
        """Every whole result, finished, failed and pruned, in the order of ids."""
        if self.folder.is_dir():
            for child in sorted(self.folder.iterdir()):
                named = child.is_dir() and fault_of_name(child.name) is None  # others, as of locks, are no runs
                result = self.read(child.name) if named else None
                if result is not None:
                    yield result

    def note_rows(self, rows: Mapping[str, Mapping[str, str]]) -> None:
        """Write down which runs are whose.

        Args:
            rows: row -> seed, as text -> run id.
        """
        before = self._rows()
        if (after := {**before, **{row: dict(runs) for row, runs in rows.items()}}) != before:
            make_folder(self.folder)
            write_atomically(self.folder / ROWS, json.dumps(after, indent=1, ensure_ascii=False))

    def finished_of(self, row: str) -> list[Result]:
        """Read the finished results of a row: those that the latest sweep planned for it, or all that have its name.

        A row may be named in any case where one row alone fits.
        """
        runs = self._rows().get(row, {}).values()
        finished = [result for result in self.results() if result.status == "finished"]
        planned = [result for result in finished if result.run_id in runs]
        named = planned or [result for result in finished if result.system == row]
        alike = row if named else in_any_case(row, self.rows())
        return named if alike == row else self.finished_of(alike)

    def rows(self) -> list[str]:
        """Names of the rows that have a finished run."""
        finished = {result.run_id: result.system for result in self.results() if result.status == "finished"}
        shared = {row for row, runs in self._rows().items() if not finished.keys().isdisjoint(runs.values())}
        return sorted({*finished.values(), *shared})

    def _rows(self) -> dict[str, dict[str, str]]:
        """Read what :meth:`note_rows` wrote; empty where it is damaged, as it only adds names."""
        try:
            data = json.loads((self.folder / ROWS).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        rows = data.items() if isinstance(data, dict) else ()
        return {
            row: runs
            for row, runs in rows
            if isinstance(runs, dict) and all(isinstance(run, str) for run in runs.values())
        }

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


def times_tested(folder: Path) -> int:
    """Return how often a run was evaluated on test so far. A line that a kill cut off counts."""
    try:
        return len((folder / TESTED).read_bytes().splitlines())
    except FileNotFoundError:
        return 0


def plain_name(name: str, noun: str) -> str:
    """Check a name that becomes a part of a path, and return it.

    Raises: DataError for one that would lead elsewhere.
    """
    fault = fault_of_name(name)
    if fault is not None:
        raise DataError(f"'{name}' cannot be the name of {noun}: it {fault}.")
    return name


def as_text(result: Result) -> str:
    """Serialise a result as JSON, with all its digits."""
    return json.dumps(dataclasses.asdict(result), indent=1, ensure_ascii=False)


def read_result(folder: Path) -> Result | None:
    """Read the result in a run's folder, or None when there is no whole one."""
    try:
        return whole_result(folder)
    except DataError:
        return None


def whole_result(folder: Path) -> Result:
    """Read the result in a run's folder.

    Raises: DataError where there is none, or naming the first field at fault.
    """
    from pydantic_core import from_json  # three times as quick as json, of which boards read thousands

    from vsebench.runs.schemas.result import parse_result

    place = Place(str(folder / RESULT))
    try:
        data = from_json((folder / RESULT).read_bytes())
    except FileNotFoundError:
        raise DataError("no such file.", place=place) from None
    except (OSError, ValueError) as error:
        raise DataError(f"not JSON: {str(error).splitlines()[0]}.", place=place) from None
    return parse_result(data, place)


def read_run_file(folder: Path) -> dict[str, Any]:
    """Read a run's ``run.yaml``.

    Raises: DataError for a folder without one, or one that is damaged.
    """
    from vsebench.config import document
    from vsebench.runs.schemas.base import check_form
    from vsebench.runs.schemas.run import RunFile

    file = folder / RUN
    if not file.is_file():
        raise DataError(f"not the folder of a run: it has no {RUN}.", place=Place(str(folder)))
    try:
        run_config = document.load(file).data
    except ConfigError as error:
        raise DataError(f"cannot be read ({error.message.rstrip('.')}).", place=error.place) from None
    check_form(RunFile, run_config, Place(str(file)), noun="a run file")
    return dict(run_config)


def _manifest(folder: Path) -> dict[str, list[int | str]]:
    """Size and digest of every file that was written with a result and stays as it is. ``run.yaml`` may be changed by
    hand, when data move."""
    files = [f for f in sorted(folder.iterdir()) if f.is_file() and not f.name.startswith((".", "checkpoint"))]
    changing = (RESULT, RUN, ATTEMPTS, TESTED)
    return {
        f.name: [f.stat().st_size, file_digest(f)]
        for f in files
        if f.name not in changing and not f.name.endswith(DAMAGED)
    }


def digests_file(folder: Path) -> Path:
    """Sizes and digests of a run's files as they were written with its result."""
    return folder.parent / DIGESTS / f"{folder.name}.json"


def damaged_files(folder: Path, *, contents: bool = True) -> list[Path]:
    """Files of a run that are not what was written: of another size or content, or a result of another form.

    Files that somebody removed are not damaged, and neither is a run without a result. Of a result of the first release
    only its own form is known.

    Args:
        folder: of the run.
        contents: compare digests too, of files up to ``HASHED`` bytes; larger ones are compared when they are read.
    """
    file = folder / RESULT
    if not file.exists():
        return []
    if read_result(folder) is None:
        return [file]
    try:
        manifest = json.loads(digests_file(folder).read_text(encoding="utf-8"))
        states = [
            (folder / plain_name(name, "a file"), int(size), str(content)) for name, (size, content) in manifest.items()
        ]
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, DataError):
        return []  # of the first release, or itself damaged: the files then speak for themselves
    return [file for file, size, content in states if _differs(file, size, content, contents)]


def _differs(file: Path, size: int, digest: str, contents: bool) -> bool:
    if not file.is_file():
        return False
    if file.stat().st_size != size:
        return True
    return contents and size <= HASHED and file_digest(file) != digest


def read_history(folder: Path) -> list[dict[str, float]]:
    """Read the per-epoch numbers of a run.

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
    """Return the validation number that chose the epoch of a result; NaN where there is none.

    It need not be among the metrics of the board; the history then has it.
    """
    if metric in result.metrics or result.status == "pruned":
        return result.metrics.get(metric, math.nan)
    history = read_history(store.run_folder(result.run_id))
    return next((e[metric] for e in history if e["epoch"] == result.best_epoch and metric in e), math.nan)
