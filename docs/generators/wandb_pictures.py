"""The pictures of docs/wandb.md, drawn from a run's offline log: python docs/generators/wandb_pictures.py RUN_FOLDER.

RUN_FOLDER is one of W&B's, ``runs/<experiment>/wandb/offline-run-…``, of a classifier.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from vsebench.leaderboard.palette import COLOURS, GREY, GRID
from vsebench.runs.wandb_log import OfflineRun, read_log

OUT = Path(__file__).resolve().parents[1] / "wandb"
#: Numbers that are drawn over epochs, a panel each.
PANELS = ("train/loss", "val/accuracy", "val/average_precision", "val/i2t/recall@10")


def table_of(folder: Path, run: OfflineRun, key: str) -> list[list[Any]]:
    """Return the lines of a logged table."""
    path = next(step[f"{key}/path"] for step in reversed(run.history) if f"{key}/path" in step)
    lines: list[list[Any]] = json.loads((folder / "files" / path).read_text(encoding="utf-8"))["data"]
    return lines


def history(run: OfflineRun) -> Figure:
    """Draw the history over epochs."""
    steps = [step for step in run.history if "train/loss" in step]
    panels = [key for key in PANELS if key in steps[0]]
    figure = Figure(figsize=(2.6 * len(panels), 2.3), layout="constrained")
    for axes, key in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        axes.plot([step["epoch"] for step in steps], [step[key] for step in steps], color=COLOURS[0])
        axes.axvline(run.config["best_epoch"], color=COLOURS[1], linewidth=0.8, linestyle="--")
        axes.set_title(key, fontsize=9)
        axes.grid(True, color=GRID, linewidth=0.6)
        axes.tick_params(labelsize=8)
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.supxlabel(f"epoch; the best is {run.config['best_epoch']}", fontsize=8)
    return figure


def confusion(lines: list[list[Any]]) -> Figure:
    """Draw the confusion matrix: true classes down, predicted ones across."""
    names = list(dict.fromkeys(line[0] for line in lines))
    counts = {(true, predicted): count for true, predicted, count in lines}
    figure = Figure(figsize=(4.4, 4), layout="constrained")
    axes = figure.subplots()
    axes.imshow([[counts[a, b] for b in names] for a in names], cmap="Blues")
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_xlabel("predicted", fontsize=8)
    axes.set_ylabel("true", fontsize=8)
    return figure


def precision_recall(lines: list[list[Any]]) -> Figure:
    """Draw precision over recall, a pale line for each class and a strong one for all together."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for name, precision, recall in lines:
        curves.setdefault(name, []).append((recall, precision))
    figure = Figure(figsize=(4.4, 3.4), layout="constrained")
    axes = figure.subplots()
    together = curves.pop("all")
    for number, points in enumerate(curves.values()):
        label = None if number else "each class"
        axes.plot(*zip(*points, strict=True), color=GREY, linewidth=0.8, label=label)
    axes.plot(*zip(*together, strict=True), color=COLOURS[0], linewidth=2.4, label="all together")
    axes.set_xlabel("recall", fontsize=8)
    axes.set_ylabel("precision", fontsize=8)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.legend(fontsize=7, frameon=False)
    return figure


def main(folder: Path) -> None:
    """Draw all pictures."""
    (file,) = folder.glob("run-*.wandb")
    run = read_log(file)
    OUT.mkdir(exist_ok=True)
    drawn = {
        "history": history(run),
        "confusion": confusion(table_of(folder, run, "test/confusion_matrix_table")),
        "precision_recall": precision_recall(table_of(folder, run, "test/precision_recall_table")),
    }
    for name, figure in drawn.items():
        figure.savefig(OUT / f"{name}.png", dpi=110)
        print(f"wrote {OUT / name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
