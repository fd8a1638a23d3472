"""Know that a sweep is finished without planning it again.

Planning validates every row, which imports every component in use, and with them torch: seconds. A sweep that ends with
all runs finished therefore leaves a note of everything that the plan and the board followed from. While none of that
has changed, and every result is still there and whole, there is nothing to do. Whatever differs, the sweep is planned.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import vsebench
from vsebench.core.files import write_atomically
from vsebench.core.plugins import ENTRY_POINT_GROUP
from vsebench.runs.store import Store, damaged_files

NOTE = ".done.json"
PACKAGE = Path(vsebench.__file__).parent


@dataclass(frozen=True)
class Asked:
    """What the command was told that can change the plan or the board.

    Args:
        file: the experiment file.
        overrides, only: as given.
        plugins: files given with ``--plugin``.
        board: the leaderboard's folder.
        command: what the board says how it was made.
    """

    file: Path
    overrides: Sequence[str]
    only: Sequence[str]
    plugins: Sequence[Path]
    board: Path
    command: str


@dataclass(frozen=True)
class Note:
    """What a finished sweep leaves.

    Args:
        asked: digest of what was asked and of the code.
        seen: places that the plan depends on (the dataset, plug-ins, local weights, the board's pages) -> size and
            time of change of all their files; None for one that is not there.
        runs: ids of the plan's runs, the pruned ones under ``pruned``.
    """

    requested: str
    seen: Mapping[str, Any]
    runs: Sequence[str]
    pruned: Sequence[str]


def still_done(requested: Asked, root: Path, experiment: str) -> tuple[int, int] | None:
    """Numbers of finished and pruned runs, when nothing is to do; None when that is not certain."""
    store = Store(root, experiment)
    try:
        note = Note(**json.loads((store.folder / NOTE).read_text(encoding="utf-8")))
        if note.requested != _digest(requested) or any(
            _state(Path(place)) != state for place, state in note.seen.items()
        ):
            return None
    except (OSError, ValueError, TypeError):
        return None
    wanted = {**dict.fromkeys(note.runs, "finished"), **dict.fromkeys(note.pruned, "pruned")}
    for run_id, status in wanted.items():
        result = store.read(run_id)
        if result is None or result.status != status or damaged_files(store.run_folder(run_id), contents=False):
            return None
    return len(note.runs), len(note.pruned)


def leave_note(
    requested: Asked,
    store: Store,
    *,
    finished: Iterable[str],
    pruned: Iterable[str],
    depends_on: Iterable[Path],
) -> None:
    """Write the note of a sweep that has nothing left to do.

    Args:
        requested: what the command was given.
        store: where the runs lie.
        finished: ids of the finished runs.
        pruned: ids of the pruned runs.
        depends_on: the dataset's file, plug-ins, the board's pages, and whatever the options may name as a place.
    """
    seen = {str(place): _state(place) for place in depends_on}
    note = Note(_digest(requested), seen, sorted(set(finished)), sorted(set(pruned)))
    write_atomically(store.folder / NOTE, json.dumps(asdict(note)))


def _digest(requested: Asked) -> str:
    parts = {
        "asked": {
            k: [str(x) for x in v] if isinstance(v, list | tuple) else str(v) for k, v in asdict(requested).items()
        },
        "here": os.getcwd(),  # relative places in options mean another file elsewhere
        "experiment": hashlib.sha256(requested.file.read_bytes()).hexdigest(),
        "plugins": sorted(
            f"{point.name}={point.value} {point.dist}" for point in entry_points(group=ENTRY_POINT_GROUP)
        ),
        "code": _code(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _code() -> str:
    """Digest of the package's modules and recipes."""
    total = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*")):
        if file.suffix in (".py", ".yaml"):
            total.update(str(file.relative_to(PACKAGE)).encode())
            total.update(file.read_bytes())
    return total.hexdigest()


def _state(place: Path) -> Any:
    """Size and time of change of a file, or of all files of a folder; None where nothing is."""
    if place.is_dir():
        return [[str(f.relative_to(place)), *_stat(f)] for f in sorted(place.rglob("*")) if f.is_file()]
    return _stat(place) if place.is_file() else None


def _stat(file: Path) -> list[int]:
    result = file.stat()
    return [result.st_size, result.st_mtime_ns]


def command_of(file: Path, overrides: Sequence[str], plugins: Sequence[Path]) -> str:
    """Return the command line that makes this board, without ``--only`` and worker counts, which do not change it."""
    words = [word for assignment in overrides for word in ("-o", assignment)]
    words += [word for plugin in plugins for word in ("--plugin", str(plugin))]
    return shlex.join(["vsebench", "sweep", str(file), *words])
