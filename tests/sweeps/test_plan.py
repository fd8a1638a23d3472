"""What a run's id rests on."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import planned
import pytest

from vsebench.config import code_files, identity
from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ConfigError
from vsebench.core.plugins import load_plugin
from vsebench.core.python_files import Code
from vsebench.core.registry import FUSIONS, METRICS, registry_of
from vsebench.runs.store import Store
from vsebench.sweeps.plan import id_here, make_plan


def test_a_run_chosen_by_another_version_of_a_metric_is_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    run = replace(planned.run("a"), select_metric="val/nll", select_mode="min")  # not among its metrics
    before, other = id_here(run, "f1"), id_here(planned.run("a"), "f1")
    component = METRICS.get("nll")
    monkeypatch.setitem(METRICS._components, "nll", replace(component, facts={**component.facts, "version": 99}))
    assert id_here(run, "f1") != before
    assert id_here(planned.run("a"), "f1") == other


def test_a_raised_version_is_another_run_and_other_code_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    run = planned.run("a")
    before = id_here(run, "f1")
    monkeypatch.setattr(code_files, "code_of", lambda _: Code("other", ()))
    assert id_here(run, "f1") == before
    kind, spec = next(iter(run.system.components()))
    component = registry_of(kind).get(spec.name)
    raised = replace(component, facts={**component.facts, "version": 2})
    with monkeypatch.context() as patch:
        patch.setitem(registry_of(kind)._components, spec.name, raised)
        assert id_here(run, "f1") != before
    monkeypatch.setattr(identity, "ENGINE_VERSION", 2)
    assert id_here(run, "f1") != before


PLUGIN = """
import torch
import vsebench as vb

@vb.FUSIONS.register("my_sum", source="a test")
class MySum(vb.Fusion):
    \"\"\"Add.\"\"\"
    def __init__(self, dims, dim_out): ...
    def forward(self, vectors):
        return FACTOR * sum(vectors.values())
"""


def test_an_edited_plugin_is_another_run(tmp_path: Path) -> None:
    ids = {}
    edits = {"first": PLUGIN, "docstring": PLUGIN.replace("Add.", "Add all."), "edited": PLUGIN.replace("FACTOR", "2")}
    for name, text in edits.items():
        file = tmp_path / f"{name}.py"
        file.write_text(text)
        load_plugin(file)
        try:
            ids[name] = id_here(planned.run("a", fusion="my_sum"), "f1")
        finally:
            FUSIONS.forget("my_sum")
    assert ids["first"] == ids["docstring"] != ids["edited"]


def test_of_an_installed_plugin_only_its_own_package_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_files.sysconfig, "get_path", lambda _: str(tmp_path))
    for name, text in {
        "mine/__init__": "from mine import part\npart",
        "mine/part": "import other\nother",
        "other": "",
    }.items():
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    files = code_files.code_files(tmp_path / "mine" / "__init__.py")
    assert files == {tmp_path / "mine" / "__init__.py", tmp_path / "mine" / "part.py"}


def test_the_points_of_a_sweep_may_have_seeds_of_their_own(
    write_experiment: Callable[..., Path], tmp_path: Path
) -> None:
    base = {"image_encoder": "features", "text_encoder": "features", "head": "linear"}
    content = {
        "experiment": "e",
        "dataset": "x",
        "seeds": [0, 1, 2],
        "systems": {"named": base},
        "sweep": {"base": base, "seeds": [3, 4], "grid": {"fusion": ["concat", "gated"]}},
    }

    def seeds(content: dict[str, Any]) -> list[tuple[str, int]]:
        experiment = load_experiment(write_experiment(content))
        plan = make_plan(experiment, {"fingerprint": "f"}, Store(tmp_path / "runs", "e"))
        return [(run.name, run.seed) for run in plan.runs]

    named = [("named", seed) for seed in (0, 1, 2)]
    assert seeds(content) == [*named, *itertools.product(("concat", "gated"), (3, 4))]
    content["sweep"].pop("seeds")
    assert seeds(content) == [*named, *itertools.product(("concat", "gated"), (0, 1, 2))]
    content["sweep"]["seeds"] = [1, 1]
    with pytest.raises(ConfigError, match=r"'seeds' repeats a seed. Got \[1, 1\]"):
        seeds(content)
    dims = {"base": base, "grid": {"dim": [8, 16]}}
    content["sweep"] = [{"base": base, "seeds": [3, 4], "grid": {"fusion": ["concat", "gated"]}}, dims]
    grids = [*itertools.product(("concat", "gated"), (3, 4)), *itertools.product(("8", "16"), (0, 1, 2))]
    assert seeds(content) == [*named, *grids]
