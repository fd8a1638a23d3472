"""Arrays from NumPy, MATLAB and text files, one clear message for each that cannot be read."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vsebench.core.errors import DataError, Place, did_you_mean, known_names
from vsebench.data.files import check_regular


def read_matrix(file: Path, key: str | None = None, *, candidates: Sequence[str] = ()) -> np.ndarray:
    """Read a numeric array whose rows are items.

    ``.npy`` (memory-mapped) and ``.npz``; ``.mat`` of MATLAB 5 to 7 and 7.3 (HDF5: axes are turned round, as MATLAB
    stores columns first); anything else as a table of numbers in text. Sparse matrices become dense.

    Args:
        file: the file.
        key: name of the array; without it the only one, or the first of ``candidates`` that is there.
        candidates: names that the array may have.

    Raises: DataError when the file is missing, damaged, has no such array or several, or the array is not of finite
    real numbers.
    """
    try:
        check_regular(file)
        if file.suffix == ".npy":
            array = np.load(file, mmap_mode="r", allow_pickle=False)
        elif file.suffix == ".npz":
            # Opened here: numpy leaves a damaged archive open.
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
                array = arrays[_key(file, list(arrays), key, candidates)]
        elif file.suffix == ".mat":
            array = _matlab(file, key, candidates)
        else:
            array = np.loadtxt(file, dtype=np.float32, ndmin=2)
    except FileNotFoundError:
        raise DataError("no such file.", place=Place(str(file))) from None
    except DataError:
        raise
    except Exception as error:  # damaged files raise OSError, ValueError, KeyError, zlib.error, MatReadError, …
        kind = "file" if isinstance(error, zipfile.BadZipFile) else type(error).__name__
        raise DataError(
            f"not a whole {file.suffix or 'text'} file ({kind}: {error}).", place=Place(str(file))
        ) from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"numbers are needed, not {array.dtype}.", place=Place(str(file)))
    return array


def check_finite(values: np.ndarray, file: Path) -> None:
    """Check that no row holds NaN or an infinite value.

    Raises: DataError with the first row that holds NaN or an infinite value.
    """
    if values.dtype.kind == "f":
        for start in range(0, len(values), 4096):
            block = np.asarray(values[start : start + 4096])
            if not np.isfinite(block).all():
                row = start + int(np.flatnonzero(~np.isfinite(block).reshape(len(block), -1).all(1))[0])
                raise DataError(f"row {row + 1} holds NaN or an infinite value.", place=Place(str(file)))


def _matlab(file: Path, key: str | None, candidates: Sequence[str]) -> np.ndarray:
    if h5py.is_hdf5(file):
        with h5py.File(file, "r") as opened:
            names = [n for n in opened if isinstance(own_node(opened, n), h5py.Dataset)]
            values: np.ndarray = opened[_key(file, names, key, candidates)][()]
            return values.transpose()
    import scipy.io

    names = [name for name, _, _ in scipy.io.whosmat(file)]
    name = _key(file, names, key, candidates)
    result: Any = scipy.io.loadmat(file, variable_names=[name])[name]
    return np.asarray(result.toarray() if hasattr(result, "toarray") else result)


def own_node(group: h5py.Group, name: str) -> Any:
    """Return a dataset or group of an HDF5 file, or None; never content of another file.

    Raises: OSError for a link to another file, and for a dataset whose values lie in one.
    """
    if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
        raise OSError(f"'{name}' is a link to another file")
    node = group.get(name)
    if isinstance(node, h5py.Dataset) and (node.external or node.is_virtual):
        raise OSError(f"the values of '{name}' lie in another file")
    return node


def _key(file: Path, names: Sequence[str], key: str | None, candidates: Sequence[str]) -> str:
    if key is not None:
        if key not in names:
            raise DataError(
                f"no array '{key}'." + did_you_mean(key, names) + known_names(names, "Arrays"), place=Place(str(file))
            )
        return key
    wanted = [c for c in candidates if c in names]
    if wanted or len(names) == 1:
        return wanted[0] if wanted else names[0]
    listing = f" None is called {' or '.join(candidates)}." if candidates else ""
    raise DataError(
        f"several arrays; say which as FILE:KEY.{listing}" + known_names(names, "Arrays"), place=Place(str(file))
    )
