"""The arrays of an open dataset file: read lazily, by any number of processes, compared with the seal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vsebench.core.errors import DataError, Place
from vsebench.data.seal import AGAIN, Sums, sum_of

#: What h5py raises for a damaged file.
FAULTS = (
    OSError,
    KeyError,
    ValueError,
    IndexError,
    RuntimeError,
    TypeError,
    AttributeError,
    MemoryError,
    OverflowError,
)
NOUNS = {"bytes": "image", "audio": "sound"}


class Content:
    """Opened on first use in each process and never shared across a fork; the object can be pickled.

    Args:
        path: the HDF5 file.
        sums: of its items, from its seal; empty for a file without.
    """

    def __init__(self, path: Path, sums: Sums) -> None:
        self.path, self.sums = path, sums
        self._file: h5py.File | None = None
        self._handles: dict[str, h5py.Dataset] = {}
        self._owner = -1

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_handles": {}, "_owner": -1}

    def file(self) -> h5py.File:
        """Return the open file."""
        if self._file is None or self._owner != os.getpid():
            # A handle inherited through a fork shares its file position with the parent: open a new one.
            # Without HDF5's chunk cache a small image is read by itself, not with the whole chunk around it.
            self._file = h5py.File(self.path, "r", rdcc_nbytes=0)
            self._owner = os.getpid()
            self._handles = {}
        return self._file

    def close(self) -> None:
        """Close this process's handle; it opens again on use."""
        if self._file is not None and self._owner == os.getpid():
            self._file.close()
        self._file = None

    def array(self, name: str) -> h5py.Dataset:
        """Return an array of the file, kept open because looking one up by name takes longer than reading a small
        image.
        """
        file = self.file()
        if name not in self._handles:
            self._handles[name] = file[name]
        return self._handles[name]

    def read(self, name: str, start: int, end: int) -> np.ndarray:
        """Values ``start`` to ``end`` of an array.

        Raises: DataError when the file is damaged there.
        """
        try:
            values: np.ndarray = self.array(name)[start:end]
        except FAULTS as error:
            raise DataError(f"'{name}' cannot be read ({error}). {AGAIN}", place=Place(str(self.path))) from None
        return values

    def rows(self, name: str, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read some runs of rows of an array, one after the other, and where each begins, int64 (runs + 1,).

        Raises: DataError when the file is damaged there.
        """
        at = np.concatenate([[0], np.cumsum(ends - starts)]).astype(np.int64)
        if len(starts) and ends[-1] - starts[0] == at[-1] and (starts[1:] == ends[:-1]).all():
            return self.read(name, starts[0], ends[-1]), at  # neighbours in the file: one read
        array = self.array(name)
        out = np.empty((int(at[-1]), *array.shape[1:]), array.dtype)
        for row in np.argsort(starts, kind="stable"):  # in the file's order: each chunk is read once
            if ends[row] > starts[row]:
                out[at[row] : at[row + 1]] = self.read(name, starts[row], ends[row])
        return out, at

    def compare(self, name: str, position: int, item: str, data: bytes | np.ndarray) -> None:
        """Compare an item's bytes with those that were sealed.

        Raises: DataError when an item's bytes are not those that were sealed.
        """
        if name in self.sums and sum_of(data) != self.sums[name][position].tobytes():
            raise DataError(
                f"item '{item}': its {NOUNS.get(name, 'features')} in the file is not what was built; the file was "
                f"changed or damaged. {AGAIN}",
                place=Place(str(self.path)),
            )
