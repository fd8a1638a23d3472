"""Boards for the tests of the HTML page, and a browser to open it with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vsebench.core.types import Result
from vsebench.runs.snapshot import BoardRow, Snapshot

HOSTILE = "</script><img src=x onerror=alert(1)> \"q\" 's' &amp; <!-- \u2028 [l](javascript:alert(2)) ${7*7} `c` |"
ARGUMENTS = ["--no-sandbox", "--disable-component-update"]


def data(title: str = "Demo", **changes: Any) -> dict[str, Any]:
    sizes = {"train": 80, "val": 10, "test": 60}
    facts = {"name": "demo", "title": title, "fingerprint": "f" * 16, "splits": sizes, "captions": sizes}
    return {
        **facts,
        "num_classes": 3,
        "relevance": "item",
        "split_rule": "by rule",
        "majority": {"test": 0.4},
        **changes,
    }


def result(
    row: str, number: int, seed: int, *, accuracy: float, dataset: dict[str, Any], fusion: str = "concat"
) -> Result:
    encoder = ("cnn", "vit", "features")[number % 3]
    return Result(
        run_id=f"{number:012x}{seed:04x}",
        experiment="demo",
        system=row,
        seed=seed,
        status="finished",
        config={
            "image_encoder": {"name": encoder, "options": {"size": 64}},
            "text_encoder": {"name": "lstm", "options": {"note": row}},
            "attention": {"name": "none", "options": {}},
            "fusion": {"name": fusion, "options": {}},
            "objective": [{"name": "cross_entropy", "options": {"label_smoothing": 0.0}}],
        },
        dataset=dataset,
        metrics={
            "val/accuracy": accuracy + 0.01,
            "test/accuracy": accuracy,
            "test/average_precision": accuracy - 0.02,
            **{f"test/{way}/recall@{k}": accuracy * k / 20 for way in ("i2t", "t2i") for k in (1, 5, 10)},
        },
        metric_versions={"accuracy": 1},
        parameters={"total": 1_000_000 + number, "trained": 1_000 * (number + 1)},
        train_s=3.0 + number,
        epochs=3,
        best_epoch=2,
        versions={"vsebench": "0.1", "torch": "2"},
        hardware={"device": "cpu", "threads": 1},
        commit="abc1234",
        finished_at="2026-01-02T03:04:05+00:00",
    )


def board(count: int = 6, seeds: int = 2, *, text: str = "Row", **changes: Any) -> Snapshot:
    """A board of ``count`` systems; the first is the best."""
    dataset = data()
    rows, results = [], {}
    for i in range(count):
        name = f"{text} {i}"
        output = [
            result(
                name,
                i,
                s,
                accuracy=0.9 - 0.4 * i / count + 0.002 * s,
                dataset=dataset,
                fusion=("concat", "gated")[i % 2],
            )
            for s in range(seeds)
        ]
        rows.append(BoardRow(name, "systems", {}, {str(r.seed): r.run_id for r in output}))
        results |= {r.run_id: r for r in output}
    parts: dict[str, Any] = {
        "experiment": "demo",
        "title": "Demo board",
        "dataset": dataset,
        "rows": rows,
        "seeds": list(range(seeds)),
        "select": {"metric": "val/accuracy", "mode": "max"},
        "board": {"description": "What it is about."},
        "command": "vsebench sweep x.yaml",
        "results": results,
    }
    return Snapshot(**{**parts, **changes})


def write_runs(root: Path, snapshot: Snapshot, *, items: int = 60, classes: int = 3) -> None:
    """Folders of a board's runs, with histories and predictions."""
    generator = np.random.default_rng(0)
    for run_id in snapshot.results:
        folder = root / snapshot.experiment / run_id
        folder.mkdir(parents=True)
        epochs = [{"epoch": e, "lr": 0.1, "train/loss": 1 / e, "val/accuracy": 1 - 0.5 / e} for e in (1, 2, 3)]
        (folder / "history.jsonl").write_text("".join(json.dumps(e) + "\n" for e in epochs))
        labels = generator.integers(0, classes, items)
        logits = (
            generator.normal(size=(items, classes)).astype(np.float32) + 2 * np.eye(classes, dtype=np.float32)[labels]
        )
        above = generator.integers(0, items, items)
        one = np.ones(items, np.int64)
        ranks = {f"{way}/{part}": one for way in ("i2t", "t2i") for part in ("tied", "tied_relevant", "relevant")}
        np.savez(
            folder / "predictions-test.npz",
            positions=np.arange(items), labels=labels, logits=logits, groups=np.arange(items), owner=np.arange(items),
            **ranks, **{"i2t/above": above, "t2i/above": above[::-1]},
        )  # fmt: skip


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium; the test is skipped where there is none."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no chromium on this machine: the page is not tested in a browser")
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: the page is not tested in a browser")
    with sync_api.sync_playwright() as play:
        result = play.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield result
        result.close()
