"""Tokens of frozen encoders, computed once and memory-mapped.

One folder per (dataset fingerprint, split, encoder, weights' digest, input digest, dtype). It appears by an atomic
rename, holds its own digests, and is written under a lock, so that concurrent runs wait instead of computing twice.
Only real tokens are stored, one after the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from vsebench.errors import DataError
from vsebench.home import features_home
from vsebench.types import Tokens

FORMAT = 1
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


def round_tokens(tokens: Tokens, dtype: str) -> Tokens:
    """What a :class:`TokenStore` would give back, so that runs with and without the cache agree."""
    if dtype == "fp32":
        return tokens
    final = None if tokens.final is None else tokens.final.half().float()
    return Tokens(tokens.values.half().float(), tokens.mask, final, tokens.grid)


def cached_tokens(
    parts: Mapping[str, Any], batches: Callable[[], Iterator[Tokens]], dtype: str, *, verify: bool = True
) -> TokenStore:
    """Open the Tokens that ``parts`` describe; compute them first if nobody has.

    Args:
        parts: everything that they depend on, as plain data.
        batches: yields the Tokens of all rows in order; called only when needed.
        dtype: ``fp16`` or ``fp32``, of the stored values.
        verify: compare the stored digests, once per process; a damaged folder is computed again.

    Raises: DataError when a value does not fit the dtype.
    """
    key = digest_parts({**parts, "dtype": dtype})
    folder = features_home() / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (_verified(folder) if verify else (folder / "meta.json").is_file()):
            shutil.rmtree(folder, ignore_errors=True)
            _write(folder, parts, batches(), dtype)
            _verified.cache_clear()
    return _open(folder)


def digest_parts(parts: Mapping[str, Any]) -> str:
    """A folder's name: digest of what its Tokens depend on."""
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _write(folder: Path, parts: Mapping[str, Any], batches: Iterable[Tokens], dtype: str) -> None:
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        lengths: list[np.ndarray] = []
        finals: list[np.ndarray] = []
        grid, dim = None, 0
        with (partial / "values.bin").open("wb") as stream:
            for tokens in batches:
                real = tokens.values[tokens.mask]
                stream.write(_narrow(real, dtype).tobytes())
                lengths.append(tokens.mask.sum(1).cpu().numpy())
                if tokens.final is not None:
                    finals.append(_narrow(tokens.final, dtype))
                grid, dim = tokens.grid, tokens.dim
        np.save(partial / "offsets.npy", np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64))
        if finals:
            np.save(partial / "final.npy", np.concatenate(finals))
        meta = {
            "parts": json.loads(json.dumps(parts, default=str)),
            "dtype": dtype,
            "dim": dim,
            "grid": grid,
            "sha256": {f.name: _file_digest(f) for f in sorted(partial.iterdir())},
        }
        (partial / "meta.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _narrow(values: torch.Tensor, dtype: str) -> np.ndarray:
    array: np.ndarray = values.detach().float().cpu().numpy()
    if not np.isfinite(array).all():
        raise DataError("a frozen encoder gave NaN or infinite tokens; its weights or inputs are broken.")
    if dtype == "fp16" and np.abs(array).max(initial=0) > np.finfo(np.float16).max:
        raise DataError("a frozen encoder's tokens do not fit fp16; set train.feature_dtype: fp32.")
    return array.astype(DTYPES[dtype])


def _open(folder: Path) -> TokenStore:
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
        return all(_file_digest(folder / name) == said for name, said in meta["sha256"].items())
    except (OSError, ValueError, KeyError):
        return False


def _file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
