"""Readers of word vector files: text, word2vec's binary and FastText's; the first two also gzipped."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from vsebench.core.errors import DataError, Place

RANDOM, LISTED, SUBWORD = 0, 1, 2  # where a vector comes from
FASTTEXT = struct.pack("<i", 793712314)  # first bytes of a .bin, fasttext.cc: FASTTEXT_FILEFORMAT_MAGIC_INT32
_GZIP = b"\x1f\x8b"
_BUFFER = 1 << 20  # bytes; a line of a 300-d file has about 3,000
_MAX_LINE = 1 << 22  # bytes of a first line
_MAX_DIM = 1 << 16
_MAX_WORD = 1 << 12  # bytes
_CHUNK = 1 << 24  # bytes
_CONTROL = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f]")
_NEITHER = "is neither text, nor word2vec's binary, nor a FastText model (.bin of fastText 0.1 or later)."


def read_vectors(path: Path, shown: str, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of ``words`` as a file has them; zeros where it has none.

    Which format a file has is read from its content; its name only says ``.gz``, and that also where it is not said.

    Args:
        path: the file.
        shown: what errors call the file.
        words: each once.

    Shape: -> values float32 (words, dim), source uint8 (words,): ``RANDOM``, ``LISTED`` or ``SUBWORD``.

    Raises: DataError as :func:`vsebench.ops.word_vectors.load_vectors` says.
    """
    try:
        with _open(path) as stream:
            if not stream.peek(4).startswith(FASTTEXT):
                return _read_words(stream, shown, words)
        return _read_fasttext(path, shown, words)
    except EOFError:
        raise DataError("the compressed file ends before its end mark; fetch it again.", place=Place(shown)) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"the compressed file is damaged ({error}).", place=Place(shown)) from None
    except OSError as error:
        raise DataError(f"word vectors cannot be read ({error.strerror}).", place=Place(shown)) from None


def _open(path: Path) -> io.BufferedReader:
    file: io.BufferedReader = io.BufferedReader(io.FileIO(path), _BUFFER)
    if path.suffix != ".gz" and not file.peek(2).startswith(_GZIP):
        return file
    file.close()
    # GzipFile's own line iteration is Python code; a BufferedReader around it is three times as fast.
    return io.BufferedReader(gzip.open(path, "rb"), _BUFFER)  # type: ignore[type-var]


