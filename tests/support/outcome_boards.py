"""Boards with outcomes of every item, made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vsebench.core.types import Result
from vsebench.ops.ranking import Ranks
from vsebench.runs.item_scores import ItemScores
from vsebench.runs.snapshot import BoardRow, Snapshot

ITEMS, CAPTIONS = 120, 2
OWNER = np.sort(np.tile(np.arange(ITEMS), CAPTIONS))
DATA = {
    "name": "demo",
    "title": "Demo",
    "fingerprint": "f" * 16,
    "splits": {"train": 80, "val": 10, "test": ITEMS},
    "captions": {"train": 80, "val": 10, "test": len(OWNER)},
    "num_classes": 4,
    "relevance": "group",
    "majority": {"test": 0.3},
}
CLUSTERS = np.arange(ITEMS) // 2


def made_up_ranks(generator: np.random.Generator, skill: float, queries: int, gallery: int) -> Ranks:
    """Ranks that are the better the higher the skill, with ties."""
    above = np.minimum(generator.geometric(skill, queries) - 1, gallery - 3)
    tied = generator.integers(1, 3, queries)
    return Ranks(above, tied, np.ones(queries, np.int64), np.full(queries, 2), gallery=gallery, skipped=0)


def made_up(
    shares: dict[str, float], *, seeds: int = 3, ranked: bool = True, uses: dict[str, str] | None = None
) -> tuple[Snapshot, ItemScores]:
    """A board whose rows have about these accuracies, in the order of validation, and recalls that follow them."""
    generator = np.random.default_rng(0)
    right: dict[str, np.ndarray] = {}
    ranks: dict[str, dict[str, Ranks]] = {"i2t": {}, "t2i": {}}
    results, rows = {}, []
    hard = generator.random(ITEMS)
    for number, (name, share) in enumerate(shares.items()):
        runs = {str(seed): f"{number:08d}{seed:08d}" for seed in range(seeds)}
        rows.append(BoardRow(name, "systems", {}, runs))
        used = (uses or {}).get(name, "image + text")
        for seed, run in runs.items():
            right[run] = (0.5 * hard + 0.5 * generator.random(ITEMS) < share).astype(float)
            metrics = {"val/accuracy": share, "test/accuracy": float(right[run].mean())}
            if ranked and used == "image + text":
                for way, (queries, gallery) in {"i2t": (ITEMS, len(OWNER)), "t2i": (len(OWNER), ITEMS)}.items():
                    output = ranks[way][run] = made_up_ranks(generator, share / 2, queries, gallery)
                    for k in (1, 5, 10):
                        metrics |= {f"test/{way}/recall@{k}": float(output.hit(k).mean())}
                        metrics |= {f"val/{way}/recall@{k}": share, f"test/{way}/chance/recall@{k}": k / gallery}
            results[run] = result(run, name, int(seed), metrics, used)
    board = Snapshot(
        experiment="demo",
        title="Demo board",
        dataset=DATA,
        rows=rows,
        seeds=list(range(seeds)),
        select={"metric": "val/accuracy", "mode": "max"},
        board={},
        command="vsebench sweep x.yaml",
        results=results,
    )
    requested = {"i2t": np.arange(ITEMS), "t2i": OWNER}
    selected = {way: by_run for way, by_run in ranks.items() if by_run}
    item_scores = ItemScores(
        "f" * 16,
        7 + np.arange(ITEMS),
        CLUSTERS,
        {"accuracy": right},
        selected,
        {way: requested[way] for way in selected},
    )
    return board, item_scores


def result(run: str, system: str, seed: int, metrics: dict[str, float], uses: str) -> Result:
    encoders = {f"{m}_encoder": {"name": "any"} if m in uses else None for m in ("image", "text")}
    return Result(
        run_id=run,
        experiment="demo",
        system=system,
        seed=seed,
        status="finished",
        config=encoders,
        dataset=DATA,
        metrics=metrics,
        metric_versions={"accuracy": 1},
        parameters={"total": 10, "trained": 5},
        versions={"vsebench": "0.1"},
        finished_at="2026-01-02T03:04:05+00:00",
    )


def write_predictions(board: Snapshot, item_scores: ItemScores, runs: Path) -> None:
    """What the runs would have left: logits that are right where the outcomes say so, and ranks."""
    labels = np.random.default_rng(1).integers(4, size=ITEMS)
    for run in board.results:
        folder = runs / "demo" / run
        folder.mkdir(parents=True)
        answer = np.where(item_scores.right["accuracy"][run] > 0, labels, (labels + 1) % 4)
        arrays: dict[str, np.ndarray] = {
            "positions": item_scores.positions,
            "labels": labels,
            "groups": 5 * item_scores.clusters,
            "owner": OWNER,
            "logits": np.eye(4, dtype=np.float32)[answer],
        }
        for way, by_run in item_scores.ranks.items():
            if run in by_run:
                for part in ("above", "tied", "tied_relevant", "relevant"):
                    arrays[f"{way}/{part}"] = getattr(by_run[run], part)
        np.savez_compressed(folder / "predictions-test.npz", **arrays)  # type: ignore[arg-type]
