"""Splits by rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsebench.data.splits import make_splits, some_items


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), min_size=30, max_size=120),
    st.integers(0, 5),
)
@settings(max_examples=30, deadline=None)
def test_splits_are_whole_groups_and_every_item_once(shape: list[tuple[int, int]], seed: int) -> None:
    labels = np.array([c for c, size in shape for _ in range(size)])
    groups = np.array([g for g, (_, size) in enumerate(shape) for _ in range(size)])
    splits = make_splits(labels, groups, seed=seed)
    assert sorted(np.concatenate(list(splits.values())).tolist()) == list(range(len(labels)))
    for a, b in (("train", "val"), ("train", "test"), ("val", "test")):
        assert not set(groups[splits[a]]) & set(groups[splits[b]])
    again = make_splits(labels, groups, seed=seed)
    assert all(np.array_equal(splits[s], again[s]) for s in splits)


def test_splits_are_stratified() -> None:
    labels = np.repeat(np.arange(5), 100)
    splits = make_splits(labels, np.arange(500))
    assert {s: len(v) for s, v in splits.items()} == {"train": 400, "val": 50, "test": 50}
    for rows in splits.values():
        counts = np.bincount(labels[rows])
        assert counts.max() - counts.min() <= 1
    assert make_splits(labels, np.arange(500), seed=1)["val"].tolist() != splits["val"].tolist()
    with pytest.raises(ValueError, match="sum to 1"):
        make_splits(labels, np.arange(500), fractions={"train": 0.5})


@given(st.lists(st.integers(1, 4), min_size=4, max_size=40), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_some_items_are_whole_groups_and_nested(sizes: list[int], seed: int) -> None:
    groups = np.repeat(np.arange(len(sizes)) * 7, sizes)
    before: set[int] = set()
    for count in (4, 10, 30, len(groups)):
        rows = some_items(groups, count, seed)
        assert count - 4 < len(rows) <= count or len(rows) == len(groups)
        assert set(np.flatnonzero(np.isin(groups, groups[rows]))) == set(rows.tolist())
        assert before <= set(rows.tolist())
        before = set(rows.tolist())
    assert len(before) == len(groups)


def test_another_seed_draws_other_items() -> None:
    groups = np.arange(100)
    assert some_items(groups, 30, 0).tolist() == some_items(groups, 30, 0).tolist()
    assert some_items(groups, 30, 0).tolist() != some_items(groups, 30, 1).tolist()
