"""Show that the code of two commits gives the same numbers: the tiny systems are trained with both and compared."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from vsebench.config.code_files import PACKAGE
from vsebench.core.errors import DataError
from vsebench.testing.tiny_systems import MODELS, dataset, experiments

ROOT = PACKAGE.parent
#: Numbers of a result that are no function of the code alone.
_TIMES = ("train_s", "add_s", "qps@")
#: Whose numbers rows of a kind show besides their component's.
_OF_ROWS = {"index": "index_benchmark", "ensemble": "ensembles"}
Numbers = dict[str, dict[str, Any]]


def compare(names: list[str], against: str | None, table: Path) -> tuple[list[str], list[str]]:
    """Train what some entries of the version table need with the code of a commit and with today's, and compare.

    Args:
        names: entries.
        against: commit; None for the last one that changed the table.
        table: the table's file.

    Returns: the entries that give the same numbers, and what there is to say, a line for each other.

    Raises: DataError for a commit that git does not know, or code that does not run.
    """
    if not names:
        return [], ["no code has changed"]
    commit = against or _git("log", "-1", "--format=%H", "--", str(table)).decode().strip()
    if not commit:
        raise DataError(f"{table.name} is in no commit yet; say --against REV.")
    with tempfile.TemporaryDirectory(prefix="vsebench-same-numbers-") as place:
        folder = Path(place)
        with tarfile.open(fileobj=_archive(commit, folder), mode="r|") as archive:
            archive.extractall(folder / "before", filter="data")
        dataset(folder / "tiny.h5")
        sys.path.insert(0, str(ROOT / "tests" / "support"))
        writers = importlib.import_module("tiny_models")
        models = {name: str(getattr(writers, name)()) for name in MODELS}
        files = []
        for experiment in experiments(names, folder / "tiny.h5", models):
            files.append(folder / f"{experiment['experiment']}.yaml")
            files[-1].write_text(yaml.safe_dump(experiment, sort_keys=False), encoding="utf-8")
        processes = [_start(tree, files, folder / side) for side, tree in (("old", folder / "before"), ("new", ROOT))]
        outputs = [process.communicate()[0] for process in processes]
        for process, output, side in zip(processes, outputs, (commit[:12], "the working tree"), strict=True):
            if process.returncode:
                raise DataError(f"the tiny systems do not run with the code of {side}:\n{output.strip()[-2000:]}")
        old, new = (_numbers(folder / side) for side in ("old", "new"))
    return judged(names, old, new, commit[:12])


def _archive(commit: str, folder: Path) -> Any:
    file = folder / "before.tar"
    file.write_bytes(_git("archive", commit, "vsebench"))
    return file.open("rb")


def _git(*arguments: str) -> bytes:
    result = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)
    if result.returncode:
        raise DataError(f"git {arguments[0]}: {result.stderr.decode().strip()}")
    return result.stdout


def _start(tree: Path, files: Iterable[Path], folder: Path) -> subprocess.Popen[str]:
    """Start one process that sweeps all experiments with the code of a tree, in a home of its own."""
    folder.mkdir()
    command = " && ".join(
        f'"{sys.executable}" -m vsebench sweep "{file}" --threads 1 --wandb disabled' for file in files
    )
    environment = {**os.environ, "PYTHONPATH": str(tree), "VSEBENCH_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _numbers(folder: Path) -> Numbers:
    """Return of each row its metrics, and the digest of its weights whatever their names."""
    numbers: Numbers = {}
    for file in sorted((folder / "leaderboard" / "results").glob("*.json")):
        board = json.loads(file.read_text(encoding="utf-8"))
        for row in board["rows"]:
            (run,) = row["runs"].values()
            place = folder / "runs" / board["experiment"] / run
            metrics = json.loads((place / "result.json").read_text(encoding="utf-8"))["metrics"]
            selected = {key: value for key, value in metrics.items() if not key.startswith(_TIMES)}
            numbers[row["name"]] = {**selected, "weights": weights_digest(place / "model.safetensors")}
    return numbers


def weights_digest(file: Path) -> str:
    """Return the digest of a file's tensors, whatever their names; empty without a file."""
    if not file.is_file():
        return ""
    from safetensors.numpy import load_file

    tensors = (f"{v.dtype}{v.shape}".encode() + v.tobytes() for v in load_file(file).values())
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(t).digest() for t in tensors))).hexdigest()[:16]


def judged(names: Iterable[str], old: Numbers, new: Numbers, commit: str) -> tuple[list[str], list[str]]:
    """Return which entries give the same numbers, and a line for each other."""
    equal, lines = [], []
    for name in names:
        rows = sorted(r for r in new if _shows(name, r))
        both = [(row, key) for row in rows if row in old for key in _keys(name, new[row]) if key in old[row]]
        other = [(row, key) for row, key in both if repr(old[row][key]) != repr(new[row][key])]
        if other:
            row, key = other[0]
            lines.append(f"{name}: {key} of '{row}' was {old[row][key]} at {commit} and is {new[row][key]} now")
        elif not both:
            lines.append(f"{name}: no tiny system shows its numbers; add one to vsebench/testing/tiny_systems.py")
        else:
            equal.append(name)
    return equal, [*lines, f"{len(equal)} of {len(list(names))} give the same numbers as at {commit}"]


def _shows(name: str, row: str) -> bool:
    """Return whether a row's numbers speak for an entry: every row for the engine and for the metrics."""
    return (
        name in ("engine", row.partition(" ")[0])
        or name == _OF_ROWS.get(row.partition(".")[0])
        or name.startswith("metric.")
    )


def _keys(name: str, numbers: dict[str, Any]) -> list[str]:
    """Return which of a row's numbers speak for an entry: of a metric its own alone."""
    if not name.startswith("metric."):
        return list(numbers)
    metric = name.partition(".")[2]
    return [key for key in numbers if any(part.split("@")[0] == metric for part in key.split("/"))]
