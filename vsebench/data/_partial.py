"""The file that a dataset is written to, until it is whole."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import h5py


def create(path: Path) -> h5py.File:
    """Return a new file that holds no values back: HDF5 would write them when an array is closed, where a full disk is
    not noticed, and crash later.
    """
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    access.set_sieve_buf_size(0)
    slots, _, preemption = access.get_cache()[1:]
    access.set_cache(0, slots, 0, preemption)
    return h5py.File(h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_TRUNC, fapl=access))


def abandon(file: h5py.File) -> None:
    """Close a file that nobody will read.

    HDF5 brings the process down later where it cannot write what it still holds, as on a full disk: what it writes
    then goes nowhere instead.
    """
    if not file.id.valid:
        return
    try:
        file.flush()
    except (OSError, RuntimeError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, file.id.get_vfd_handle())
        os.close(nowhere)
    with contextlib.suppress(OSError, RuntimeError):  # nowhere cannot be cut to a length
        file.close()


def remove_orphans(path: Path) -> None:
    """Remove what killed builds of a file left behind."""
    for partial in path.parent.glob(f".{path.name}.partial-*"):
        process = partial.name.rpartition("-")[2]
        try:
            os.kill(int(process), 0)
        except (ProcessLookupError, ValueError):
            partial.unlink(missing_ok=True)
        except OSError:  # alive, but somebody else's
            continue
