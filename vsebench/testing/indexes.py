"""What indexes promise."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vsebench.components.index.base import Index, unit_rows
from vsebench.core.component import Component
from vsebench.testing.written import require

COUNT, DIM, K = 400, 16, 10
#: Share of the nearest vectors that an approximate index must find among so few; 16 signs find 0.28, chance 0.025.
LEAST = {False: 0.3, True: 0.2}  # by the fact "coarse"


def check_index(component: Component, options: Mapping[str, Any]) -> None:
    """Hits have the shape, order and ids that were promised, agree with brute force where it says that it is exact,
    and are the same after it was saved and loaded.

    Raises: AssertionError.
    """
    who = f"index '{component.name}'"
    rng = np.random.default_rng(0)
    vectors, queries = rng.normal(size=(COUNT, DIM)), rng.normal(size=(20, DIM))
    ids = rng.permutation(10 * COUNT)[:COUNT]
    index: Index = component.build(options, dim=DIM)
    index.train(vectors)
    index.add(ids[:150], vectors[:150])
    index.add(ids[150:], vectors[150:])
    require(len(index) == COUNT, f"{who} has {len(index)} vectors after {COUNT} were added")
    require(index.memory_bytes > 0, f"{who} says that it takes no memory")
    scores, result = index.search(queries, K)
    require(
        result.shape == scores.shape == (20, K), f"{who} gives shapes {scores.shape}, {result.shape}; not (20, {K})"
    )
    require(set(result.ravel().tolist()) <= {*ids.tolist(), -1}, f"{who} finds ids that were never added")
    require(bool((scores[:, :-1] >= scores[:, 1:]).all()), f"{who}: hits are not in the order of their scores")
    truth = ids[np.argsort(-unit_rows(queries) @ unit_rows(vectors).T, axis=1, kind="stable")[:, :K]]
    shared = np.mean([len(set(a) & set(b)) / K for a, b in zip(result, truth, strict=True)])
    least = 1.0 if component.facts["exact"] else LEAST[bool(component.facts["coarse"])]
    require(shared >= least, f"{who} finds {shared:.2f} of the {K} nearest; at least {least} is promised")
    everything = index.search(queries, 10 * COUNT)[1]
    require(everything.shape == (20, COUNT), f"{who} gives {everything.shape} where all {COUNT} are asked for")
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / "index")
        again: Index = component.build(options, dim=DIM)
        again.load(Path(folder) / "index", unit_rows(vectors))
        same = bool((again.search(queries, K)[1] == result).all())
    require(same, f"{who} finds others after it was saved and loaded")
