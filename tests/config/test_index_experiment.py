"""What is wrong in a file that compares indexes is said with file, line, the nearest name and what exists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vsebench.config.index_experiment import is_index_experiment, load_index_experiment
from vsebench.core.errors import ConfigError

GOOD = """\
experiment: demo
vectors: {generated: {count: 500, queries: 20, dim: 16, latent: 4, clusters: 8}}
k: [1, 10]
indexes:
  Exact: flat
  Signs: {name: binary, center: true}
  Planes: {name: lsh, bits: 32}
grid:
  Tree:
    index: kd_tree
    options: {max_leaves: [2, 20]}
seeds: [0, 1]
"""
Write = Callable[[Any], Path]


def test_good_file(write_experiment: Write) -> None:
    experiment = load_index_experiment(write_experiment(GOOD))
    assert [r.name for r in experiment.rows] == [
        "Exact", "Signs", "Planes", "Tree · max_leaves 2", "Tree · max_leaves 20",
    ]  # fmt: skip
    planes = experiment.rows[2]
    assert planes.seeds == (0, 1)
    assert planes.options(1)["seed"] == 1
    assert experiment.rows[0].seeds == (0,), "what draws nothing is measured once"
    assert experiment.rows[3].spec.options == {"max_leaves": 2}
    assert [r.name for r in experiment.only(["Tree*"]).rows] == ["Tree · max_leaves 2", "Tree · max_leaves 20"]


def test_a_row_may_say_its_seed(write_experiment: Write) -> None:
    experiment = load_index_experiment(write_experiment(GOOD.replace("bits: 32", "bits: 32, seed: 7")))
    assert experiment.rows[2].seeds == (7,)


FAULTS = [
    ("experiment: demo", "experimnt: demo", 1, ["unknown key 'experimnt'", "Did you mean 'experiment'?"]),
    ("k: [1, 10]", "k: [1, 1]", 3, ["'k' repeats a value"]),
    ("k: [1, 10]", "k: [0]", 3, ["k", "greater than 0"]),
    ("Exact: flat", "Exact: flatt", 5, ["unknown index 'flatt'", "Did you mean 'flat'?"]),
    ("center: true", "centre: true", 6, ["unknown option 'centre' of index 'binary'", "Did you mean 'center'?"]),
    ("bits: 32", "bits: none", 7, ["bits", "integer"]),
    ("Signs: {name: binary, center: true}", "Signs: {center: true}", 6, ["needs a 'name'"]),
    ("max_leaves: [2, 20]", "max_leafs: [2, 20]", 11, ["unknown option 'max_leafs'", "Did you mean 'max_leaves'?"]),
    ("max_leaves: [2, 20]", "max_leaves: [2, 0]", 11, ["max_leaves", "greater than 0"]),
    ("max_leaves: [2, 20]", "max_leaves: [2, 2]", 11, ["'max_leaves' repeats a value"]),
    ("latent: 4", "latent: 40", 2, ["'latent' must be at most dim, 16"]),
    ("count: 500", "kind: gaussian, count: 500", 2, ["goes with kind clusters"]),
    ("generated: {", "run: a/b, generated: {", 2, ["needs one of run, file and generated. Got run and generated"]),
    ("vectors: {", "vectors: {gallery: train, ", 2, ["'gallery' does not go with vectors.generated"]),
    (
        "{generated: {count: 500, queries: 20, dim: 16, latent: 4, clusters: 8}}",
        "{file: a.npy}",
        2,
        ["needs 'queries'"],
    ),
    ("  Planes:", "  Exact:", 7, ["'Exact' stands twice", "line 5"]),
]


@pytest.mark.parametrize(("right", "wrong", "line", "message"), FAULTS, ids=[f[1][:30] for f in FAULTS])
def test_fault(write_experiment: Write, right: str, wrong: str, line: int, message: list[str]) -> None:
    assert GOOD.count(right) >= 1
    file = write_experiment(GOOD.replace(right, wrong))
    with pytest.raises(ConfigError) as fault:
        load_index_experiment(file)
    assert str(fault.value).startswith(f"{file}:{line}: "), str(fault.value)
    for part in message:
        assert part in str(fault.value)


def test_nothing_to_measure(write_experiment: Write) -> None:
    with pytest.raises(ConfigError, match="there is nothing to measure: give 'indexes', 'grid' or both"):
        load_index_experiment(write_experiment(GOOD.split("indexes:")[0]))


def test_the_form_is_known_by_its_vectors() -> None:
    assert is_index_experiment({"vectors": {}})
    assert not is_index_experiment({"dataset": "mmfrb"})
    assert not is_index_experiment(["vectors"])


@pytest.mark.parametrize("name", ["indexes", "indexes_fashion"])
def test_committed_experiments_are_valid(name: str) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed: indexes that need it are not checked")
    assert load_index_experiment(Path(__file__).parents[2] / "experiments" / f"{name}.yaml").rows
