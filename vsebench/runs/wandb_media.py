"""Tables, charts and artifacts of a W&B run.

W&B would log a table as an artifact, whose files an offline run names by their absolute paths. A table that is bound to
its run before is a file of the run alone, by a relative path: an offline folder may then be moved before it is synced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from vsebench.core.types import Result

#: A matrix of more classes, or so many curves, are not to be read.
MOST_CLASSES = 30
#: Where curves of precision and recall are read: 0, 1/40, …, 1.
RECALLS = np.linspace(0, 1, 41)
#: Files of a run's folder by artifact; names may be patterns.
ARTIFACTS: Mapping[str, Sequence[str]] = {
    "model": ("model.safetensors", "vocabulary.json", "run.yaml"),
    "predictions": ("predictions-*.npz", "vectors-*.npz"),
}


def log_table(run: Any, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Log a table as a file of the run."""
    import wandb

    table = wandb.Table(columns=list(columns), data=[list(row) for row in rows])
    table.bind_to_run(run, name, run.step)
    run.log({name: table})


def log_charts(run: Any, folder: Path, label_names: Sequence[str]) -> None:
    """Log the confusion matrix and the curves of precision and recall on test, where the run stored logits.

    Args:
        run: the W&B run.
        folder: of the run that has the predictions.
        label_names: of the classes.
    """
    import wandb

    from vsebench.runs.predictions import load_predictions, predictions_file

    if not predictions_file(folder, "test").is_file():
        return
    stored = load_predictions(folder, "test", vectors=False)
    if stored.logits is None or not label_names:
        return
    names, several = list(label_names), stored.labels.ndim > 1
    charts = {}
    if not several and len(names) <= MOST_CLASSES:
        known = stored.labels >= 0
        charts["test/confusion_matrix"] = wandb.plot.confusion_matrix(
            y_true=stored.labels[known].tolist(),
            preds=stored.scored[known].argmax(1).tolist(),
            class_names=names,
            title="Test: true and predicted classes",
        )
    truth = stored.labels > 0 if several else stored.labels[:, None] == np.arange(len(names))
    charts["test/precision_recall"] = wandb.plot_table(
        "wandb/area-under-curve/v0",
        wandb.Table(columns=["class", "precision", "recall"], data=precision_points(truth, stored.class_ranks, names)),
        {"x": "recall", "y": "precision", "class": "class"},
        {"title": "Test: precision by recall", "x-axis-title": "Recall", "y-axis-title": "Precision"},
    )
    for name, chart in charts.items():
        chart.set_key(name)
        chart.table.bind_to_run(run, chart.spec.table_key, run.step)
        run.log({name: chart})


def precision_points(truth: np.ndarray, scores: np.ndarray, names: Sequence[str]) -> list[list[Any]]:
    """Return class, precision and recall along the curves of all classes together and, of a few classes, of each.

    Args:
        truth: bool (n, C).
        scores: float (n, C), the higher the likelier.
        names: of the classes; those without an item are left out.
    """
    from sklearn.metrics import precision_recall_curve

    columns = {"all": (truth.ravel(), scores.ravel())}
    if len(names) <= MOST_CLASSES:
        columns |= {name: (truth[:, i], scores[:, i]) for i, name in enumerate(names)}
    points: list[list[Any]] = []
    for name, (right, score) in columns.items():
        if right.any():
            precision, recall, _ = precision_recall_curve(right, score)
            # The last point, precision 1 at recall 0, is no measurement; before it recall falls.
            highest = np.maximum.accumulate(precision[:-1])[::-1]
            at = np.searchsorted(recall[:-1][::-1], RECALLS - 1e-12)
            points += [[name, float(p), float(r)] for p, r in zip(highest[at], RECALLS, strict=True)]
    return points


def log_artifacts(run: Any, folder: Path, result: Result) -> None:
    """Log model, predictions and the dataset's card. Files are named by their absolute paths, and not copied."""
    import wandb

    facts = {"row": result.system, "seed": result.seed, **result.metrics}
    for kind, patterns in ARTIFACTS.items():
        artifact = wandb.Artifact(f"{kind}-{result.run_id}", type=kind, metadata=facts)
        for file in sorted(file for pattern in patterns for file in folder.glob(pattern)):
            artifact.add_file(str(file.resolve()), file.name, policy="mutable")
        run.log_artifact(artifact)
    card = Path(run.dir).resolve().parent / "dataset-card.md"
    card.write_text(dataset_card(result.dataset), encoding="utf-8")
    about = {key: result.dataset[key] for key in ("fingerprint", "splits", "num_classes")}
    artifact = wandb.Artifact(f"dataset-{result.dataset['fingerprint']}", type="dataset", metadata=about)
    artifact.add_file(str(card), card.name, policy="mutable")
    run.log_artifact(artifact)


def dataset_card(dataset: Mapping[str, Any]) -> str:
    """Return what results say of a dataset, as Markdown: facts, no data."""
    lines = [f"# {dataset['title']}", "", "| | |", "|--|--|"]
    for name, value in dataset.items():
        text = ", ".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)
        if text and name != "title":
            lines.append(f"| {name.replace('_', ' ')} | {text.replace('|', '/')} |")
    return "\n".join(lines) + "\n"
