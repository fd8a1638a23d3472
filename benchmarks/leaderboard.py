"""What it costs to come back to what is done: a finished sweep of 500 runs, a board of 10,000 results, start-up.

    python benchmarks/leaderboard.py [--runs 500] [--results 10000]

The results are made up (random accuracies under the ids that the experiment's runs have); nothing is trained.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vsebench.config.experiment import load_experiment
from vsebench.core.types import Result
from vsebench.data.open import open_dataset
from vsebench.leaderboard.render import render
from vsebench.pipeline import take_snapshot
from vsebench.runs.snapshot import results_file, save
from vsebench.runs.store import Store
from vsebench.sweeps.plan import Plan, make_plan

FUSIONS = ["concat", "gated", "sum", "product", "mlb"]
SEEDS = [0, 1, 2, 3, 4]


def write_experiment(folder: Path, runs: int) -> Path:
    """Write an experiment of about so many runs: 5 fusions, 5 seeds, learning rates."""
    rates = [float(f"{r:.6g}") for r in np.geomspace(1e-5, 1e-1, max(1, runs // (len(FUSIONS) * len(SEEDS))))]
    plan = {
        "experiment": "many",
        "dataset": {"name": "mmfrb", "edition": "single", "items": 80},
        "metrics": ["accuracy", "average_precision", "recall@{1,5,10}", "median_rank"],
        "seeds": SEEDS,
        "sweep": {
            "base": {
                "system": "vse",
                "image_encoder": {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32},
                "text_encoder": {"name": "lstm"},
            },
            "grid": {"fusion": FUSIONS, "train.optimizer.lr": rates},
        },
    }
    file = folder / "many.yaml"
    file.write_text(yaml.safe_dump(plan, sort_keys=False))
    return file


def make_up(plan: Plan, store: Store) -> None:
    """Write a finished result for every run."""
    rng = np.random.default_rng(0)
    keys = ["accuracy", "average_precision"]
    for direction in ("i2t", "t2i"):
        keys += [f"{direction}/recall@{k}" for k in (1, 5, 10)] + [f"{direction}/chance/recall@{k}" for k in (1, 5, 10)]
        keys += [f"{direction}/median_rank"]
    for run in plan.runs:
        metrics: dict[str, Any] = {f"{s}/{k}": float(rng.random()) for s in ("val", "test") for k in keys}
        result = Result(
            run_id=run.run_id,
            experiment=run.experiment,
            system=run.name,
            seed=run.seed,
            status="finished",
            config=run.system.model_dump(mode="json"),
            dataset=plan.dataset,
            metrics=metrics,
            metric_versions={"accuracy": 1},
            parameters={"total": 1_000_000, "trained": 100_000},
            train_s=1.0,
            epochs=30,
            best_epoch=20,
            test_evaluations=1,
            versions={"vsebench": "0"},
            hardware={"device": "cpu", "threads": 1},
            finished_at="2026-01-01T00:00:00+00:00",
        )
        store.write(result)


def planned(file: Path) -> Plan:
    """Plan the experiment."""
    loaded = load_experiment(file)
    dataset = open_dataset(loaded.spec.dataset)
    return make_plan(loaded, dataset.describe(), Store(file.parent / "runs", "many"))


def command(folder: Path, *arguments: str) -> float:
    """Seconds of a command in a process of its own, the best of three."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "vsebench", *arguments], cwd=folder, check=True, capture_output=True)
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--results", type=int, default=10_000)
    message = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["VSEBENCH_HOME"] = str(Path(place) / "home")
        folder = Path(place) / "resume"
        folder.mkdir()
        file = write_experiment(folder, message.runs)
        plan = planned(file)
        make_up(plan, Store(folder / "runs", "many"))
        empty = command(folder, "--version")
        torch = min(_import_torch() for _ in range(3))
        print("| command | seconds | against importing torch |\n|--|--:|--:|")
        for name, seconds in (
            ("`python -c 'import torch'`", torch),
            ("`vsebench --version`", empty),
            ("`vsebench components`", command(folder, "components")),
            (
                f"`vsebench sweep`, all {len(plan.runs)} runs finished",
                command(folder, "sweep", "many.yaml", "--wandb", "disabled"),
            ),
        ):
            print(f"| {name} | {seconds:.2f} | {seconds / torch:.2f} |", flush=True)

        folder = Path(place) / "board"
        folder.mkdir()
        file = write_experiment(folder, message.results)
        store, plan = Store(folder / "runs", "many"), planned(file)
        make_up(plan, store)
        begin = time.perf_counter()
        snapshot = take_snapshot(plan, store, "vsebench sweep many.yaml")
        read = time.perf_counter() - begin
        begin = time.perf_counter()
        save(snapshot, results_file(folder / "leaderboard", "many"))
        saved = time.perf_counter() - begin
        begin = time.perf_counter()
        render(folder / "leaderboard", ["many"])
        rendered = time.perf_counter() - begin
        whole = command(folder, "leaderboard", "many")
        print(f"\n| a board of {len(snapshot.results):,} results | seconds |\n|--|--:|")
        for name, seconds in (
            ("reading the results", read),
            ("saving them as one file", saved),
            ("rendering the pages", rendered),
            ("`vsebench leaderboard`, in a process of its own", whole),
        ):
            print(f"| {name} | {seconds:.2f} |")
        print(f"\n{len(dataclasses.fields(Result))} fields for each result, {len(snapshot.rows):,} rows.")


def _import_torch() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
