"""What a sweep costs: with and without kept features, against independent scripts, over workers, after a change.

    python benchmarks/sweep.py [--dataset fashion_products] [--sample 2] [--epochs 10] [--scaling]

A grid of 24 runs (4 fusions, 3 learning rates, 2 seeds) over a frozen MobileNetV2 and a frozen MiniLM or, without
``models/minilm``, mean word vectors. All ways train the same runs with the same numbers, which is checked.

1. The plain way: for every run a process of its own, with all cores, that encodes every batch of every epoch.
2. One sweep without kept features: one warm worker with all cores, encoding as before.
3. One sweep, nothing kept yet; the same again with features kept, over 1 and 2 workers.
4. One more fusion in the finished grid; the finished grid again.

The first two ways are timed on the first ``--sample`` runs and scaled to 24 (``--sample 24`` runs them all). Memory is
the largest of a way's processes, shared pages included. With ``--scaling`` only 1 and 2 workers are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FUSIONS, RATES, SEEDS = ["concat", "gated", "sum", "product"], [3e-4, 1e-3, 3e-3], [0, 1]
RUNS = len(FUSIONS) * len(RATES) * len(SEEDS)


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock and the largest process in MiB."""

    seconds: float
    memory: float


def experiment(dataset: str, epochs: int) -> dict[str, Any]:
    """Return the grid."""
    models = Path(__file__).parent.parent / "models"
    image = {
        "name": "timm_cnn",
        "model": "mobilenetv2_100",
        "weights": str(models / "mobilenetv2_100.safetensors"),
        "model_args": {"pad_type": "same"},
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "image_size": 128,
    }
    if not Path(image["weights"]).exists():
        image["weights"] = "none"  # random weights take as long
    text = {"name": "bert", "model": str(models / "minilm")} if (models / "minilm").exists() else {"name": "mean_words"}
    return {
        "experiment": "benchmark",
        "dataset": dataset,
        "metrics": ["accuracy"],
        "seeds": SEEDS,
        "train": {"epochs": epochs, "batch_size": 128, "optimizer": {"name": "adamw", "lr": 1e-3}},
        "sweep": {
            "base": {
                "system": "vse",
                "image_encoder": image,
                "text_encoder": text,
                "projection": "mlp",
                "dropout": 0.3,
            },
            "grid": {"fusion": FUSIONS, "train.optimizer.lr": RATES},
        },
    }


