"""GloVe and word2vec/FastText text files, read for the words of a vocabulary."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from vsebench.errors import DataError, Place

SCALE = 0.1  # standard deviation of the vector of a word that a file does not have


@dataclass(frozen=True)
class WordVectors:
    """Vectors of some words.

    Args:
        values: float32 (words, dim), in the order asked for.
        found: bool (words,), False where the vector is random.
    """

    values: np.ndarray
    found: np.ndarray

    @property
    def coverage(self) -> float:
        """Share of the words that the file has."""
        return float(self.found.mean()) if len(self.found) else 1.0


def random_vector(word: str, dim: int) -> np.ndarray:
    """N(0, 0.1²) from a seed that the word itself gives, whatever the order of words."""
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
    return (SCALE * np.random.default_rng(seed).standard_normal(dim)).astype(np.float32)


def load_vectors(path: Path | str, words: Sequence[str]) -> WordVectors:
    """Vectors of ``words`` from a text file, random where it has none.

    Both layouts are read: ``word v1 … vd`` (GloVe; a word may hold spaces) and a first line ``count dim`` (word2vec,
    FastText ``.vec``).

    Raises: DataError when the file is missing, empty, or a line has another number of values, with its number.
    """
    table = _read(Path(path).expanduser().resolve(), str(path), tuple(words))
    dim = next(iter(table.values())).shape[0] if table else _dim(Path(path).expanduser(), str(path))
    values = (
        np.stack([table[w] if w in table else random_vector(w, dim) for w in words]) if words else np.zeros((0, dim))
    )
    return WordVectors(values.astype(np.float32), np.array([w in table for w in words], dtype=bool))


@lru_cache(maxsize=8)
def _read(path: Path, shown: str, words: tuple[str, ...]) -> Mapping[str, np.ndarray]:
    dim = _dim(path, shown)
    wanted = set(words)
    found: dict[str, np.ndarray] = {}
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            cells = line.rstrip().rsplit(" ", dim)
            if number == 1 and _is_header(line):
                continue
            if len(cells) != dim + 1:
                raise DataError(f"expected a word and {dim} numbers.", place=Place(shown, number))
            if cells[0] in wanted and cells[0] not in found:
                try:
                    found[cells[0]] = np.array(cells[1:], dtype=np.float32)
                except ValueError:
                    raise DataError(f"expected a word and {dim} numbers.", place=Place(shown, number)) from None
    return found


def _is_header(line: str) -> bool:
    parts = line.split()
    return len(parts) == 2 and all(p.isdigit() for p in parts)


def _dim(path: Path, shown: str) -> int:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            first, second = stream.readline(), stream.readline()
    except OSError as error:
        raise DataError(f"word vectors cannot be read ({error.strerror}).", place=Place(shown)) from None
    if _is_header(first):
        return int(first.split()[1])
    # GloVe words may hold spaces: the numbers are counted from the right, on the shorter of two lines.
    count = 0
    for part in reversed(first.split()):
        try:
            float(part)
        except ValueError:
            break
        count += 1
    count = min(count, len(first.split()) - 1)
    if second.split():
        count = min(count, len(second.split()) - 1)
    if count < 1:
        raise DataError("no word vectors in the first line.", place=Place(shown, 1))
    return count
