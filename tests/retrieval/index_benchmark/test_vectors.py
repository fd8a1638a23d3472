"""Vectors of every source, and files that are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vsebench.config.index_experiment import Generated, load_index_experiment
from vsebench.core.errors import ConfigError, DataError
from vsebench.retrieval.index_benchmark.vectors import fingerprint, generate, load_vectors

Write = Callable[[Any], Path]


def load(write: Write, vectors: dict[str, Any], tmp_path: Path, **parts: Any) -> Any:
    file = write({"experiment": "v", "vectors": vectors, "indexes": {"Exact": "flat"}, "k": [1], **parts})
    return load_vectors(load_index_experiment(file), tmp_path / "runs")


def test_generated_vectors_are_the_same_for_everybody() -> None:
    block = Generated(count=200, queries=10, dim=8, clusters=4, latent=2)
    (a, b), (c, d) = generate(block), generate(block)
    assert np.array_equal(a, c)
    assert np.array_equal(b, d)
    assert not np.array_equal(a, generate(block.model_copy(update={"seed": 1}))[0])


def test_clusters_have_the_directions_that_are_asked_for() -> None:
    gallery, _ = generate(Generated(count=4_000, queries=1, dim=32, clusters=1, latent=3))
    values = np.linalg.svd(gallery - gallery.mean(0), compute_uv=False)
    assert values[2] > 5 * values[3]


def test_vectors_of_files(write_experiment: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gallery, queries = rng.normal(size=(30, 4)), 5 * rng.normal(size=(6, 4))
    np.save(tmp_path / "g.npy", gallery)
    np.save(tmp_path / "q.npy", queries)
    result = load(write_experiment, {"file": str(tmp_path / "g.npy"), "queries": str(tmp_path / "q.npy")}, tmp_path)
    np.testing.assert_allclose(np.linalg.norm(result.queries, axis=1), 1, rtol=1e-6)
    assert result.described["splits"] == {"gallery": 30, "queries": 6}
    assert result.described["fingerprint"] == fingerprint(result.gallery, result.queries)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (None, "no such file"),
        (np.zeros((3, 4), complex), r"must hold a matrix of numbers, a row per vector\. Got complex128"),
        (np.zeros(5), r"a row per vector\. Got float64 \(5,\)"),
        (np.array([[1.0, np.nan], [1, 2]]), "1 rows are not finite, the first is row 0"),
        (np.zeros((3, 3)), "the vectors have 4 numbers each, the queries 3"),
        (b"not numpy", r"is no \.npy file of numbers"),
    ],
)
def test_files_that_are_none(write_experiment: Write, tmp_path: Path, made: Any, text: str) -> None:
    np.save(tmp_path / "g.npy", np.eye(4))
    other = tmp_path / "q.npy"
    if isinstance(made, bytes):
        other.write_bytes(made)
    elif made is not None:
        np.save(other, made)
    with pytest.raises(DataError, match=text) as fault:
        load(write_experiment, {"file": str(tmp_path / "g.npy"), "queries": str(other)}, tmp_path)
    assert str(fault.value).startswith(str(tmp_path / "experiment.yaml"))


def test_more_hits_than_vectors(write_experiment: Write, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'k' asks for the 100 nearest of 50 vectors"):
        load(write_experiment, {"generated": {"kind": "gaussian", "count": 50, "dim": 4}}, tmp_path, k=[1, 100])


def test_a_run_that_is_not_there(write_experiment: Write, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Make it with 'vsebench sweep' of the experiment 'nowhere'"):
        load(write_experiment, {"run": "nowhere/VSE"}, tmp_path)
