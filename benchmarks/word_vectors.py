"""Time ``vsebench.ops.word_vectors.load_vectors`` on a million lines, against two plain ways to read the same file.

    python benchmarks/word_vectors.py [--gz] [--lines 1000000] [--dim 50] [--words 30000]

Writes a GloVe-like file into a temporary folder (0.4 GB), then prints seconds, and how many times as long the others
take: the first load (reads the file), the second (from the cache), a Python loop that parses every line, and gensim's
``KeyedVectors.load_word2vec_format``. Every reader's vectors are compared before a number is printed.

Expected on two cores of 2020 or later: a first load below 3 s, a second below 0.1 s, the others 2 times or more.
"""

from __future__ import annotations

import argparse
import gzip
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vsebench.ops.word_vectors import load_vectors


def write_file(path: Path, lines: int, dim: int) -> None:
    """``word v1 … vd`` with five decimals, as GloVe's own files."""
    rng = np.random.default_rng(0)
    cells = np.char.mod("%.5f", rng.normal(size=4096))
    with gzip.open(path, "wt", compresslevel=1) if path.suffix == ".gz" else path.open("w") as stream:
        for start in range(0, lines, 10_000):
            picks = cells[rng.integers(0, len(cells), (min(10_000, lines - start), dim))]
            stream.writelines(f"word{start + i} {' '.join(row)}\n" for i, row in enumerate(picks.tolist()))


def naive(path: Path, words: list[str]) -> np.ndarray:
    """Parse every line, keep the wanted ones."""
    wanted, result = set(words), {}
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
        for line in stream:
            word, *numbers = line.split()
            vector = np.array(numbers, dtype=np.float32)
            if word in wanted:
                result[word] = vector
    return np.stack([result[word] for word in words])


def through_gensim(path: Path, words: list[str]) -> np.ndarray:
    """All vectors, then the wanted ones."""
    from gensim.models import KeyedVectors

    vectors: np.ndarray = KeyedVectors.load_word2vec_format(str(path), no_header=True)[words]
    return vectors


def timed(read: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Seconds, result."""
    start = time.perf_counter()
    result = read()
    return time.perf_counter() - start, result


def main() -> None:
    """Write, read four times, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gz", action="store_true", help="gzip the file")
    parser.add_argument("--lines", type=int, default=1_000_000, help="words in the file")
    parser.add_argument("--dim", type=int, default=50, help="numbers of a vector")
    parser.add_argument("--words", type=int, default=30_000, help="words asked for")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VSEBENCH_HOME"] = folder  # an empty cache
        path = Path(folder) / f"vectors.txt{'.gz' if chosen.gz else ''}"
        write_file(path, chosen.lines, chosen.dim)
        picked = np.random.default_rng(1).choice(chosen.lines, min(chosen.words, chosen.lines), replace=False)
        words = [f"word{i}" for i in picked]
        print(
            f"{chosen.lines:,} lines of {chosen.dim}, {path.stat().st_size / 1e6:,.0f} MB, {len(words):,} words asked"
        )
        first, values = timed(lambda: load_vectors(path, words).values)
        for name, read in {
            "first load": None,
            "second load": lambda: load_vectors(path, words).values.copy(),
            "Python loop": lambda: naive(path, words),
            "gensim": lambda: through_gensim(path, words),
        }.items():
            seconds, result = (first, values) if read is None else timed(read)
            np.testing.assert_allclose(result, values, rtol=1e-6)
            print(f"{name:12} {seconds:8.2f} s   {seconds / first:8.3f} x the first load")


if __name__ == "__main__":
    main()
