"""The spherical lattice Z^d of one length as a quantiser: enumerated orbits, nearest point, code numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from math import comb, factorial, isqrt, prod
from typing import Any

import numpy as np

#: Products with atoms at a time: 32 MiB of float64.
BLOCK = 1 << 22
#: Rows that are numbered at a time.
ROWS = 1 << 15
MOST_ATOMS = 100_000
WORD = 1 << 64


class Lattice:
    """Quantise directions to the integer points of one length.

        points      {z ∈ Z^d : ‖z‖² = r²}, of unit length as z / r
        atoms       its points with z_1 ≥ z_2 ≥ … ≥ z_d ≥ 0; every point is one of them, rearranged and with signs
        nearest     argmax_z ⟨x, z⟩: |x| sorted, the atom of greatest product, put back in place with the signs of x
        count       Σ_atoms d! / Π_v (multiplicity of v)! · 2^(number of non-zeros);   bits = ⌈log₂ count⌉
        number(z)   offset of the atom + 2^(non-zeros) · rank of the arrangement + signs, in [0, count)

    By the rearrangement inequality the sorted atom is the best of its orbit, so that the nearest point is exact. The
    sign of 0 is +; equal entries keep their order, of equally near atoms the first is taken.

    The arrangement is ranked value by value, the greatest first: the places of a value among those still free are a
    combination, whose rank is Σ_j C(place_j, j).

    Numbers are computed in machine words up to 64 bits, beyond that as Python integers (some twenty times slower).

    Source: Sablayrolles et al. 2019, arXiv:1806.03198. Differs from it: the numbering of points.

    Args:
        dim: d; > 0.
        r2: r², squared length of the points; > 0.

    Raises: ValueError for sizes below 1, a length that no point has, or more than 100,000 atoms.

    Example:
        >>> lattice = Lattice(3, 5)
        >>> lattice.atoms.tolist(), lattice.count, lattice.bits
        ([[2, 1, 0]], 24, 5)
        >>> points = lattice.quantize(np.array([[0.1, -0.9, 0.5]]))
        >>> points.tolist(), lattice.decode(lattice.encode(points)).tolist()
        ([[0, -2, 1]], [[0, -2, 1]])
    """

    def __init__(self, dim: int, r2: int) -> None:
        if dim < 1 or r2 < 1:
            raise ValueError(f"a lattice needs dim ≥ 1 and r2 ≥ 1. Got {dim} and {r2}.")
        number = _count_atoms(dim, r2)
        if not number:
            raise ValueError(f"no point of Z^{dim} has the squared length {r2}.")
        if number > MOST_ATOMS:
            raise ValueError(
                f"the points of Z^{dim} of squared length {r2} have {number:,} atoms; at most {MOST_ATOMS:,} are "
                "searched. Take a smaller r2."
            )
        self.dim, self.r2 = dim, r2
        self.dtype: type[np.signedinteger[Any]] = np.int8 if isqrt(r2) < 128 else np.int16
        self.atoms = np.array(list(_atoms(dim, r2, isqrt(r2))), self.dtype)

    @property
    def radius(self) -> float:
        """r; points divided by it have unit length."""
        return float(np.sqrt(self.r2))

    @cached_property
    def count(self) -> int:
        """Number of points."""
        return sum(self._sizes)

    @property
    def bits(self) -> int:
        """Of a point's number."""
        return (self.count - 1).bit_length()

    @property
    def code_size(self) -> int:
        """Bytes of an encoded point: bits / 8, rounded up, at least 1."""
        return max(1, -(-self.bits // 8))

    def quantize(self, vectors: np.ndarray) -> np.ndarray:
        """Return the point of greatest product with each vector, whatever the vector's length.

        Shape: (n, d) -> int8 (n, d), int16 where r > 127.

        Raises: ValueError for a wrong shape or values that are not finite.
        """
        rows = np.asarray(vectors, np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.dim:
            raise ValueError(f"vectors must be (n, {self.dim}). Got shape {rows.shape}.")
        if not np.isfinite(rows).all():
            raise ValueError("vectors must be finite.")
        step = max(1, BLOCK // max(len(self.atoms), self.dim))
        points = np.zeros(rows.shape, self.dtype)
        columns = self.atoms.T.astype(np.float64)
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            order = np.argsort(-np.abs(block), axis=1, kind="stable")
            nearest = (np.take_along_axis(np.abs(block), order, 1) @ columns).argmax(1)
            here = points[start : start + step]
            np.put_along_axis(here, order, self.atoms[nearest], 1)
            np.negative(here, out=here, where=block < 0)
        return points

    def numbers(self, points: np.ndarray) -> list[int]:
        """Each point's number, from 0 to count − 1.

        Shape: integers (n, d).

        Raises: ValueError for a wrong shape or a row that is no point of the lattice.
        """
        results: list[int] = []
        for start in range(0, len(points), ROWS):
            results += self._numbers(np.asarray(points[start : start + ROWS])).tolist()
        return results

    def points(self, numbers: Sequence[int]) -> np.ndarray:
        """Return the points of some numbers.

        Shape: -> int8 (n, d), int16 where r > 127.

        Raises: ValueError for a number that is not from 0 to count − 1.
        """
        wrong = [n for n in numbers if not 0 <= n < self.count]
        if wrong:
            raise ValueError(f"numbers of points are from 0 to {self.count - 1}. Got {wrong[0]}.")
        parts = [self._points(self._integers(numbers[i : i + ROWS])) for i in range(0, len(numbers), ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), self.dtype)

    def encode(self, points: np.ndarray) -> np.ndarray:
        """Each point's number as bytes, the least significant first.

        Shape: integers (n, d) -> uint8 (n, code_size).

        Raises: as ``numbers``.
        """
        data = b"".join(number.to_bytes(self.code_size, "little") for number in self.numbers(points))
        return np.frombuffer(data, np.uint8).reshape(-1, self.code_size).copy()

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Decode points from codes.

        Shape: uint8 (n, code_size) -> int8 (n, d), int16 where r > 127.

        Raises: ValueError for a wrong shape, or as ``points``.
        """
        if codes.ndim != 2 or codes.shape[1] != self.code_size or codes.dtype != np.uint8:
            raise ValueError(f"codes must be uint8 (n, {self.code_size}). Got {codes.dtype} {codes.shape}.")
        data, size = codes.tobytes(), self.code_size
        return self.points([int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)])

    # -- numbering ----------------------------------------------------------------------------------------------------

    @cached_property
    def _values(self) -> list[int]:
        """The non-zero values of the atoms, the greatest first."""
        return sorted({int(v) for v in np.unique(self.atoms)} - {0}, reverse=True)

    @cached_property
    def _multiplicities(self) -> np.ndarray:
        """How often an atom has each value, int64 (atoms, values)."""
        return np.stack([(self.atoms == value).sum(1) for value in self._values], 1)

    @cached_property
    def _sizes(self) -> list[int]:
        """Points of each atom's orbit."""
        sizes = []
        for many in self._multiplicities.tolist():
            same = prod(factorial(m) for m in many) * factorial(self.dim - sum(many))
            sizes.append((factorial(self.dim) // same) << sum(many))
        return sizes

    @cached_property
    def _offsets(self) -> np.ndarray:
        """Number of the first point of each atom."""
        offsets = [0]
        for size in self._sizes[:-1]:
            offsets.append(offsets[-1] + size)
        return self._integers(offsets)

    @cached_property
    def _signs(self) -> np.ndarray:
        """2^j for j up to the most non-zeros of an atom."""
        return self._integers([1 << j for j in range(int(self._multiplicities.sum(1).max()) + 1)])

    @cached_property
    def _combinations(self) -> np.ndarray:
        """C(p, j), (d + 1, most equal values + 1). What does not fit a word is not part of any number: it only compares
        as greater."""
        most = int(self._multiplicities.max())
        table = [min(comb(p, j), self._most) for p in range(self.dim + 1) for j in range(most + 1)]
        return self._integers(table).reshape(self.dim + 1, most + 1)

    @cached_property
    def _index(self) -> dict[bytes, int]:
        return {atom.tobytes(): number for number, atom in enumerate(self.atoms)}

    @cached_property
    def _most(self) -> int:
        return WORD - 1 if self.count <= WORD else 1 << (self.dim + self.bits)

    def _integers(self, numbers: Sequence[int]) -> np.ndarray:
        """In machine words where every number fits."""
        return np.array(numbers, np.uint64 if self.count <= WORD else object)

    def _atom_of(self, points: np.ndarray) -> np.ndarray:
        if points.ndim != 2 or points.shape[1] != self.dim or points.dtype.kind not in "iu":
            raise ValueError(f"points must be integers (n, {self.dim}). Got {points.dtype} {points.shape}.")
        lengths = (points.astype(np.int64) ** 2).sum(1)
        wrong = np.flatnonzero(lengths != self.r2)
        if len(wrong):
            raise ValueError(f"row {wrong[0]} has the squared length {lengths[wrong[0]]}; the lattice's is {self.r2}.")
        ordered = -np.sort(-np.abs(points.astype(np.int64)), axis=1)
        return np.array([self._index[row.tobytes()] for row in ordered.astype(self.dtype)], np.int64)

    def _numbers(self, points: np.ndarray) -> np.ndarray:
        atoms = self._atom_of(points)
        size, free = np.abs(points.astype(np.int64)), np.ones(points.shape, bool)
        rank = self._integers([0] * len(points))
        for value, many in zip(self._values, self._multiplicities[atoms].T, strict=True):
            chosen = size == value
            rows, columns = np.nonzero(chosen)
            place, nth = (np.cumsum(free, 1) - 1)[rows, columns], np.cumsum(chosen, 1)[rows, columns]
            digit = self._integers([0] * len(points))
            np.add.at(digit, rows, self._combinations[place, nth])
            rank = rank * self._combinations[free.sum(1), many] + digit
            free &= ~chosen
        rows, columns = np.nonzero((points < 0) & (size > 0))
        signs = self._integers([0] * len(points))
        np.add.at(signs, rows, self._signs[(np.cumsum(size > 0, 1) - 1)[rows, columns]])
        return self._offsets[atoms] + rank * self._signs[(size > 0).sum(1)] + signs

    def _points(self, numbers: np.ndarray) -> np.ndarray:
        atoms = np.searchsorted(self._offsets, numbers, side="right") - 1
        many = self._multiplicities[atoms]  # (n, values)
        rank, signs = self._split(numbers - self._offsets[atoms], self._signs[many.sum(1)])
        left = self.dim - np.cumsum(many, 1) + many  # places free before a value's turn
        digits = []
        for level in reversed(range(len(self._values))):
            rank, digit = self._split(rank, self._combinations[left[:, level], many[:, level]])
            digits.append(digit)
        points, free = np.zeros((len(numbers), self.dim), np.int64), np.ones((len(numbers), self.dim), bool)
        for value, digit, nth in zip(self._values, reversed(digits), many.T, strict=True):
            among = self._places(digit, nth)
            chosen = free & np.take_along_axis(among, np.maximum(np.cumsum(free, 1) - 1, 0), 1)
            points[chosen] = value
            free &= ~chosen
        for column in range(self.dim):  # the signs' bits, one per non-zero
            present = points[:, column] > 0
            rest, bit = self._split(signs, self._signs[present.astype(np.int64)])
            points[(bit > 0) & present, column] *= -1
            signs = rest
        return points.astype(self.dtype)

    @staticmethod
    def _split(numbers: np.ndarray, by: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        quotient = numbers // by
        return quotient, numbers - quotient * by

    def _places(self, digit: np.ndarray, many: np.ndarray) -> np.ndarray:
        """Decode the combination of a rank: which of the free places hold the value, bool (n, d)."""
        among, nth = np.zeros((len(digit), self.dim), bool), many.copy()
        for place in reversed(range(int(self.dim))):
            least = self._combinations[place][nth]
            taken = ((nth > 0) & (digit >= least)).astype(bool)
            among[:, place] = taken
            digit = np.where(taken, digit - np.where(taken, least, digit), digit)
            nth = nth - taken
        return among


def _atoms(dim: int, r2: int, greatest: int) -> Iterator[tuple[int, ...]]:
    """Non-increasing non-negative integers of this sum of squares, the greatest first."""
    if not r2:
        yield (0,) * dim
        return
    for value in range(min(greatest, isqrt(r2)), 0, -1):
        if dim * value * value < r2:
            return
        for rest in _atoms(dim - 1, r2 - value * value, value):
            yield (value, *rest)


def _count_atoms(dim: int, r2: int) -> int:
    """Return how many there are: sums of at most ``dim`` squares, without regard to order."""
    ways = np.zeros((dim + 1, r2 + 1), np.float64)
    ways[0, 0] = 1
    for value in range(1, isqrt(r2) + 1):
        for used in range(1, dim + 1):
            ways[used, value * value :] += ways[used - 1, : r2 + 1 - value * value]
    return int(ways[:, r2].sum())
