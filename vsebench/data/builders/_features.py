"""Precomputed features, such as those of bottom-up attention: N items x regions x D, also with varying regions."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path

import h5py
import numpy as np

from vsebench.core.errors import DataError, Place
from vsebench.data.builders._matrices import own_node, read_matrix
from vsebench.data.content import FAULTS
from vsebench.data.files import check_links, check_regular, is_outside, reason

#: What the arrays of features are called in .npz and HDF5 files in the wild.
KEYS = ("features", "feat", "x", "image_features", "arr_0")


class FeatureSource(ABC):
    """Features of items by id or position."""

    @abstractmethod
    def get(self, one: str, position: int) -> np.ndarray:
        """Float (regions, D) of an item.

        Raises: OSError that says what is wrong.
        """

    def expect(self, count: int) -> None:  # noqa: B027  (a source by name has no order to check)
        """Check that there is a row for each of ``count`` items, where rows go by position."""


class ByPosition(FeatureSource):
    """One array, a row for each item in the order of the annotation file."""

    def __init__(self, values: np.ndarray, file: Path) -> None:
        if values.ndim not in (2, 3):
            raise DataError(
                f"features of shape {values.shape}; (items, D) or (items, regions, D) is needed.",
                place=Place(str(file)),
            )
        self.values, self.file = values, file

    def expect(self, count: int) -> None:
        """Check that rows and items are of the same number.

        Raises: DataError where the numbers of rows and items differ.
        """
        if len(self.values) != count:
            raise DataError(f"{len(self.values):,} rows of features for {count:,} items.", place=Place(str(self.file)))

    def get(self, one: str, position: int) -> np.ndarray:
        """Return the row at a position."""
        if position >= len(self.values):
            raise OSError(f"{self.file.name} has {len(self.values)} rows of features, none for number {position}")
        return _tokens(np.asarray(self.values[position]), self.file.name)


class ByName(FeatureSource):
    """A folder with a file for each item: ``<id>.npy`` or ``<id>.npz``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, one: str, position: int) -> np.ndarray:
        """Return the file of an id."""
        for suffix in (".npy", ".npz"):
            path = f"{one}{suffix}"
            file = self.folder / path
            if is_outside(path):
                raise OSError(f"features '{path}' lie outside the folder")
            if os.path.lexists(file):  # Path.exists() raises for a name that is too long
                try:
                    check_links(self.folder, file)
                    values = read_matrix(file, candidates=KEYS)
                except (DataError, OSError) as error:
                    message = error.message if isinstance(error, DataError) else reason(error)
                    raise OSError(f"features '{file.name}': {message}") from None
                return _tokens(values, file.name)
        raise OSError(f"no features '{one}.npy' or '{one}.npz' in {self.folder.name}")


class InHDF5(FeatureSource):
    """An HDF5 file: a dataset for each id, or ``features`` with ``ids`` (and ``num_boxes`` for padded regions)."""

    def __init__(self, file: Path) -> None:
        try:
            check_regular(file)
            self.file = h5py.File(file, "r")
            for name in (*KEYS, "ids", "num_boxes"):
                own_node(self.file, name)
            self.name = file.name
            self.rows = self._rows()
        except FAULTS as error:
            raise DataError(f"not a whole HDF5 file of features ({error}).", place=Place(str(file))) from None

    def _rows(self) -> dict[str, int] | None:
        """Row of each id, where the features are one array."""
        key = next((k for k in KEYS if k in self.file), None)
        if key is None or "ids" not in self.file:
            return None
        self.values = self.file[key]
        ids = self.file["ids"][:].tolist()
        rows = {i.decode() if isinstance(i, bytes) else str(i): n for n, i in enumerate(ids)}
        if len(rows) != len(self.values):
            raise ValueError(f"{len(self.values)} rows of features for {len(rows)} distinct ids")
        self.lengths = self.file["num_boxes"][:] if "num_boxes" in self.file else None
        if self.lengths is not None:
            whole = self.lengths.shape == (len(rows),) and self.lengths.dtype.kind in "iu"
            if (
                not whole
                or self.values.ndim != 3
                or (self.lengths < 0).any()
                or (self.lengths > self.values.shape[1]).any()
            ):
                raise ValueError("'num_boxes' is not a number of regions for each row")
        return rows

    def get(self, one: str, position: int) -> np.ndarray:
        """Return the features of an id."""
        try:
            if self.rows is None:
                node = own_node(self.file, one)
                if isinstance(node, h5py.Group):
                    group = node
                    node = next((own_node(group, k) for k in KEYS if k in group), None)
                if node is None:
                    raise OSError(f"no features of '{one}' in {self.name}")
                return _tokens(node[()], self.name)
            if one not in self.rows:
                raise OSError(f"no features of '{one}' in {self.name}")
            row = self.rows[one]
            values = self.values[row]
            return _tokens(values if self.lengths is None else values[: int(self.lengths[row])], self.name)
        except FAULTS as error:
            if isinstance(error, OSError) and self.name in str(error):
                raise
            raise OSError(f"features of '{one}' in {self.name} cannot be read ({error})") from None


def open_features(location: str) -> FeatureSource:
    """Features from a path: a folder of ``<id>.npy``, an HDF5 file, a ``.npy`` or ``.mat`` array (``FILE:KEY``).

    Raises: DataError when there is none, or it is of another kind.
    """
    path = Path(location).expanduser()
    if path.is_dir():
        return ByName(path)
    file, _, key = location.partition(":")
    path = Path(file).expanduser()
    if not path.is_file():
        raise DataError("no such file or folder of features.", place=Place(location))
    if path.suffix in (".h5", ".hdf5"):
        return InHDF5(path)
    return ByPosition(read_matrix(path, key or None, candidates=KEYS), path)


def _tokens(values: np.ndarray, name: str) -> np.ndarray:
    if values.dtype.kind not in "fiu" or values.ndim not in (1, 2) or not values.shape[-1]:
        raise OSError(f"features in {name} have shape {values.shape} and type {values.dtype}; (regions, D) is needed")
    tokens = values[None, :] if values.ndim == 1 else values
    if tokens.dtype != np.float16:
        tokens = tokens.astype(np.float32)
    if not np.isfinite(tokens).all():
        raise OSError(f"features in {name} hold NaN or infinite values")
    return tokens
