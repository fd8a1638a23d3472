"""Which head goes with which fusion and objective."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import yaml

from vsebench.config.identity import run_id
from vsebench.config.resolve import resolve, system_block
from vsebench.config.schema import System
from vsebench.core.errors import ConfigError

BOTH: dict[str, Any] = {"image_encoder": "features", "text_encoder": "features"}


def test_a_head_that_reads_no_joint_vector_has_no_fusion() -> None:
    assert resolve({**BOTH, "head": "decision"}).fusion is None
    assert resolve({**BOTH, "head": "decision", "fusion": "none"}).fusion is None
    with pytest.raises(ConfigError) as caught:
        resolve({**BOTH, "head": "decision", "fusion": "gated"})
    assert str(caught.value) == (
        "head 'decision' combines the modalities' own decisions and reads no fused vector, but fusion is 'gated'. "
        "Write fusion: none, or choose head: hybrid."
    )
    assert caught.value.path == ("fusion",)


def test_other_heads_have_concat_where_none_is_given() -> None:
    for head in ("mlp", "hybrid"):
        for block in (BOTH, {**BOTH, "fusion": "none"}):
            fusion = resolve({**block, "head": head}).fusion
            assert fusion is not None
            assert fusion.name == "concat"
    assert resolve({"image_encoder": "features", "head": "hybrid", "fusion": "gated"}).fusion is None


def test_the_objective_of_parts_needs_a_head_that_has_some() -> None:
    for head in ("decision", "hybrid"):
        assert resolve({**BOTH, "head": head, "objective": "part_cross_entropy"})
    with pytest.raises(ConfigError) as caught:
        resolve({**BOTH, "head": "mlp", "objective": ["cross_entropy", "part_cross_entropy"]})
    assert str(caught.value) == (
        "objective 'part_cross_entropy' needs a head of several parts, but head is 'mlp'. Choose head: decision or "
        "hybrid, or leave the objective out."
    )
    assert caught.value.path == ("objective",)


def test_an_infinite_number_is_another_run_and_stays_one_in_its_files() -> None:
    block = {"image_encoder": "features", "text_encoder": "features", "scorer": "scan", "head": "none"}
    block |= {"fusion": "none", "objective": [{"name": "triplet", "on": "scores"}]}
    plain, infinite = (
        resolve({**block, "scorer": {"name": "scan", "lambda_softmax": number}, "train": {"grad_clip": number}})
        for number in (None, math.inf)
    )
    ids = {
        run_id(system, seed=0, fingerprint="", metric_versions={}, metrics=[], select={})
        for system in (plain, infinite)
    }
    assert len(ids) == 2
    for system in (plain, infinite):
        written = yaml.safe_dump(system.model_dump(mode="json"))
        assert System.model_validate(yaml.safe_load(written)) == system


def test_terms_on_documents_that_are_compared_need_such_a_fusion() -> None:
    terms = [{"name": n, "if_present": True} for n in ("graph_laplacian", "projection_norm")]
    block = {**BOTH, "objective": ["cross_entropy", *terms], "fusion": "amir"}
    assert [o.name for o in resolve(block).objective] == ["cross_entropy", "graph_laplacian", "projection_norm"]
    for less in ({**block, "image_encoder": None}, {**block, "text_encoder": None}):
        assert [o.name for o in resolve(less).objective] == ["cross_entropy"]
    with pytest.raises(ConfigError, match="'graph_laplacian' needs a fusion that compares documents.*fusion is 'sum'"):
        resolve({**block, "fusion": "sum"})
    with pytest.raises(ConfigError, match="a vector for what an item lacks, but fusion 'amir' masks that"):
        resolve({**block, "absent": "learned"})


def test_the_recipe_of_amir_takes_any_subset_of_the_modalities() -> None:
    for size in (1, 2, 3):
        for subset in itertools.combinations(("image", "text", "audio"), size):
            row = {"system": "amir"} | {f"{m}_encoder": None for m in ("image", "text", "audio") if m not in subset}
            system = resolve(system_block(row, {}))
            assert set(system.modalities) == set(subset)
            assert (system.fusion is None) is (size == 1)
            wanted = 3 if size > 1 and "text" in subset else 1
            assert len(system.objective) == wanted
