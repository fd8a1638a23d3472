"""Tokens of frozen encoders, computed once and memory-mapped.

One folder per (dataset fingerprint, split, encoder, weights' digest, input digest, dtype). It appears by an atomic
rename, holds its own digests, and is written under a lock, so that concurrent runs wait instead of computing twice.
Only real tokens are stored, one after the other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import Timeout

from vsebench.core.errors import DataError
from vsebench.core.files import file_digest, lock_of, locked, make_folder, replacing_folder
from vsebench.core.home import features_home
from vsebench.core.types import Tokens

FORMAT = 1
log = logging.getLogger(__name__)
DTYPES = {"fp16": np.float16, "fp32": np.float32}


@dataclass(frozen=True)
class TokenStore:
    """Cached Tokens of some rows, memory-mapped.

    Args:
        values: (all real tokens, D).
        offsets: int64 (rows + 1,), where each row's tokens begin.
        final: (rows, D') or None.
        grid: as in :class:`Tokens`.
    """

    values: np.ndarray
    offsets: np.ndarray
    final: np.ndarray | None
    grid: tuple[int, int] | None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def dim(self) -> int:
        """D, the size of a token."""
        return int(self.values.shape[1])

    def take(self, rows: np.ndarray) -> Tokens:
        """Tokens of the rows as float32, padded to the longest of them."""
        starts, lengths = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        longest = max(1, int(lengths.max(initial=0)))
        columns = np.arange(longest)
        mask = columns[None, :] < lengths[:, None]  # (B, N)
        index = np.where(mask, starts[:, None] + columns[None, :], 0)
        values = torch.from_numpy(self.values[index.ravel()]).float().view(len(rows), longest, -1)
        real = torch.from_numpy(mask)
        if not mask.all():
            values = values * real[:, :, None]
        final = None if self.final is None else torch.from_numpy(self.final[rows]).float()
        return Tokens(values, real, final, self.grid)


@dataclass(frozen=True)
class Entry:
    """A folder of cached Tokens.

    Args:
        key: its name.
        encoder, dataset, split: what it was computed from; the dataset by its fingerprint.
        tokens, dim: shape of its values.
        size: in bytes, of all its files.
        used_at: seconds since the epoch.
    """

    key: str
    encoder: str
    dataset: str
    split: str
    tokens: int
    dim: int
    size: int
    used_at: float


def entries() -> list[Entry]:
    """Return the cache's entries, the last used first."""
    results = []
    for file in features_home().glob("*/meta.json"):
        try:
            meta = json.loads(file.read_text(encoding="utf-8"))
            parts = meta["parts"]
            sizes = [f.stat().st_size for f in file.parent.iterdir()]
            tokens = (file.parent / "values.bin").stat().st_size // (
                meta["dim"] * np.dtype(DTYPES[meta["dtype"]]).itemsize
            )
            encoder_key = (str(parts.get("encoder")), str(parts.get("dataset")), str(parts.get("split")))
            entry = Entry(file.parent.name, *encoder_key, tokens, meta["dim"], sum(sizes), file.stat().st_mtime)
        except (OSError, ValueError, KeyError, ZeroDivisionError):
            continue  # being written, removed or damaged: the next run that needs it computes it again
        results.append(entry)
    return sorted(results, key=lambda e: (-e.used_at, e.key))


def prune(max_size: int) -> tuple[list[Entry], list[Entry]]:
    """Remove what was not used for longest until the rest is no larger than ``max_size`` bytes.

    What another process is writing stays. A run that has an entry open keeps it: its mapping outlives the file's name.
    Folders that killed processes left half written go too.

    Returns: what was removed, and what is left.
    """
    _remove_orphans()
    entries_ = entries()
    remaining, removed, total = [], [], 0
    for entry in entries_:
        total += entry.size
        folder = features_home() / entry.key
        if total <= max_size or not _remove(folder):
            remaining.append(entry)
        else:
            total -= entry.size
            removed.append(entry)
    return removed, remaining


def _remove(folder: Path) -> bool:
    try:
        with lock_of(folder).acquire(timeout=0):
            away = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
            os.replace(folder, away)  # at once: a reader finds it whole or not at all
            shutil.rmtree(away, ignore_errors=True)
            _verified.cache_clear()
        return True
    except (Timeout, OSError):
        return False


