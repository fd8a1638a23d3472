"""Growing HDF5 datasets, written through bounded buffers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import h5py
import numpy as np

from vsebench.core.errors import DataError
from vsebench.data.seal import sum_of

CHUNK = 1 << 18  # bytes: a few small images a chunk, so that a random batch reads little beyond itself
FLUSH = 1 << 23
TOGETHER = 1 << 12  # texts that are read at once


class ByteStream:
    """Bytes appended to a growing dataset, with offsets, through a bounded buffer."""

    def __init__(self, file: h5py.File, name: str, offsets: str) -> None:
        self.data = file.create_dataset(name, (0,), np.uint8, maxshape=(None,), chunks=(CHUNK,))
        self.file, self.offsets_name = file, offsets
        self.offsets = [0]
        self.sums = bytearray()
        self.buffer = bytearray()

    def append(self, part: bytes) -> None:
        """Add one item's bytes."""
        self.sums += sum_of(part)
        self.buffer += part
        self.offsets.append(self.offsets[-1] + len(part))
        if len(self.buffer) >= FLUSH:
            self.flush()

    def get(self, position: int) -> bytes:
        """Return the bytes of an item that was added."""
        self.flush()
        return bytes(self.data[self.offsets[position] : self.offsets[position + 1]])

    def parts(self) -> Iterator[bytes]:
        """Yield the bytes of every item that was added, in order, read in blocks."""
        self.flush()
        for first in range(0, len(self.offsets) - 1, TOGETHER):
            offsets = self.offsets[first : first + TOGETHER + 1]
            block = bytes(self.data[offsets[0] : offsets[-1]])
            for begin, end in pairwise(offsets):
                yield block[begin - offsets[0] : end - offsets[0]]

    def flush(self) -> None:
        """Write what is in the buffer."""
        if not self.buffer:
            return
        start = self.data.shape[0]
        self.data.resize((start + len(self.buffer),))
        self.data[start:] = np.frombuffer(bytes(self.buffer), np.uint8)
        self.buffer.clear()

    def close(self) -> None:
        """Write what is left, and the offsets."""
        self.flush()
        self.file[self.offsets_name] = np.asarray(self.offsets, np.int64)


class RowStream:
    """Feature vectors of items, one after the other, appended to a growing dataset through a bounded buffer."""

    def __init__(self, file: h5py.File, modality: str, first: np.ndarray, *, before: int) -> None:
        self.dtype = np.float16 if first.dtype == np.float16 else np.float32
        self.dim = int(first.shape[-1]) if first.ndim else 0
        if not self.dim:
            raise DataError(
                f"features of the {modality} of shape {first.shape}; (any, D) with D of 1 or more is needed."
            )
        width = max(1, self.dim * np.dtype(self.dtype).itemsize)
        self.name = f"features/{modality}"
        self.values = file.create_dataset(
            f"{self.name}/values",
            (0, self.dim),
            self.dtype,
            maxshape=(None, self.dim),
            chunks=(max(1, min(1024, CHUNK // width)), self.dim),
        )
        self.file = file
        self.offsets = [0] * (before + 1)
        self.sums = bytearray(sum_of(b"") * before)
        self.buffer: list[np.ndarray] = []
        self.waiting, self.most = 0, max(1, FLUSH // width)

    def append(self, one: str, values: np.ndarray) -> None:
        """Add one item's vectors (N, D).

        Raises: DataError for another width, or values that are not finite.
        """
        if values.ndim != 2 or values.shape[1] != self.dim:
            raise DataError(f"id '{one}': features of shape {values.shape}; those before have (any, {self.dim}).")
        narrow = np.asarray(values, self.dtype)
        if not np.isfinite(narrow).all():
            raise DataError(f"id '{one}': features hold NaN or infinite values.")
        self.sums += sum_of(np.ascontiguousarray(narrow))
        self.buffer.append(narrow)
        self.offsets.append(self.offsets[-1] + len(narrow))
        self.waiting += len(narrow)
        if self.waiting >= self.most:
            self.flush()

    def get(self, position: int) -> np.ndarray:
        """Return the vectors of an item that was added."""
        self.flush()
        return np.asarray(self.values[self.offsets[position] : self.offsets[position + 1]])

    def skip(self) -> None:
        """Add an item without vectors."""
        self.sums += sum_of(b"")
        self.offsets.append(self.offsets[-1])

    def flush(self) -> None:
        """Write what is in the buffer."""
        if self.buffer:
            start = self.values.shape[0]
            self.values.resize((start + self.waiting, self.dim))
            self.values[start:] = np.concatenate(self.buffer)
            self.buffer, self.waiting = [], 0

    def close(self) -> None:
        """Write what is left, and the offsets."""
        self.flush()
        self.file[f"{self.name}/offsets"] = np.asarray(self.offsets, np.int64)
