"""The nearest point is that of a search over all points, numbers are a bijection, counts those of the theta series."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from vsebench.ops import lattice as module
from vsebench.ops.lattice import Lattice

#: d, r², bits, as published.
TABLE = [
    *[(16, 4, 15), (16, 21, 32), (16, 200, 55)],
    *[(24, 3, 14), (24, 10, 32), (24, 79, 64)],
    *[(32, 3, 16), (32, 8, 32), (32, 36, 64)],
    *[(40, 2, 12), (40, 7, 32), (40, 24, 64)],
]
SMALL = [(1, 9), (2, 25), (3, 5), (3, 81), (4, 4), (4, 30), (5, 12)]


def every_point(dim: int, r2: int) -> np.ndarray:
    """All points, by trying every vector of small integers."""
    most = int(r2**0.5)
    results = [z for z in product(range(-most, most + 1), repeat=dim) if sum(v * v for v in z) == r2]
    return np.array(results)


def theta(dim: int, r2: int) -> int:
    """Coefficient of q^r² in (Σ_n q^(n²))^d."""
    series = [1] + [0] * r2
    for _ in range(dim):
        product_ = [0] * (r2 + 1)
        for a, ways in enumerate(series):
            for n in range(int((r2 - a) ** 0.5) + 1):
                product_[a + n * n] += ways * (2 if n else 1)
        series = product_
    return series[r2]


@pytest.mark.parametrize(("dim", "r2", "bits"), TABLE)
def test_published_sizes(dim: int, r2: int, bits: int) -> None:
    lattice = Lattice(dim, r2)
    assert lattice.bits == bits
    assert lattice.code_size == -(-bits // 8)
    assert lattice.count == theta(dim, r2)


def test_a_count_beyond_a_word() -> None:
    lattice = Lattice(48, 30)
    assert (lattice.count, lattice.bits, lattice.code_size) == (311097167722066085728512, 79, 10)
    assert theta(48, 30) == lattice.count


@pytest.mark.parametrize(("dim", "r2"), SMALL)
def test_nearest_is_that_of_all_points(dim: int, r2: int) -> None:
    points = every_point(dim, r2)
    vectors = np.random.default_rng(0).normal(size=(300, dim))
    vectors[::7] = np.round(vectors[::7])  # zeros and equal entries
    result = Lattice(dim, r2).quantize(vectors)
    products = vectors @ points.T
    assert np.allclose((vectors * result).sum(1), products.max(1), rtol=0, atol=1e-12)
    clear = np.sort(products, axis=1)
    clear = clear[:, -1] > (clear[:, -2] if len(points) > 1 else -np.inf) + 1e-9
    assert clear.sum() > 200
    assert (result[clear] == points[products.argmax(1)][clear]).all()


@pytest.mark.parametrize(("dim", "r2"), SMALL)
def test_numbers_are_a_bijection(dim: int, r2: int) -> None:
    lattice, points = Lattice(dim, r2), every_point(dim, r2)
    assert lattice.count == len(points)
    numbers = lattice.numbers(points)
    assert sorted(numbers) == list(range(len(points)))
    assert (lattice.points(numbers) == points).all()


@pytest.mark.parametrize(("dim", "r2"), [(16, 200), (24, 79), (32, 36), (40, 24), (48, 30), (100, 30), (3, 30000)])
def test_decode_undoes_encode(dim: int, r2: int) -> None:
    lattice = Lattice(dim, r2)
    points = lattice.quantize(np.random.default_rng(1).normal(size=(200, dim)))
    codes = lattice.encode(points)
    assert codes.shape == (200, lattice.code_size)
    assert (lattice.decode(codes) == points).all()
    ends = [0, 1, lattice.count // 2, lattice.count - 2, lattice.count - 1]
    assert lattice.numbers(lattice.points(ends)) == ends
    assert ((points.astype(int) ** 2).sum(1) == r2).all()
    assert (lattice.quantize(points / lattice.radius) == points).all()


def test_words_and_integers_number_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    points = Lattice(24, 79).quantize(np.random.default_rng(2).normal(size=(300, 24)))
    numbers = Lattice(24, 79).numbers(points)
    monkeypatch.setattr(module, "WORD", 0)
    monkeypatch.setattr(module, "ROWS", 7)
    assert Lattice(24, 79).numbers(points) == numbers
    assert (Lattice(24, 79).points(numbers) == points).all()


def test_signs_of_zeros_are_plus() -> None:
    lattice = Lattice(3, 3)
    assert lattice.quantize(np.array([[0.0, -0.0, -2.0], [0.0, 0.0, 0.0]])).tolist() == [[1, 1, -1], [1, 1, 1]]


def test_the_error_falls_with_the_bits() -> None:
    vectors = np.random.default_rng(3).normal(size=(500, 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    errors = []
    for r2 in (3, 10, 79, 200):
        lattice = Lattice(24, r2)
        errors.append(np.linalg.norm(vectors - lattice.quantize(vectors) / lattice.radius, axis=1).mean())
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 2 * errors[-1]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(4).normal(size=(100, 16))
    whole = Lattice(16, 21).quantize(vectors)
    monkeypatch.setattr(module, "BLOCK", 100)
    assert (Lattice(16, 21).quantize(vectors) == whole).all()


def test_large_entries_have_room() -> None:
    lattice = Lattice(2, 200 * 200)
    assert lattice.atoms.dtype == np.int16
    assert lattice.quantize(np.array([[-1.0, 0.0]])).tolist() == [[-200, 0]]
    assert len(Lattice(2, 127 * 127).quantize(np.zeros((0, 2)))) == 0


def test_many_vectors_are_coded_without_loss() -> None:
    vectors, lattice = np.random.default_rng(5).normal(size=(10_000, 24)), Lattice(24, 79)
    points = lattice.quantize(vectors)
    assert (lattice.decode(lattice.encode(points)) == points).all()


def test_mistakes() -> None:
    lattice = Lattice(3, 5)
    for message, call in {
        "dim ≥ 1 and r2 ≥ 1. Got 3 and 0": lambda: Lattice(3, 0),
        "no point of Z^3 has the squared length 7": lambda: Lattice(3, 7),
        "atoms; at most 100,000": lambda: Lattice(40, 600),
        "vectors must be (n, 3). Got shape (1, 2)": lambda: lattice.quantize(np.ones((1, 2))),
        "vectors must be finite": lambda: lattice.quantize(np.array([[np.nan, 0, 1]])),
        "row 1 has the squared length 1; the lattice's is 5": lambda: lattice.numbers(np.array([[0, 1, 2], [0, 0, 1]])),
        "points must be integers (n, 3)": lambda: lattice.encode(np.ones((1, 3))),
        "from 0 to 23. Got 24": lambda: lattice.points([3, 24]),
        "from 0 to 23. Got 255": lambda: lattice.decode(np.array([[255]], np.uint8)),
        "codes must be uint8 (n, 1). Got uint8 (1, 2)": lambda: lattice.decode(np.zeros((1, 2), np.uint8)),
    }.items():
        with pytest.raises(ValueError) as error:
            call()
        assert message in str(error.value)
