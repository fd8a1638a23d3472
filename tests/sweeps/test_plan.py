"""What a run's id rests on."""

from __future__ import annotations

from dataclasses import replace

import planned
import pytest

from vsebench.core.registry import METRICS
from vsebench.sweeps.plan import id_here


def test_a_run_chosen_by_another_version_of_a_metric_is_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    run = replace(planned.run("a"), select_metric="val/nll", select_mode="min")  # not among its metrics
    before, other = id_here(run, "f1"), id_here(planned.run("a"), "f1")
    component = METRICS.get("nll")
    monkeypatch.setitem(METRICS._components, "nll", replace(component, facts={**component.facts, "version": 99}))
    assert id_here(run, "f1") != before
    assert id_here(planned.run("a"), "f1") == other
