"""Code does not change without a raised version, or a proof that its numbers are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from vsebench.core.metric_specs import parse_metrics
from vsebench.testing import same_numbers, tiny_systems, versions
from vsebench.testing.versions import Entry, changed, current, faults, read_table, renewed, write_table

BEFORE = {"engine": Entry(1, "aa"), "fusion.gated": Entry(1, "bb", "cc")}
#: Entries without a tiny system: a change of their code needs a raised version.
NOT_SHOWN = {
    "ensembles",
    *(f"ensemble.{name}" for name in ("minmax", "none", "rank", "rrf", "zscore")),
    *(f"metric.{name}" for name in ("cross_precision", "recall_1k", "rsum_1k", "set_recall", "vqa_accuracy")),
}


@pytest.mark.own_process  # other tests register components and read modules again
def test_the_table_is_in_order() -> None:
    assert not faults(read_table(), current()), "\n".join(faults(read_table(), current()))


@pytest.mark.parametrize(
    ("now", "other_code", "other_version"),
    [
        (BEFORE, [], []),
        ({**BEFORE, "fusion.gated": Entry(1, "cc")}, [], []),
        ({**BEFORE, "fusion.gated": Entry(1, "dd")}, ["fusion.gated"], []),
        ({**BEFORE, "fusion.gated": Entry(2, "dd")}, [], ["fusion.gated"]),
        ({**BEFORE, "fusion.new": Entry(1, "ee")}, [], ["fusion.new"]),
        ({"engine": Entry(1, "aa")}, [], ["fusion.gated"]),
        ({**BEFORE, "engine": Entry(1, "ff")}, ["engine"], []),
    ],
)
def test_what_needs_a_version(now: dict[str, Entry], other_code: list[str], other_version: list[str]) -> None:
    assert changed(BEFORE, now) == other_code
    assert renewed(BEFORE, now) == other_version
    lines = faults(BEFORE, now)
    assert len(lines) == bool(other_code) + bool(other_version)
    assert all(versions.COMMAND in line for line in lines)
    if other_code:
        assert "--same-numbers" in lines[0]
        assert ("ENGINE_VERSION" in lines[0]) == ("engine" in other_code)


def test_the_command_writes_only_what_has_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "table.json"
    write_table(BEFORE, table)
    now = {"engine": Entry(2, "ff"), "fusion.gated": Entry(1, "dd")}
    monkeypatch.setattr(versions, "TABLE", table)
    monkeypatch.setattr(versions, "read_table", lambda: read_table(table))
    monkeypatch.setattr(versions, "write_table", lambda lines: write_table(lines, table))
    monkeypatch.setattr(versions, "current", lambda: now)
    assert versions.main(["--check"]) == 1
    assert read_table(table) == BEFORE
    assert versions.main([]) == 1
    assert read_table(table) == {**BEFORE, "engine": Entry(2, "ff")}
    monkeypatch.setattr(same_numbers, "compare", lambda names, *_: ([], ["differs"]))
    assert versions.main(["--same-numbers"]) == 1
    monkeypatch.setattr(same_numbers, "compare", lambda names, *_: (names, []))
    assert versions.main(["--same-numbers"]) == 0
    assert read_table(table) == {"engine": Entry(2, "ff"), "fusion.gated": Entry(1, "bb", "dd")}


def test_every_number_of_an_entry_is_compared() -> None:
    old = {
        "fusion.gated": {"val/accuracy": 0.5, "val/recall@1": 0.25, "weights": "a"},
        "fusion.sum": {"val/accuracy": 0.5, "weights": "b"},
        "index.flat": {"recall@1": 1.0, "weights": ""},
    }
    new = {**old, "fusion.gated": {**old["fusion.gated"], "val/recall@1": 0.5}}
    names = ["fusion.gated", "fusion.sum", "metric.accuracy", "metric.recall", "engine", "index_benchmark", "head.new"]
    equal, lines = same_numbers.judged(names, old, new, "c0ffee")
    assert equal == ["fusion.sum", "metric.accuracy", "index_benchmark"]
    differ = "val/recall@1 of 'fusion.gated' was 0.25 at c0ffee and is 0.5 now"
    assert lines[:3] == [f"{name}: {differ}" for name in ("fusion.gated", "metric.recall", "engine")]
    assert lines[3].startswith("head.new: no tiny system shows its numbers")


def test_weights_are_compared_whatever_their_names(tmp_path: Path) -> None:
    one, two, three = (tmp_path / f"{name}.safetensors" for name in "abc")
    save_file({"x": np.ones(3), "y": np.zeros(2)}, one)
    save_file({"b": np.ones(3), "a": np.zeros(2)}, two)
    save_file({"b": np.ones(3), "a": np.full(2, 1e-300)}, three)
    assert same_numbers.weights_digest(one) == same_numbers.weights_digest(two) != same_numbers.weights_digest(three)


def test_every_component_has_a_tiny_system() -> None:
    models = dict.fromkeys(tiny_systems.MODELS, "folder")
    made = list(tiny_systems.experiments(["engine"], Path("tiny.h5"), models))
    rows = {name for experiment in made for name in experiment.get("systems", experiment.get("indexes"))}
    metrics = parse_metrics([entry for experiment in made for entry in experiment.get("metrics", ())])
    shown = rows | {f"metric.{metric.name}" for metric in metrics}
    assert set(current()) - shown - {"engine", "index_benchmark"} == NOT_SHOWN
