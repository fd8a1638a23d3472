"""Training curves and confusion matrices of a board's finished runs: kept beside its results, so that its pages show
them without the runs' folders."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vsebench.core.errors import DataError, Place
from vsebench.core.files import make_folder, replacing
from vsebench.core.sizes import in_words
from vsebench.core.terminal import say
from vsebench.core.types import Result
from vsebench.leaderboard.examples import dataset_of_run
from vsebench.leaderboard.run_details import Points, confusion_of, curves_of
from vsebench.runs.item_scores import ITEMS
from vsebench.runs.snapshot import Snapshot
from vsebench.runs.store import Store, plain_name

FORMAT = 1
#: Numbers of the history that are kept beside the one that chose the epoch.
LOSSES = ("train/loss", "val/loss")
#: A confusion matrix of more classes is not kept.
MOST_CLASSES = 100
#: Bytes of the unpacked file.
LARGEST = 1 << 28


@dataclass(frozen=True)
class RunDetails:
    """What is kept of one run.

    Args:
        finished_at: of the result that it belongs to; a run that was made again has another.
        curves: number of the history -> (epoch, value).
        confusion: items of test, true class by predicted one; empty for items of several labels, of more than
            :data:`MOST_CLASSES` classes, and where no logits are stored.
    """

    finished_at: str
    curves: Mapping[str, Points]
    confusion: Sequence[Sequence[int]] = ()


@dataclass(frozen=True)
class Published:
    """What is kept of a board's runs.

    Args:
        runs: by run id.
        labels: names of the classes; none where the dataset was not at hand.
    """

    runs: Mapping[str, RunDetails] = field(default_factory=dict)
    labels: Sequence[str] = ()

    def of(self, results: Iterable[Result]) -> dict[str, RunDetails]:
        """Return what is kept of some results, by run id; nothing of those that were made again since."""
        pairs = ((r, self.runs.get(r.run_id)) for r in results)
        return {r.run_id: one for r, one in pairs if one is not None and one.finished_at == r.finished_at}


def details_file(folder: Path, experiment: str) -> Path:
    """Return where an experiment's curves and matrices lie in a leaderboard folder."""
    return folder / ITEMS / f"{plain_name(experiment, 'an experiment')}-details.json.gz"


def publish(snapshot: Snapshot, runs: Path, board: Path) -> None:
    """Write curves and confusion matrices of a board's finished runs beside it. A run without a folder here keeps what
    the board had of it; nothing is written where no run has any.

    Args:
        snapshot: the board's content.
        runs: the folder of all experiments' runs.
        board: the leaderboard folder.
    """
    file = details_file(board, snapshot.experiment)
    known, store = usable(file), Store(runs, snapshot.experiment)
    finished = [result for result in snapshot.results.values() if result.status == "finished"]
    results, labels = known.of(finished), known.labels
    for result in finished:
        folder = store.run_folder(result.run_id)
        local = store.read(result.run_id)
        if local is None or local.finished_at != result.finished_at:
            continue
        try:
            results[result.run_id] = read(folder, snapshot, result)
            if not labels and results[result.run_id].confusion:
                dataset = dataset_of_run(folder, str(snapshot.dataset["fingerprint"]))
                if dataset is not None:
                    labels = dataset.label_names
                    dataset.close()
        except DataError as error:
            say(f"{error} Its curves and confusion matrix are not published.", error=True)
    save(Published({run: one for run, one in results.items() if one.curves or one.confusion}, labels), file)


def read(folder: Path, snapshot: Snapshot, result: Result) -> RunDetails:
    """Read what is kept of a run.

    Raises: DataError for a damaged file.
    """
    wanted = (snapshot.select["metric"], *LOSSES)
    curves = curves_of(folder)
    confusion = None if snapshot.dataset.get("multi_label") else confusion_of(folder, MOST_CLASSES)
    return RunDetails(
        result.finished_at,
        {key: curves[key] for key in wanted if key in curves},
        [] if confusion is None else confusion.tolist(),
    )


def unite(snapshot: Snapshot, files: Iterable[Path], into: Path) -> None:
    """Write what files of several boards have of one that has all their results; of a run that several have, the
    first one's.
    """
    parts = [usable(file) for file in files]
    finished = [result for result in snapshot.results.values() if result.status == "finished"]
    runs = {run: one for part in reversed(parts) for run, one in part.of(finished).items()}
    save(Published(runs, next((part.labels for part in parts if part.labels), ())), into)


def save(published: Published, file: Path) -> None:
    """Write it; the same content gives the same bytes. Nothing is written of no run."""
    if not published.runs:
        return
    content = {
        "format": FORMAT,
        "labels": list(published.labels),
        "runs": {run: asdict(one) for run, one in sorted(published.runs.items())},
    }
    packed = gzip.compress(json.dumps(content, separators=(",", ":")).encode(), mtime=0)
    if not file.is_file() or file.read_bytes() != packed:
        make_folder(file.parent)
        with replacing(file) as partial:
            partial.write_bytes(packed)


def usable(file: Path) -> Published:
    """Read a file of curves and matrices; nothing where there is none. One that cannot be used is named, and what it
    has is left out: no number of a board depends on it.
    """
    try:
        return load(file) if file.is_file() else Published()
    except DataError as error:
        say(f"{error} Its curves and confusion matrices are left out.", error=True)
        return Published()


def load(file: Path) -> Published:
    """Read a file of curves and matrices.

    Raises: DataError when it is damaged or of another format, naming what is at fault.
    """
    try:
        with gzip.open(file) as stream:
            content = stream.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"it unpacks to more than {in_words(LARGEST)}")
        stored = json.loads(content)
        if not isinstance(stored, dict) or stored.get("format") != FORMAT:
            raise ValueError(f"it is not of format {FORMAT}, which this version reads")
        labels, runs = stored.get("labels"), stored.get("runs")
        if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
            raise ValueError("'labels' must be names of classes")
        if not isinstance(runs, dict):
            raise ValueError("'runs' must be curves and matrices by run id")
        results = {run: _checked(run, one) for run, one in runs.items()}
        if len({len(one.confusion) for one in results.values() if one.confusion}) > 1:
            raise ValueError("confusion matrices are of different sizes")
        return Published(results, labels)
    except (OSError, EOFError, ValueError, OverflowError, RecursionError, zlib.error) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"not a file of curves and confusion matrices: {reason}.", place=Place(str(file))) from None


def _checked(run: str, entry: Any) -> RunDetails:
    """Check what a file says of a run.

    Raises: ValueError naming the run and what is of another form.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("finished_at"), str):
        raise ValueError(f"run {run} lacks 'finished_at'")
    curves, confusion = entry.get("curves"), entry.get("confusion")
    if not isinstance(curves, dict) or not all(isinstance(c, list) and all(map(_is_point, c)) for c in curves.values()):
        raise ValueError(f"'curves' of run {run} must be lists of an epoch and a number")
    if not isinstance(confusion, list) or not all(_is_row(row, len(confusion)) for row in confusion):
        raise ValueError(f"'confusion' of run {run} must be a square of counts")
    return RunDetails(entry["finished_at"], {key: [(e, v) for e, v in c] for key, c in curves.items()}, confusion)


def _is_point(point: Any) -> bool:
    return (
        isinstance(point, list)
        and len(point) == 2
        and all(type(part) in (int, float) and math.isfinite(part) for part in point)
    )


def _is_row(row: Any, count: int) -> bool:
    return isinstance(row, list) and len(row) == count and all(type(n) is int and 0 <= n < 2**53 for n in row)
