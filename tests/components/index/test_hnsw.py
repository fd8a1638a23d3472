"""The graph finds nearly what the exact index finds, and all of it in the exhaustive limit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vsebench.components.index.flat import Flat
from vsebench.components.index.hnsw import HNSW
from vsebench.core.errors import ConfigError
from vsebench.core.registry import INDEXES


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1500, 24)).astype(np.float32)


def exact(vectors: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    index = Flat(vectors.shape[1])
    index.add(np.arange(len(vectors)) + 7, vectors)
    return index.search(queries, k)


@pytest.mark.parametrize(("ef_search", "least"), [(1500, 1.0), (64, 0.9)])
def test_agrees_with_flat(vectors: np.ndarray, ef_search: int, least: float) -> None:
    queries = np.random.default_rng(1).normal(size=(40, 24)).astype(np.float32)
    index = HNSW(24, ef_search=ef_search)
    index.add(np.arange(1500) + 7, vectors)
    scores, result = index.search(queries, 10)
    wanted_scores, wanted = exact(vectors, queries, 10)
    shared = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(result, wanted, strict=True)])
    assert shared >= least
    if least == 1.0:
        assert np.allclose(scores, wanted_scores, atol=1e-5)


def test_more_hits_than_candidates(vectors: np.ndarray) -> None:
    index = HNSW(24, m=8, ef_search=2)
    index.add(np.arange(1500), vectors)
    scores, result = index.search(vectors[:3], 200)
    assert result.shape == (3, 200)
    assert (result >= 0).mean() > 0.99
    assert (result[:, 0] == [0, 1, 2]).all()
    assert (scores[:, :-1] >= scores[:, 1:]).all()


def test_saved_and_loaded(vectors: np.ndarray, tmp_path: Path) -> None:
    index, again = HNSW(24), HNSW(24)
    index.add(np.arange(1500) * 3, vectors)
    index.save(tmp_path / "index")
    again.load(tmp_path / "index", vectors)
    assert (again.search(vectors[:9], 5)[1] == index.search(vectors[:9], 5)[1]).all()
    assert again.memory_bytes == index.memory_bytes > 1500 * 24 * 4


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="option 'm'"):
        INDEXES.build("hnsw", {"m": 1}, dim=4)


def test_without_faiss_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ConfigError, match="pip install 'vsebench\\[index\\]'. Index 'flat' works without it"):
        HNSW(4)


def test_searches_beside_packages_that_change_faiss(vectors: np.ndarray) -> None:
    script = (
        "import numpy as np\nimport faiss.contrib.torch_utils\nfrom vsebench.components.index.hnsw import HNSW\n"
        "index = HNSW(4)\nindex.add(np.arange(9), np.random.default_rng(0).normal(size=(9, 4)).astype('f'))\n"
        "print(index.search(np.ones((1, 4), 'f'), 3)[1].shape)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(1, 3)", done.stderr
