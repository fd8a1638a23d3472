"""A small board with the runs that it is of, made without training: predictions are drawn, results follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import yaml

from vsebench.components.metric.base import Predictions
from vsebench.core.metric_specs import compute, parse_metrics, versions
from vsebench.core.types import Result
from vsebench.engine.evaluate import save_predictions
from vsebench.leaderboard.render import render
from vsebench.runs.predictions import save_vectors
from vsebench.runs.snapshot import BoardRow, Snapshot, results_file, save
from vsebench.runs.store import RUN, Store

NAME = "demo"
COUNT = 20
DATA: dict[str, Any] = {
    "name": "demo",
    "title": "Demo data",
    "fingerprint": "f1" * 8,
    "splits": {"train": 80, "val": COUNT, "test": COUNT},
    "captions": {"train": 80, "val": COUNT, "test": COUNT},
    "num_classes": 3,
    "multi_label": False,
    "relevance": "item",
    "split_rule": "by rule",
    "majority": {"test": 0.4},
    "ceilings": {},
}
METRICS = ("accuracy", "nll", "recall@{1,5}", "map")
ROWS: Mapping[str, float] = {"good": 2.0, "poor <b>": 0.3}


def predictions(skill: float, seed: int) -> Predictions:
    """Logits and embeddings that are right by ``skill``; items are the same for all."""
    rng = np.random.default_rng([seed, int(100 * skill)])
    labels = np.arange(COUNT) % 3
    current = np.arange(COUNT)
    base = np.random.default_rng(0).normal(size=(COUNT, 6))
    noise = rng.normal(size=(2, COUNT, 6))
    return Predictions(
        (rng.normal(size=(COUNT, 3)) + skill * np.eye(3)[labels]).astype(np.float32),
        labels,
        embeddings={m: (skill * base + noise[i]).astype(np.float32) for i, m in enumerate(("image", "text"))},
        owner=current,
        groups=current,
    )


def run(root: Path, row: str, seed: int, *, skill: float = 1.0, run_id: str = "", **changes: Any) -> Result:
    """A finished run in a store, with all its files but the model."""
    store = Store(root, NAME)
    run_id = run_id or f"{row.split()[0]}{seed}".ljust(16, "0")
    folder = store.run_folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    parsed = parse_metrics(METRICS)
    metrics: dict[str, float] = {}
    for number, split in enumerate(("val", "test")):
        made = predictions(skill, 10 * seed + number)
        results = compute(made, parsed)
        metrics |= {f"{split}/{name}": value for name, value in results.items()}
        loader: Any = SimpleNamespace(positions=np.arange(COUNT) + number * COUNT)
        save_predictions(folder / f"predictions-{split}.npz", made, loader)
        save_vectors(folder / f"vectors-{split}.npz", made, parsed, results)
    (folder / "history.jsonl").write_text('{"epoch": 1, "val/accuracy": 0.25}\n{"epoch": 2, "val/accuracy": 0.5}\n')
    (folder / RUN).write_text(yaml.safe_dump(run_file(run_id, row=row, seed=seed)))
    parts: dict[str, Any] = {
        "status": "finished",
        "config": {"image_encoder": {"name": "timm_cnn", "options": {"model": "resnet10t"}}, "dim": 64},
        "dataset": DATA,
        "metrics": metrics,
        "metric_versions": versions(parsed),
        "parameters": {"total": 123_456, "trained": 4_321},
        "train_s": 14.273262874998181,
        "other_s": 1.5,
        "epochs": 12,
        "best_epoch": 2,
        "test_evaluations": 1,
        "ranking": {"by": "embeddings (cosine)", "ms_per_query": 0.123456789},
        "versions": {"vsebench": "0.1.0", "torch": "2.15.0"},
        "hardware": {"device": "x86_64", "threads": 1},
        "commit": "0123456789ab",
        "finished_at": "2026-01-02T03:04:05+00:00",
    }
    result = Result(run_id=run_id, experiment=NAME, system=row, seed=seed, **{**parts, **changes})
    store.write(result)
    return result


def run_file(run_id: str, **changes: Any) -> dict[str, Any]:
    """What a run's file says, as far as it is read."""
    return {
        "run_id": run_id,
        "experiment": NAME,
        "row": "row",
        "seed": 0,
        "metrics": list(METRICS),
        "select": {"metric": "val/accuracy", "mode": "max"},
        "dataset": {"spec": DATA["name"], "path": f"{DATA['name']}.h5", "fingerprint": DATA["fingerprint"]},
        "plugins": [],
        "system": {},
        **changes,
    }


def snapshot(results: Sequence[Result], **changes: Any) -> Snapshot:
    """Their board's content."""
    rows: dict[str, dict[str, str]] = {}
    for result in results:
        rows.setdefault(result.system, {})[str(result.seed)] = result.run_id
    parts: dict[str, Any] = {
        "experiment": NAME,
        "title": "Demo board 7",
        "dataset": results[0].dataset,
        "rows": [BoardRow(name, "systems", {}, runs) for name, runs in rows.items()],
        "seeds": sorted({r.seed for r in results}),
        "select": {"metric": "val/accuracy", "mode": "max"},
        "board": {},
        "command": "vsebench sweep demo.yaml",
        "results": {r.run_id: r for r in results},
    }
    return Snapshot(**{**parts, **changes})


def make(folder: Path, *, seeds: Sequence[int] = (0, 1)) -> list[Result]:
    """``runs`` and ``board`` in a folder: two rows with some seeds."""
    results = [run(folder / "runs", row, seed, skill=skill) for row, skill in ROWS.items() for seed in seeds]
    put(folder / "board", snapshot(results))
    return results


def put(board: Path, content: Snapshot) -> Path:
    """Write a board's results and its pages. Returns: the results file."""
    file = results_file(board, content.experiment)
    save(content, file)
    render(board)
    return file
