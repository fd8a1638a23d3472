"""Successive halving: rungs, decisions against a slow reference, arrivals that survive a kill."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from vsebench.config.schema import Prune
from vsebench.runs.store import Store
from vsebench.sweeps.asha import Halving, Pruned, read_arrivals, rungs


def halving(store: Store, run: str, *, prune: Prune | None = None, epochs: int = 9, mode: Any = "max") -> Halving:
    message = prune or Prune()
    return Halving(message, store, run_id=run, epochs=epochs, metric="val/accuracy", mode=mode, fingerprint="f")


def train(validation_scorer: Halving, curve: list[float]) -> int:
    """The epoch at which a run with this validation curve ends."""
    for epoch, value in enumerate(curve, start=1):
        try:
            validation_scorer({"epoch": epoch, "val/accuracy": value})
        except Pruned as stop:
            return stop.epoch
    return len(curve)


def reference(curves: list[list[float]], min_epochs: int, reduction: int, mode: str) -> list[int]:
    """Where each run ends, one run after the other: at a rung, rank everything that ever came there."""
    better = (lambda a, b: a > b) if mode == "max" else (lambda a, b: a < b)
    ends: list[int] = []
    for current, curve in enumerate(curves):
        end, epoch = len(curve), min_epochs
        while epoch < len(curve):
            present = [i for i in range(current) if len(curves[i]) > epoch and ends[i] >= epoch] + [current]
            best = []
            for i in present:
                value = curves[i][0]
                for later in curves[i][:epoch]:
                    value = later if better(later, value) else value
                best.append(value)
            top = int(len(present) / reduction)
            if top < 1:
                top = 1
            above = 0
            for value in best[:-1]:
                if better(value, best[-1]):
                    above += 1
            if above >= top:
                end = epoch
                break
            epoch = epoch * reduction
        ends.append(end)
    return ends


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize(("min_epochs", "reduction"), [(1, 2), (1, 3), (2, 4)])
def test_prunes_what_a_slow_reference_says(tmp_path: Path, mode: Any, min_epochs: int, reduction: int) -> None:
    draw = random.Random(7)
    # Coarse values, so that there are ties.
    curves = [[round(draw.random(), 1) for _ in range(draw.choice([9, 12]))] for _ in range(60)]
    prune = Prune(min_epochs=min_epochs, reduction=reduction)
    store = Store(tmp_path, "x")
    ends = [
        train(halving(store, str(i), prune=prune, epochs=len(curve), mode=mode), curve)
        for i, curve in enumerate(curves)
    ]
    assert ends == reference(curves, min_epochs, reduction, mode)
    assert 0 < sum(end < len(curve) for end, curve in zip(ends, curves, strict=True)) < 60


def test_rungs() -> None:
    assert rungs(Prune(min_epochs=2, reduction=3), 18) == [2, 6], "not at the last epoch"
    assert rungs(Prune(min_epochs=5, reduction=2), 5) == []


def test_a_run_done_again_gets_its_own_decision(tmp_path: Path) -> None:
    store = Store(tmp_path, "x")
    assert train(halving(store, "first"), [0.5] * 9) == 9
    for i in range(6):
        train(halving(store, f"better {i}"), [0.9] * 9)
    file = next((tmp_path / "x" / ".rungs").glob("*.jsonl"))
    before = file.read_bytes()
    assert train(halving(store, "first"), [0.5] * 9) == 9, "it was the best of one"
    assert train(halving(store, "late"), [0.5] * 9) == 1
    assert train(halving(store, "late"), [0.5] * 9) == 1
    assert file.read_bytes().startswith(before)
    assert [a.run for a in read_arrivals(file)].count("late") == 1


def test_other_rules_are_other_rungs(tmp_path: Path) -> None:
    store = Store(tmp_path, "x")
    train(halving(store, "good"), [0.9] * 9)
    assert train(halving(store, "poor"), [0.1] * 9) == 1
    assert train(halving(store, "poor", prune=Prune(reduction=4)), [0.1] * 9) == 9


def test_a_line_that_a_kill_cut_off_does_not_count(tmp_path: Path) -> None:
    store = Store(tmp_path, "x")
    train(halving(store, "good"), [0.9])
    file = next((tmp_path / "x" / ".rungs").glob("*.jsonl"))
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"run": "po')
    assert train(halving(store, "poor"), [0.1] * 9) == 1
    assert file.read_bytes().startswith(whole)
    assert [json.loads(line)["run"] for line in file.read_text().splitlines()] == ["good", "poor"]


def test_nan_never_goes_on(tmp_path: Path) -> None:
    nan = float("nan")
    validation_scorer = halving(Store(tmp_path, "x"), "nan")
    with pytest.raises(Pruned) as stop:
        validation_scorer({"epoch": 1, "val/accuracy": nan})
    assert stop.value.best is None
    assert train(halving(Store(tmp_path, "x"), "late"), [nan, 0.5]) == 1
    assert train(halving(Store(tmp_path, "x"), "fine"), [0.1] * 9) == 9