def sweep(folder: Path, plan: dict[str, Any], home: Path, *more: str) -> Cost:
    """Run the command in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
    command = [sys.executable, "-m", "vsebench", "sweep", "experiment.yaml", "--wandb", "disabled", "--device", "cpu"]
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as message:
        process = subprocess.Popen(
            [*command, *more],
            cwd=folder,
            env={**os.environ, "VSEBENCH_HOME": str(home)},
            stdout=message,
            stderr=message,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            message.seek(0)
            raise SystemExit(message.read().decode())
    seconds = time.perf_counter() - begin
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return Cost(seconds, max(usage.ru_maxrss, children) / 1024)


def accuracies(folder: Path) -> dict[tuple[str, int], float]:
    """Test accuracy by row and seed."""
    results = {}
    for file in folder.glob("runs/benchmark/*/result.json"):
        result = json.loads(file.read_text())
        results[result["system"], result["seed"]] = result["metrics"]["test/accuracy"]
    return results


def one_run(plan: dict[str, Any], fusion: str, rate: float, seed: int) -> dict[str, Any]:
    """Return the experiment of a single point."""
    grid = {"fusion": [fusion], "train.optimizer.lr": [rate]}
    return {**plan, "seeds": [seed], "sweep": {**plan["sweep"], "grid": grid}}


def fresh_home(root: Path, name: str, dataset: str) -> Path:
    """Make a home that has the dataset and empty caches."""
    source = Path(os.environ.get("VSEBENCH_HOME", Path.home() / ".cache" / "vsebench")) / "datasets" / f"{dataset}.h5"
    home = root / name
    (home / "datasets").mkdir(parents=True)
    shutil.copy(source, home / "datasets")
    return home


def line(name: str, runs: int, cost: Cost, base: float) -> str:
    """Format a row of the table; seconds scaled to the whole grid."""
    whole = cost.seconds * RUNS / runs
    measured = "" if runs == RUNS else f" ({runs} of {RUNS} measured)"
    return f"| {name}{measured} | {whole:,.0f} | {base / whole:.1f} × | {cost.memory:,.0f} |"


def scaling(root: Path, plan: dict[str, Any], dataset: str) -> None:
    """Print how 1 and 2 workers compare when features are kept."""
    home = fresh_home(root, "home", dataset)
    sweep(root / "first", one_run(plan, FUSIONS[0], RATES[0], SEEDS[0]), home, "--workers", "1")
    one = sweep(root / "one", plan, home, "--workers", "1")
    two = sweep(root / "two", plan, home, "--workers", "2")
    epochs = plan["train"]["epochs"]
    print(
        f"{RUNS} runs of {epochs} epochs, {dataset}, features kept\n\n| workers | seconds | against 1 |\n|--:|--:|--:|"
    )
    print(f"| 1 | {one.seconds:.0f} | 1.00 × |\n| 2 | {two.seconds:.0f} | {one.seconds / two.seconds:.2f} × |")
    same = accuracies(root / "one") == accuracies(root / "two")
    print(f"\nTest accuracies {'are equal' if same else 'DIFFER'}.")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="fashion_products")
    parser.add_argument("--sample", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--scaling", action="store_true")
    message = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="vsebench-sweep-"))
    plan = experiment(message.dataset, message.epochs)
    if message.scaling:
        scaling(root, plan, message.dataset)
        shutil.rmtree(root)
        return
    points = [(fusion, rate, seed) for fusion in FUSIONS for rate in RATES for seed in SEEDS][: message.sample]
    home = fresh_home(root, "plain-home", message.dataset)

    cores = ("--threads", str(len(os.sched_getaffinity(0))))
    plain, text = Cost(0.0, 0.0), {}
    for i, point in enumerate(points):
        one = sweep(root / f"plain-{i}", one_run(plan, *point), home, "--no-cache", "--workers", "1", *cores)
        plain = Cost(plain.seconds + one.seconds, max(plain.memory, one.memory))
        text |= accuracies(root / f"plain-{i}")
    base = plain.seconds * RUNS / len(points)
    print(f"{RUNS} runs of {message.epochs} epochs, {message.dataset}", flush=True)
    print("\n| way | seconds | against the plain way | MiB |\n|--|--:|--:|--:|")
    print(line("a process for each run, encoding each batch", len(points), plain, base), flush=True)

    part = plan if len(points) == RUNS else one_run(plan, *points[0])
    uncached = sweep(root / "uncached", part, home, "--no-cache", "--workers", "1", *cores)
    done = len(accuracies(root / "uncached"))
    print(line("one sweep without kept features, 1 worker with all cores", done, uncached, base), flush=True)

    cold = sweep(root / "two", plan, fresh_home(root, "home", message.dataset), "--workers", "2")
    print(line("one sweep, nothing kept yet, 2 workers", RUNS, cold, base), flush=True)
    one = sweep(root / "warm-one", plan, root / "home", "--workers", "1")
    print(line("one sweep, features kept, 1 worker", RUNS, one, base), flush=True)
    two = sweep(root / "warm-two", plan, root / "home", "--workers", "2")
    print(line("one sweep, features kept, 2 workers", RUNS, two, base), flush=True)
    print(f"\nTwo workers against one, features kept: {one.seconds / two.seconds:.2f} ×")

    more = {**plan, "sweep": {**plan["sweep"], "grid": {"fusion": [*FUSIONS, "mlb"], "train.optimizer.lr": RATES}}}
    added = sweep(root / "warm-two", more, root / "home", "--workers", "2")
    again = sweep(root / "warm-two", more, root / "home", "--workers", "2")
    print(f"One more fusion ({len(RATES) * len(SEEDS)} runs more): {added.seconds:.1f} s; the finished grid again: "
          f"{again.seconds:.1f} s")  # fmt: skip

    whole = accuracies(root / "two")
    worst = max(abs(whole[key] - value) for key, value in text.items())
    same = all(abs(whole[key] - value) < 1e-12 for key, value in accuracies(root / "warm-one").items())
    print(f"Test accuracies: 1 and 2 workers {'are equal' if same else 'DIFFER'}; against the plain way, at most "
          f"{100 * worst:.2f} points")  # fmt: skip
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
