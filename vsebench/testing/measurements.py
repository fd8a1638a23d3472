"""What measurements of finished runs and executors promise. A measurement is tried on a small run, made for it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vsebench.core.component import Component
from vsebench.measurements.base import BoardColumn, Measurement
from vsebench.testing.written import require

ITEMS = 24


def check_measurement(component: Component, options: Mapping[str, Any]) -> None:
    """Check that it is a measurement, its options are plain data, and its columns have titles of their own.

    Raises: AssertionError.
    """
    who = f"measurement '{component.name}'"
    target: Any = component.target
    require(isinstance(target, type) and issubclass(target, Measurement), f"{who} is not derived from Measurement")
    checked = target.check_options(dict(options))
    require(json.loads(json.dumps(checked)) == checked, f"{who}: its options change in JSON: {checked}")
    require(target.check_options(checked) == checked, f"{who}: its options change when they are checked again")
    require(all(isinstance(column, BoardColumn) for column in target.columns), f"{who}: a column is no BoardColumn")
    titles = [column.title for column in target.columns]
    require(len(set(titles)) == len(titles), f"{who} has two columns of one title: {', '.join(titles)}")


def check_measured(component: Component, options: Mapping[str, Any]) -> None:
    """Check that of a small run it gives plain, finite values, the same each time, and a board shows them.

    Raises: AssertionError.
    """
    from dataclasses import replace

    from vsebench.leaderboard.measured import measurement_sections

    who = f"measurement '{component.name}'"
    target: Any = component.target
    run, dataset, snapshot, _ = _small_run()
    if not target.applies(run.result.config):
        return
    checked = target.check_options(dict(options))
    values = component.build(checked).measure(run, dataset)
    try:
        plain = json.loads(json.dumps(values, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{who}: its values are no plain JSON ({error})") from None
    require(plain == values, f"{who}: its values change in JSON: {values} -> {plain}")
    if not component.facts["alone"]:
        again = component.build(checked).measure(run, dataset)
        require(again == values, f"{who} gives other values the second time; times are measured with alone=True")
    for column in target.columns:
        shown = column.value(values)
        require(shown is not None, f"{who}: its column '{column.title}' shows '{column.key}', which is no number in it")
    board = replace(snapshot, measures={run.run_id: {component.name: plain}})
    require(measurement_sections(board), f"{who} shows nothing on the board; give it columns, or sections")


def check_executor(component: Component, options: Mapping[str, Any]) -> None:
    """Check that it is built of a number of workers, and refuses what it cannot do with one line.

    Raises: AssertionError.
    """
    from vsebench.core.errors import ConfigError
    from vsebench.sweeps.executors.base import Executor, Work

    who = f"executor '{component.name}'"
    executor = component.build(options, work=Work(workers=1, device="cpu"))
    require(isinstance(executor, Executor), f"{who} is not derived from Executor")
    executor.check()
    try:
        component.build(options, work=Work(processes=10**6, device="cuda")).check()
    except ConfigError as error:
        require("\n" not in str(error), f"{who} refuses in several lines")
    else:
        raise AssertionError(f"{who} accepts a million processes per run; its check() must refuse what it cannot do")


@cache
def _small_run() -> tuple[Any, Any, Any, Any]:
    """Return a run on images (as features) and texts, its dataset, its board's content, and the folder of all."""
    from vsebench.runs.find import find_run
    from vsebench.runs.load import load_run
    from vsebench.runs.snapshot import load, results_file

    selected, home = tempfile.TemporaryDirectory(), os.environ.get("VSEBENCH_HOME")  # removed when the process ends
    folder = Path(selected.name)
    os.environ["VSEBENCH_HOME"] = str(folder / "home")
    try:
        _sweep(folder)
        run = load_run(find_run("small/row", folder / "runs"), device="cpu")
        return run, run.open_dataset(), load(results_file(folder / "board", "small")), selected
    finally:
        os.environ.pop("VSEBENCH_HOME") if home is None else os.environ.update(VSEBENCH_HOME=home)


def _sweep(folder: Path) -> None:
    from vsebench.data.item import Item
    from vsebench.data.writer import DatasetWriter
    from vsebench.pipeline import sweep

    random, thirds = np.random.default_rng(0), {"train": 0.5, "val": 0.25, "test": 0.25}
    with DatasetWriter(folder / "small.h5", name="small", title="Small", fractions=thirds) as out:
        for i in range(ITEMS):
            features = {"image": random.normal(size=(3, 6)).astype(np.float32) + i % 2}
            out.add(Item(f"i{i}", None, (f"word{i % 2} and more",), "ab"[i % 2], features=features))
    row = {"dim": 8, "image_encoder": "features", "text_encoder": "bow", "head": {"name": "decision", "hidden": None}}
    plain = {
        "experiment": "small",
        "dataset": str(folder / "small.h5"),
        "metrics": ["accuracy", "recall@1"],
        "train": {"epochs": 1, "batch_size": 8},
        "systems": {"row": row},
    }
    sweep(plain, runs=folder / "runs", board=folder / "board", workers=0, device="cpu", say=lambda _: None)