def _read_words(stream: io.BufferedReader, shown: str, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Text, with or without a line ``count dim`` at its beginning, or word2vec's binary, which has that line."""
    first = stream.readline(_MAX_LINE)
    header = _header(first, shown)
    if header is None:
        if _is_binary(first):
            raise DataError(_NEITHER, place=Place(shown))
        return _scan(chain([first], stream), 1, _dim(first, shown), shown, words)[:2]
    count, dim = header
    start = stream.peek()
    if _is_binary(start) and not _is_line(start.partition(b"\n")[0], dim):
        return _read_word2vec(stream, count, dim, shown, words)
    values, source, last = _scan(stream, 2, dim, shown, words)
    if last - 1 != count:
        raise DataError(f"the header says {count} words, {last - 1} follow; is the file cut?", place=Place(shown, 1))
    return values, source


def _is_binary(content: bytes) -> bool:
    """Return whether bytes hold what no text has: control characters, or half characters of UTF-8 before the last."""
    if _CONTROL.search(content):
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return True
    return False


def _is_line(line: bytes, dim: int) -> bool:
    cells = line.rstrip().rsplit(b" ", dim)
    return len(cells) == dim + 1 and all(map(_is_number, cells[1:]))


def _scan(
    lines: Iterable[bytes], start: int, dim: int, shown: str, words: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Values, sources, and the last line's number. Only wanted words' numbers are parsed: ten times as fast."""
    rows = {word.encode(): row for row, word in enumerate(words)}
    values = np.zeros((len(words), dim), np.float32)
    numbers = np.zeros(len(words), np.int64)
    number = start - 1
    with np.errstate(over="ignore"):  # 1e99 becomes inf, which is an error below
        for number, line in enumerate(lines, start):
            line = line.rstrip()
            spaced = line.count(b" ") != dim
            word = _spaced_word(line, dim, Place(shown, number)) if spaced else line[: line.index(b" ")]
            row = rows.pop(word, None)  # the first line of a word counts
            if row is not None:
                try:
                    values[row] = list(map(float, line.rsplit(b" ", dim)[1:]))
                except ValueError:
                    raise DataError(f"expected a word and {dim} numbers.", place=Place(shown, number)) from None
                numbers[row] = number
    finite = np.isfinite(values).all(1)
    if not finite.all():
        row = int(finite.argmin())
        raise DataError(f"'{words[row]}' has a number that is not finite.", place=Place(shown, int(numbers[row])))
    return values, (numbers > 0).astype(np.uint8) * np.uint8(LISTED), number


def _spaced_word(line: bytes, dim: int, place: Place) -> bytes:
    """Return the word of a line with more or fewer spaces than numbers; words of GloVe's 840B file hold spaces."""
    cells = line.rsplit(b" ", dim)
    if len(cells) != dim + 1:
        raise DataError(f"expected a word and {dim} numbers, got {max(0, len(cells) - 1)}.", place=place)
    _, space, end = cells[0].rpartition(b" ")
    if space and _is_number(end):
        raise DataError(f"expected a word and {dim} numbers, got more.", place=place)
    return cells[0]


def _header(line: bytes, shown: str) -> tuple[int, int] | None:
    """Count and dim of a first line ``count dim``, or None for a line that is none."""
    cells = line.split()
    if len(cells) != 2 or not all(c.removeprefix(b"-").isdigit() and len(c) < 20 for c in cells):
        return None
    count, dim = int(cells[0]), int(cells[1])
    if count < 1 or dim < 1:
        raise DataError(f"the header says {count} words of {dim} numbers; both must be > 0.", place=Place(shown, 1))
    if dim > _MAX_DIM:
        raise DataError(f"the header says {dim} numbers a word; at most {_MAX_DIM} are read.", place=Place(shown, 1))
    return count, dim


def _dim(line: bytes, shown: str) -> int:
    """Numbers at the end of a line; its first cell is the word, which may be a number itself."""
    cells = line.split()
    dim = 0
    while dim < len(cells) - 1 and _is_number(cells[-1 - dim]):
        dim += 1
    if dim < 1:
        raise DataError("no word vectors in the first line.", place=Place(shown, 1))
    return dim


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _read_word2vec(
    stream: io.BufferedReader, count: int, dim: int, shown: str, words: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of ``words`` from what follows the header of a binary file; zeros where it has none.

    A word, a space, and ``dim`` numbers of 32 bits, little-endian, for each word; the original program writes a line
    end after the numbers, gensim does not. The first vector of a word counts.

    Shape: -> values float32 (words, dim), source uint8 (words,): ``RANDOM`` or ``LISTED``.

    Raises: DataError for a file that is cut or goes on, a word without an end, or a wanted number that is not finite.
    """
    place, size = Place(shown), 4 * dim
    rows = {word.encode(): row for row, word in enumerate(words)}
    values, source = np.zeros((len(words), dim), np.float32), np.full(len(words), RANDOM, np.uint8)
    content, at = b"", 0
    for number in range(1, count + 1):
        if len(content) - at < _MAX_WORD + 1 + size:
            content, at = content[at:] + stream.read(_CHUNK + size), 0
        while content[at : at + 1] == b"\n":
            at += 1
        end = content.find(b" ", at, at + _MAX_WORD)
        if end < 0 and len(content) - at >= _MAX_WORD:
            raise DataError(f"word {number} has no end; the file is damaged before it.", place=place)
        if end < 0 or len(content) - end - 1 < size:
            raise DataError(f"the header says {count} words, {number - 1} follow; is the file cut?", place=place)
        row = rows.pop(content[at:end], None)
        at = end + 1 + size
        if row is not None:
            values[row] = np.frombuffer(content, "<f4", dim, end + 1)
            source[row] = LISTED
    if (content[at:] + stream.read(_MAX_WORD)).strip():
        raise DataError(f"the header says {count} words of {dim} numbers; the file goes on after them.", place=place)
    finite = np.isfinite(values).all(1)
    if not finite.all():
        raise DataError(f"'{words[int(finite.argmin())]}' has a number that is not finite.", place=place)
    return values, source


def _read_fasttext(path: Path, shown: str, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """FastText's binary, read by gensim: a word's vector is the mean of its own row, if any, and its n-grams'."""
    try:
        from gensim.models.fasttext import load_facebook_vectors
    except ImportError as error:
        message = f"a FastText .bin needs gensim ({error}): pip install 'vsebench[fasttext]'."
        raise DataError(message, place=Place(shown)) from None
    try:
        model = load_facebook_vectors(str(path))
    except (AssertionError, EOFError, IndexError, NotImplementedError, ValueError, struct.error) as error:
        raise DataError(f"the FastText model cannot be read ({error}).", place=Place(shown)) from None
    values = np.zeros((len(words), model.vector_size), np.float32)
    source = np.full(len(words), RANDOM, np.uint8)
    for row, word in enumerate(words):
        listed = word in model.key_to_index
        if not listed and (model.bucket == 0 or model.max_n < 1 or len(word) + 2 < model.min_n):
            continue  # no n-grams: gensim would raise or give zeros
        values[row] = model.get_vector(word)
        source[row] = LISTED if listed else SUBWORD
    if not np.isfinite(values).all():
        row = int(np.isfinite(values).all(1).argmin())
        raise DataError(f"'{words[row]}' has a number that is not finite.", place=Place(shown))
    return values, source
