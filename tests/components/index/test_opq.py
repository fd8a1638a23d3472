"""The rotation is orthogonal and loses less than none, scores are those of a loop behind it."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from vsebench.components.index.base import unit_rows
from vsebench.components.index.opq import OPQ
from vsebench.components.index.pq import PQ
from vsebench.core.errors import ConfigError

DIM = 12


def some(count: int, seed: int = 0) -> np.ndarray:
    """What varies most lies in the first part."""
    values = np.random.default_rng(seed).normal(size=(count, DIM)) * np.geomspace(10, 0.1, DIM)
    return unit_rows(values)


def built(vectors: np.ndarray, **options: int) -> OPQ:
    index = OPQ(DIM, m=4, bits=4, **options)
    index.train(vectors)
    index.add(np.arange(len(vectors)), vectors)
    return index


def rotation_of(index: OPQ) -> np.ndarray:
    transform = faiss.downcast_VectorTransform(index.inner.chain.at(0))
    return faiss.vector_to_array(transform.A).reshape(transform.d_out, transform.d_in)


def test_scores_are_those_of_a_loop() -> None:
    vectors, queries = some(300), some(8, seed=1)
    index = built(vectors)
    rotation = rotation_of(index)
    assert np.allclose(rotation @ rotation.T, np.eye(DIM), atol=1e-4)
    quantizer = index.codes.pq
    centroids = faiss.vector_to_array(quantizer.centroids).reshape(4, 16, 3)
    decoded = []
    for vector in vectors:
        parts = (rotation @ vector).reshape(4, 3)
        decoded.append(
            [choices[((choices - p) ** 2).sum(1).argmin()] for choices, p in zip(centroids, parts, strict=True)]
        )
    scores, result = index.search(queries, 300)
    for row, query in enumerate(queries):
        distances = ((np.array(decoded).reshape(300, DIM) - rotation @ query) ** 2).sum(1)
        assert np.allclose(scores[row], ((query @ query + 1 - distances) / 2)[result[row]], atol=1e-4)


def test_it_loses_less_than_without_a_rotation() -> None:
    vectors = some(2000)
    plain = PQ(DIM, m=4, bits=4)
    plain.train(vectors)
    index = built(vectors)
    rotated = vectors @ rotation_of(index).T
    lost = [
        float(((q.sa_decode(q.sa_encode(v)) - v) ** 2).sum(1).mean())
        for q, v in ((plain.inner, vectors), (index.codes, np.ascontiguousarray(rotated)))
    ]
    assert lost[1] < 0.8 * lost[0]


def test_a_projection_fits_sizes_that_m_does_not_divide() -> None:
    vectors = unit_rows(np.random.default_rng(0).normal(size=(300, 13)))
    index = OPQ(13, m=4, bits=4, dim_out=8)
    index.train(vectors)
    index.add(np.arange(300), vectors)
    assert index.search(vectors[:5], 3)[1].shape == (5, 3)
    assert index.memory_bytes == 300 * (2 + 8) + 16 * 8 * 4 + 13 * 8 * 4
    for options, message in [({"dim_out": 14}, "at most D = 13. Got 14"), ({}, "13 numbers cannot be cut into 4")]:
        with pytest.raises(ConfigError) as error:
            OPQ(13, m=4, **options)
        assert message in str(error.value)


def test_training_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    built(some(40))
    assert capfd.readouterr() == ("", "")
