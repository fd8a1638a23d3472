"""GloVe and word2vec/FastText files, read for the words of a vocabulary and kept for the next run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vsebench.core.errors import DataError, Place
from vsebench.core.files import locked, make_folder, replacing
from vsebench.core.home import vectors_home
from vsebench.core.python_files import code_of
from vsebench.ops import _vector_files
from vsebench.ops._vector_files import FASTTEXT, LISTED, RANDOM, SUBWORD, read_vectors

SCALE = 0.1  # standard deviation of the vector of a word that a file does not have
FORMAT = 1  # of the cache; another whenever the same file and words would give other values
_DIGEST = 16  # bytes at the end of a cache file


@dataclass(frozen=True)
class WordVectors:
    """Vectors of some words, each from one of three sources.

    Args:
        values: float32 (words, dim), in the order asked for; no unit, as the file has them.
        has_vector: bool (words,), True where the file lists the word itself.
        subword: bool (words,), True where the file lists only parts of the word (FastText ``.bin``): the mean of its
            character n-grams. Where neither is true the vector is random.
    """

    values: np.ndarray
    has_vector: np.ndarray
    subword: np.ndarray

    @property
    def coverage(self) -> float:
        """Share of the words with a vector from the file, of the word itself or of its parts, in [0, 1]."""
        return float((self.has_vector | self.subword).mean()) if len(self.has_vector) else 1.0


def random_vector(word: str, dim: int) -> np.ndarray:
    """N(0, 0.1²) from a seed that the word itself gives, whatever the order of words. Shape: -> float32 (dim,)."""
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
    return (SCALE * np.random.default_rng(seed).standard_normal(dim)).astype(np.float32)


def load_vectors(path: Path | str, words: Sequence[str]) -> WordVectors:
    """Vectors of ``words`` from a file, random where it has none.

    Text files have lines ``word v1 … vd`` (GloVe; a word may hold spaces, but no number after one) and may begin with a
    line ``count dim`` (word2vec, FastText ``.vec``). word2vec's binary has that line and then words with numbers of 32
    bits. Both may be gzipped; the first vector of a word counts. FastText's own format is read by gensim: words that it
    does not list have the mean of their character n-grams (methods 1.2; Bojanowski et al. 2017, arXiv:1607.04606).
    Which of these a file is, is read from its content, whatever its name: word2vec's and FastText's end in ``.bin``.

    The result is kept under vsebench's home, in ``vectors/``, and memory-mapped by the next call with the same words
    and the same file (path, size and times of change). Writing to the arrays changes neither the file nor the cache.

    Shape: -> values (words, dim).

    Raises: DataError, with file and line, when the file is missing, empty, cut or damaged; a line has another number of
    values; the header counts other words than there are; a wanted word has a number that is not finite; or gensim is
    missing, which a FastText model needs.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "tiny.txt"
        >>> _ = file.write_text("red 1 2\\nhat 3 4\\n")
        >>> load_vectors(file, ["hat", "gown"]).has_vector
        array([ True, False])
    """
    file, unique = Path(path).expanduser().resolve(), list(dict.fromkeys(words))
    table = _cached(file, str(path), unique)
    if len(unique) != len(words):
        place = {word: row for row, word in enumerate(unique)}
        table = table[[place[word] for word in words]]
    source = np.asarray(table["source"])
    return WordVectors(np.asarray(table["vector"]), source == LISTED, source == SUBWORD)


def is_fasttext(path: Path | str) -> bool:
    """Return whether a file is a FastText model, which gensim reads."""
    with Path(path).expanduser().open("rb") as file:
        return file.read(len(FASTTEXT)) == FASTTEXT


def _cached(path: Path, shown: str, words: list[str]) -> np.ndarray:
    """Rows (source, vector), from the cache if it has them intact."""
    try:
        stat = path.stat()
    except OSError as error:
        raise DataError(f"word vectors cannot be read ({error.strerror}).", place=Place(shown)) from None
    # The time of the last change of the file's record, too: nobody can set it back, as copying with times does.
    state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    code = [code_of(Path(module)).digest for module in (__file__, _vector_files.__file__)]
    parts = [FORMAT, str(path), state, code, hashlib.sha256(json.dumps(words).encode()).hexdigest()]
    name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
    file = vectors_home() / f"{name}.npy"
    if not _intact(file):
        make_folder(file.parent)
        with locked(file):  # a second reader waits instead of reading the file, too
            if not _intact(file):
                _write(file, _read(path, shown, words))
    return np.load(file, mmap_mode="c")  # type: ignore[no-any-return]


def _read(path: Path, shown: str, words: list[str]) -> np.ndarray:
    values, source = read_vectors(path, shown, words)
    for row in np.flatnonzero(source == RANDOM):
        values[row] = random_vector(words[row], values.shape[1])
    table = np.empty(len(words), np.dtype([("source", "<i4"), ("vector", "<f4", (values.shape[1],))]))
    table["source"], table["vector"] = source, values
    return table


def _write(file: Path, table: np.ndarray) -> None:
    """Write an ``.npy`` file and, behind it, a digest of its bytes; it appears at once, whole."""
    with replacing(file) as partial, partial.open("w+b") as stream:
        np.save(stream, table)
        stream.seek(0)
        digest = hashlib.file_digest(stream, _blake2b).digest()  # type: ignore[arg-type]
        stream.write(digest)


def _intact(file: Path) -> bool:
    """Return whether the file ends in the digest of what stands before."""
    try:
        content = np.memmap(file, np.uint8, "r")
    except (OSError, ValueError):  # no file, or an empty one
        return False
    digest = _blake2b()
    digest.update(content[:-_DIGEST].data)
    return digest.digest() == content[-_DIGEST:].tobytes()


def _blake2b() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=_DIGEST)
