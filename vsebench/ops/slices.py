"""Parts of the items by the value of a named field: product groups, languages, kinds of a caption."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

#: Values of a field; more are no categories, and every one has numbers of its own.
MOST = 50
#: In keys of numbers: ``test/slice/<field>=<value>/accuracy``.
SLICE = "slice"


def is_of_slice(key: str) -> bool:
    """Return whether a number's key is one of a slice.

    Example:
        >>> is_of_slice("test/slice/kind=easy/accuracy"), is_of_slice("test/accuracy")
        (True, False)
    """
    return f"/{SLICE}/" in key


@dataclass(frozen=True)
class Slices:
    """Named fields of n items.

    Args:
        values: field -> its values, sorted.
        codes: int32 (n, fields), the position of each item's value; -1 for an item without one.

    Raises: ValueError for codes that are not of the values.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    codes: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int32))

    def __post_init__(self) -> None:
        sizes = np.array([len(values) for values in self.values.values()], np.int64)
        if self.codes.ndim != 2 or self.codes.shape[1] != len(sizes):
            raise ValueError(f"slices of {len(sizes)} fields have codes of shape {self.codes.shape}")
        if not ((self.codes >= -1) & (self.codes < sizes)).all():
            raise ValueError("slices have codes that are not of their values")

    def __bool__(self) -> bool:
        return bool(self.values)

    @staticmethod
    def of(items: Sequence[Mapping[str, str]]) -> Slices:
        """Collect the fields and values of items; an empty value is none.

        Raises: ValueError for a field with too many values, or whose name is empty or has one of ``/ =``.

        Example:
            >>> slices = Slices.of([{"use": "gym"}, {}, {"use": "work"}])
            >>> slices.values, slices.codes[:, 0].tolist()
            ({'use': ('gym', 'work')}, [0, -1, 1])
        """
        names = sorted({name for item in items for name in item})
        values = {name: tuple(sorted({item[name] for item in items if item.get(name)})) for name in names}
        for name, some in values.items():
            if not name or "/" in name or "=" in name:
                raise ValueError(f"the slice '{name}' needs a name without '/' and '='")
            if len(some) > MOST:
                raise ValueError(
                    f"the slice '{name}' has {len(some):,} values, such as '{some[0]}'; a category of at most {MOST} "
                    "values is right"
                )
        number = {name: {value: i for i, value in enumerate(some)} for name, some in values.items()}
        codes = [[number[name].get(item.get(name, ""), -1) for name in names] for item in items]
        return Slices(values, np.array(codes, np.int32).reshape(len(items), len(names)))

    def take(self, rows: np.ndarray) -> Slices:
        """Return those of some items, with all fields and values."""
        return Slices(self.values, self.codes[rows]) if self else self

    def rows(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each slice as ``<field>=<value>``, and which items it has, bool (n,).

        A stroke in a value is written ``%2F``, a percent sign ``%25``.
        """
        for at, (name, values) in enumerate(self.values.items()):
            for code, value in enumerate(values):
                yield slice_name(name, value), self.codes[:, at] == code

    def arrays(self) -> dict[str, np.ndarray]:
        """Return them as they are stored among other arrays; nothing without fields."""
        if not self:
            return {}
        return {f"{SLICE}/values": np.array(json.dumps(self.values)), f"{SLICE}/codes": self.codes}

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> Slices:
        """Return what :meth:`arrays` has stored.

        Raises: ValueError for arrays of another form.
        """
        if f"{SLICE}/values" not in arrays:
            return Slices()
        return Slices.parse(str(arrays[f"{SLICE}/values"]), arrays[f"{SLICE}/codes"])

    @staticmethod
    def parse(values: str | bytes, codes: np.ndarray) -> Slices:
        """Return fields whose values are JSON: field -> list of values.

        Raises: ValueError for another form.
        """
        plain = json.loads(values)
        right = isinstance(plain, dict) and all(
            isinstance(some, list) and all(isinstance(value, str) for value in some) for some in plain.values()
        )
        if not right:
            raise ValueError("slices are no lists of values by field")
        return Slices({name: tuple(some) for name, some in plain.items()}, np.asarray(codes))


def slice_name(name: str, value: str) -> str:
    """Return how keys of numbers call a slice.

    Example:
        >>> slice_name("size", "1/2")
        'size=1%2F2'
    """
    return f"{name}={value.replace('%', '%25').replace('/', '%2F')}"


def differing_fields(a: Slices, b: Slices) -> list[str]:
    """Return the fields that both name and by which some item is in another slice."""
    results = []
    for name in a.values:
        if name not in b.values:
            continue
        named = [np.array([*s.values[name], ""])[s.codes[:, list(s.values).index(name)]] for s in (a, b)]
        if not np.array_equal(*named):
            results.append(name)
    return results