def _remove_orphans() -> None:
    for folder in features_home().glob("*.partial-*"):
        process = folder.name.rpartition("-")[2]
        try:
            os.kill(int(process), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # alive, but somebody else's
            continue


def round_tokens(tokens: Tokens, dtype: str) -> Tokens:
    """Round tokens as a :class:`TokenStore` would, so that runs with and without the cache agree."""
    if dtype == "fp32":
        return tokens
    final = None if tokens.final is None else tokens.final.half().float()
    return Tokens(tokens.values.half().float(), tokens.mask, final, tokens.grid)


def cached_tokens(parts: Mapping[str, Any], batches: Callable[[], Iterator[Tokens]], dtype: str) -> TokenStore:
    """Open the Tokens that ``parts`` describe; compute them first if nobody has, and again where they are damaged.

    Args:
        parts: everything that they depend on, as plain data.
        batches: yields the Tokens of all rows in order; called only when needed.
        dtype: ``fp16`` or ``fp32``, of the stored values.

    Raises: DataError when a value does not fit the dtype.
    """
    key = digest_parts({**parts, "dtype": dtype})
    folder = features_home() / key
    if not _verified(folder):
        make_folder(folder.parent)
        with locked(folder):
            _verified.cache_clear()  # another process may have made it while this one waited
            if not _verified(folder):
                if folder.exists():
                    log.warning("%s is damaged; it is computed again.", folder)
                _write(folder, parts, batches(), dtype)
                _verified.cache_clear()
    return _open(folder)


def tokens_in_memory(batches: Iterable[Tokens], dtype: str) -> TokenStore:
    """Return Tokens of all rows as :func:`cached_tokens` gives them, without a file.

    Raises: DataError when a value does not fit the dtype.
    """
    values: list[np.ndarray] = []
    offsets, final, grid, _ = _narrowed(batches, dtype, values.append)
    return TokenStore(np.concatenate(values), offsets, final, grid)


def _narrowed(
    batches: Iterable[Tokens], dtype: str, keep: Callable[[np.ndarray], object]
) -> tuple[np.ndarray, np.ndarray | None, tuple[int, int] | None, int]:
    """Hand the real tokens of each batch on, rounded, and return offsets, final, grid and D of them all."""
    lengths, finals = [np.zeros(1, np.int64)], []
    grid, dim = None, 0
    for tokens in batches:
        keep(_narrow(tokens.values[tokens.mask], dtype))
        lengths.append(tokens.mask.sum(1).cpu().numpy())
        if tokens.final is not None:
            finals.append(_narrow(tokens.final, dtype))
        grid, dim = tokens.grid, tokens.dim
    offsets = np.cumsum(np.concatenate(lengths)).astype(np.int64)
    return offsets, np.concatenate(finals) if finals else None, grid, dim


def digest_parts(parts: Mapping[str, Any]) -> str:
    """Return a folder's name: a digest of everything that its Tokens depend on."""
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _write(folder: Path, parts: Mapping[str, Any], batches: Iterable[Tokens], dtype: str) -> None:
    with replacing_folder(folder) as partial:
        with (partial / "values.bin").open("wb") as stream:
            offsets, final, grid, dim = _narrowed(batches, dtype, lambda values: stream.write(values.tobytes()))
        np.save(partial / "offsets.npy", offsets)
        if final is not None:
            np.save(partial / "final.npy", final)
        meta: dict[str, Any] = {
            "parts": json.loads(json.dumps(parts, default=str)),
            "dtype": dtype,
            "dim": dim,
            "grid": grid,
            "sha256": {f.name: file_digest(f) for f in sorted(partial.iterdir())},
        }
        meta["seal"] = _seal(meta)
        (partial / "meta.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False), encoding="utf-8")


def _narrow(values: torch.Tensor, dtype: str) -> np.ndarray:
    array: np.ndarray = values.detach().float().cpu().numpy()
    if not np.isfinite(array).all():
        raise DataError("a frozen encoder gave NaN or infinite tokens; its weights or inputs are broken.")
    if dtype == "fp16" and np.abs(array).max(initial=0) > np.finfo(np.float16).max:
        raise DataError("a frozen encoder's tokens do not fit fp16; set train.feature_dtype: fp32.")
    return array.astype(DTYPES[dtype])


def _open(folder: Path) -> TokenStore:
    with contextlib.suppress(OSError):  # a cache that belongs to somebody else is read all the same
        os.utime(folder / "meta.json")  # "last used", for pruning
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    offsets = np.load(folder / "offsets.npy", allow_pickle=False)
    shape = (int(offsets[-1]), int(meta["dim"]))
    values = np.memmap(folder / "values.bin", dtype=DTYPES[meta["dtype"]], mode="r", shape=shape)
    final = folder / "final.npy"
    return TokenStore(
        values,
        offsets,
        np.load(final, mmap_mode="r", allow_pickle=False) if final.is_file() else None,
        tuple(meta["grid"]) if meta["grid"] else None,
    )


@cache
def _verified(folder: Path) -> bool:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        if meta.pop("seal") != _seal(meta) or digest_parts({**meta["parts"], "dtype": meta["dtype"]}) != folder.name:
            return False
        return all(file_digest(folder / name) == digest for name, digest in meta["sha256"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _seal(meta: Mapping[str, Any]) -> str:
    """Digest of what a folder says of itself."""
    return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()
