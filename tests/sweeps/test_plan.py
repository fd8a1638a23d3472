"""What a run's id rests on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import planned
import pytest

from vsebench.config import identity
from vsebench.core.digests import file_digest
from vsebench.core.registry import METRICS, registry_of
from vsebench.sweeps.plan import id_here


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
    monkeypatch.setattr(identity, "file_digest", lambda _: "other code")
    assert id_here(run, "f1") == before
    kind, spec = next(iter(run.system.components()))
    component = registry_of(kind).get(spec.name)
    raised = replace(component, facts={**component.facts, "version": 2})
    with monkeypatch.context() as patch:
        patch.setitem(registry_of(kind)._components, spec.name, raised)
        assert id_here(run, "f1") != before
    monkeypatch.setattr(identity, "ENGINE_VERSION", 2)
    assert id_here(run, "f1") != before


def test_the_digest_of_a_file_is_blind_to_spelling(tmp_path: Path) -> None:
    one, two, three = (tmp_path / name for name in ("a.py", "b.py", "c.py"))
    one.write_text('"""One."""\nimport os\ndef f(x: int) -> int:\n    y: int = x\n    return y + 1\n')
    two.write_text("def f(x):\n    # two\n    y = x\n    return y + 1\n")
    three.write_text("def f(x):\n    y = x\n    return y + 2\n")
    assert file_digest(one) == file_digest(two) != file_digest(three)
