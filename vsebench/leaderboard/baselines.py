"""What is reached without a model, or with one modality: a board's baselines."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vsebench.core.types import MODALITIES
from vsebench.leaderboard.full_ranking_metrics import columns_of
from vsebench.leaderboard.significance import Comparisons, interval_cell
from vsebench.leaderboard.table import code, escape, table
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.intervals import wilson_interval
from vsebench.stats.rows import SECTIONS, RowView, sort_key, views

_CHANCE = re.compile(r"test/(i2t|t2i)/chance/recall@(\d+)")
_ARROWS = {"i2t": "i→t", "t2i": "t→i"}


def baselines_section(snapshot: Snapshot, comparisons: Comparisons) -> list[str]:
    """Return the section: majority class, random answers, each modality alone; a random order of the gallery."""
    rows = [row for section in SECTIONS for row in views(snapshot, section)]
    lines = [*_classification(snapshot, rows, comparisons), *_retrieval(rows)]
    return ["## Baselines", "", *lines] if lines else []


def _classification(snapshot: Snapshot, rows: Sequence[RowView], comparisons: Comparisons) -> list[str]:
    shown = [
        (title, key)
        for title, key in (
            ("Test acc.", "test/accuracy"),
            ("Test VQA acc.", "test/vqa_accuracy"),
            ("Test AP", "test/average_precision"),
        )
        if any(row.estimate(key) is not None for row in rows)
    ]
    if not shown:
        return []
    ranked = _best_first(snapshot, rows)
    used = [m for m in MODALITIES if any(m in row.modalities.split(" + ") for row in rows)]
    alone = {m: next((row for row in ranked if row.modalities == m), None) for m in used}
    body = _trivial(snapshot, [key for _, key in shown], comparisons)
    for modality, row in alone.items():
        if row is None:
            continue
        cells = [e.text(percent=True) if (e := row.estimate(key)) is not None else "–" for _, key in shown]
        body.append([f"{modality.capitalize()} only", escape(row.row.name), *cells, _interval(row, comparisons)])
    lines = table(["Baseline", "Row", *(title for title, _ in shown), "95 % over items"], body, left=2) if body else []
    missing = [modality for modality, row in alone.items() if row is None]
    lines += ["", *(_how_to_add(used, missing))] if missing else []
    return [*lines, ""]


def _trivial(snapshot: Snapshot, keys: Sequence[str], comparisons: Comparisons) -> list[list[str]]:
    """Rows of the most frequent class and of random answers, which items with several labels do not have."""
    share, classes = snapshot.dataset.get("majority", {}).get("test"), snapshot.dataset.get("num_classes")
    if "test/accuracy" not in keys or not share or not classes:
        return []
    clusters = next((c.clusters for c in comparisons.values()), int(snapshot.dataset["splits"].get("test", 1)))
    low, high = wilson_interval(share, clusters)

    def cells(value: float) -> list[str]:
        return [f"{100 * value:.1f}" if key == "test/accuracy" else "–" for key in keys]

    return [
        ["Most frequent class", "–", *cells(share), f"[{100 * low:.1f}, {100 * high:.1f}]"],
        ["Random answer", "–", *cells(1 / classes), "–"],
    ]


def _interval(row: RowView, comparisons: Comparisons) -> str:
    for (section, _), comparison in comparisons.items():
        if section == row.row.section and not comparison.measure.depths:
            result = interval_cell(comparison, row)
            return "–" if result is None else result[1]
    return "–"


def _best_first(snapshot: Snapshot, rows: Sequence[RowView]) -> list[RowView]:
    key, mode = sort_key(snapshot)
    sign = -1.0 if mode == "max" else 1.0

    def order(row: RowView) -> float:
        estimate = row.estimate(key)
        return float("inf") if estimate is None else sign * estimate.mean

    return sorted(rows, key=order)


def _how_to_add(used: Sequence[str], missing: Sequence[str]) -> list[str]:
    """Explain how to add rows of one modality."""
    lines = []
    for modality in missing:
        others = ", ".join(f"{other}_encoder: none" for other in used if other != modality)
        lines.append(f"{modality} only ({code(others)})" if others else f"{modality} only")
    return [f"No row uses {' or '.join(lines)}; such a row would show what the other modality adds."]


def _retrieval(rows: Sequence[RowView]) -> list[str]:
    """Return the section of a random order; no modality alone can be ranked against the other."""
    metrics = next((r.metrics for row in rows for r in row.results if any("/chance/" in k for k in r.metrics)), None)
    if metrics is None:
        return []
    cells = []
    for way, k in sorted((m[1], int(m[2])) for key in metrics if (m := _CHANCE.fullmatch(key))):
        cells.append((f"{_ARROWS[way]} R@{k}", 100 * metrics[f"test/{way}/chance/recall@{k}"]))
    if "test/rsum" in metrics and len(cells) == 6:
        cells.append(("rsum", sum(value for _, value in cells)))
    for title, key in columns_of(metrics):
        chance = metrics.get(re.sub(r"^test/(i2t|t2i)/", r"test/\1/chance/", key))
        cells += [] if chance is None else [(title, 100 * chance)]
    if not cells:
        return []
    body = [["Random order", *(f"{value:.1f}" for _, value in cells)]]
    message = "Retrieval needs two modalities, so there is no unimodal baseline here."
    return [*table(["Baseline", *(title for title, _ in cells)], body), "", message, ""]
