"""Files in pieces: from one machine's disk through an object store to another's.

A run that was done elsewhere comes to the driver's store as a parcel. Its files are gathered beside the run's folder
and moved there when all have come; the result is written last. A delivery that is cut off leaves no result.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vsebench.core.files import replacing
from vsebench.core.types import Result
from vsebench.runs.store import ATTEMPTS, RESULT, RUN, TESTED, Store

#: Bytes of a piece. A file is never in memory as a whole.
PIECE = 32 * 2**20
INCOMING = ".incoming"
#: Stands in an error for the run's folder, which has another path on the machine that it comes to.
OWN_FOLDER = "<the run's folder>"


@dataclass(frozen=True)
class ArtifactBundle:
    """A run that is over.

    Args:
        result: of the run.
        files: name -> pieces, as whatever ``put`` made of them.
    """

    result: Result
    files: Mapping[str, Sequence[Any]]


def pieces(file: Path, size: int = PIECE) -> Iterator[bytes]:
    """Yield a file's bytes, in order; nothing for an empty one."""
    with file.open("rb") as stream:
        while piece := stream.read(size):
            yield piece


def assemble(file: Path, parts: Iterable[bytes]) -> None:
    """Write a file from its pieces, so that a reader sees none or all of it."""
    with replacing(file) as partial, partial.open("wb") as stream:
        for part in parts:
            stream.write(part)


def pack(result: Result, store: Store, put: Callable[[bytes], Any]) -> ArtifactBundle:
    """Take a run's files: not its checkpoints, and not what names places of this machine."""
    folder = store.run_folder(result.run_id)
    files = sorted(f for f in folder.iterdir() if f.is_file() and f.name not in (RESULT, RUN, TESTED, ATTEMPTS))
    if result.error is not None:
        result = replace(result, error=result.error.replace(str(folder), OWN_FOLDER))
    return ArtifactBundle(
        result,
        {f.name: [put(piece) for piece in pieces(f)] for f in files if not f.name.startswith(("checkpoint", "."))},
    )


def deliver(
    bundle: ArtifactBundle, store: Store, get: Callable[[Any], bytes], *, write_run_file: Callable[[Path], None]
) -> bool:
    """Put a run into a store that has no result of it. The caller holds the run's lock.

    Args:
        bundle: files of a run, in pieces.
        store: that takes it.
        get: makes a piece of what ``put`` made.
        write_run_file: writes the run's description with the places of this machine.

    Returns: whether it was put there; False when the store has a result already.

    Raises: ValueError for a file name that leads out of the run's folder.
    """
    run_id = bundle.result.run_id
    if store.read(run_id) is not None:
        return False
    incoming = store.folder / INCOMING / run_id
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(parents=True)
    try:
        for name, parts in bundle.files.items():
            if Path(name).name != name:
                raise ValueError(f"a run's files have plain names. Got '{name}'.")
            assemble(incoming / name, (get(part) for part in parts))
        write_run_file(incoming / RUN)
        folder = store.run_folder(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(incoming.iterdir()):
            os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    result = bundle.result
    if result.error is not None:
        result = replace(result, error=result.error.replace(OWN_FOLDER, str(store.run_folder(run_id))))
    if result.status == "finished":
        store.write_tested(result)
    else:
        store.write(result)
    if result.status != "failed":  # one that failed here before goes on from there
        store.clean_checkpoint(run_id)
    return True
