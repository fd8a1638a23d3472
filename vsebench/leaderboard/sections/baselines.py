"""What is reached without a model, or with one modality: a board's baselines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from vsebench.core.display import ARROWS, shown
from vsebench.core.types import MODALITIES
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.metric_columns import quality_keys
from vsebench.leaderboard.page import Block, Section, code, plain_table
from vsebench.leaderboard.significance import Comparisons, interval_cell
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.intervals import wilson_interval
from vsebench.stats.rows import RowView

PLACE = 20


def sections(board: BoardData) -> list[Section]:
    """Return the section: majority class, random answers, each modality alone; a random order of the gallery."""
    blocks = [*_classification(board), *_retrieval(board.rows)]
    return [Section("Baselines", blocks)] if blocks else []


def _classification(board: BoardData) -> list[Block]:
    snapshot, ranked, comparisons = board.snapshot, board.ranked, board.comparisons
    rows = ranked
    keys = [f"test/{name}" for name in ("accuracy", "vqa_accuracy", "average_precision")]
    keys = [key for key in keys if any(row.estimate(key) is not None for row in rows)]
    if not keys:
        return []
    used = [m for m in MODALITIES if any(m in row.modalities.split(" + ") for row in rows)]
    alone = {m: next((row for row in ranked if row.modalities == m), None) for m in used}
    body = _trivial(snapshot, keys, comparisons)
    for modality, row in alone.items():
        if row is None:
            continue
        cells = [shown(key).cell(e) if (e := row.estimate(key)) is not None else "–" for key in keys]
        body.append([f"{modality.capitalize()} only", row.row.name, *cells, _interval(row, comparisons)])
    header = ["Baseline", "Row", *(shown(key).heading for key in keys), "95 % over items"]
    missing = [modality for modality, row in alone.items() if row is None]
    return [*([plain_table(header, body, left=2)] if body else []), *(_how_to_add(used, missing) if missing else [])]


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
            return "–" if result is None else result.text
    return "–"


def _how_to_add(used: Sequence[str], missing: Sequence[str]) -> list[str]:
    """Explain how to add rows of one modality."""
    lines = []
    for modality in missing:
        others = ", ".join(f"{other}_encoder: none" for other in used if other != modality)
        lines.append(f"{modality} only ({code(others)})" if others else f"{modality} only")
    return [f"No row uses {' or '.join(lines)}; such a row would show what the other modality adds."]


def _retrieval(rows: Sequence[RowView]) -> list[Block]:
    """Return the numbers of a random order; no modality alone can be ranked against the other."""
    metrics = next((r.metrics for row in rows for r in row.results if any("/chance/" in k for k in r.metrics)), None)
    levels = {} if metrics is None else chance_levels(metrics)
    if not levels:
        return []
    cells = {shown(key).title: shown(key).plain(level) for key, level in levels.items()}
    message = "Retrieval needs two modalities, so there is no unimodal baseline here."
    return [plain_table(["Baseline", *cells], [["Random order", *cells.values()]]), message]


def chance_levels(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return what a random order reaches, by the key of the number; of ``rsum`` the sum of its six."""
    chances = {key: re.sub("^test/([it]2[it])/", r"test/\1/chance/", key) for key in quality_keys(metrics)}
    levels = {key: metrics[chance] for key, chance in chances.items() if chance != key and chance in metrics}
    recalls = [f"test/{way}/recall@{k}" for way in ("i2t", "t2i") for k in (1, 5, 10)]
    if "test/rsum" in metrics and all(key in levels for key in recalls):
        levels["test/rsum"] = 100 * sum(levels[key] for key in recalls)
    return levels


def chance_line(rows: Sequence[RowView]) -> str:
    """Return what a random order reaches, and which queries are left out; empty where nothing is ranked."""
    metrics = rows[0].results[0].metrics if rows else {}
    metrics = next(
        (r.metrics for row in rows for r in row.results[:1] if any("/chance/" in k for k in r.metrics)), metrics
    )
    levels = [f"{shown(key).title} {shown(key).plain(level)}" for key, level in chance_levels(metrics).items()]
    skipped = {ARROWS[way]: max((v for k, v in metrics.items() if k.startswith(f"test/{way}/skipped/")), default=0)
               for way in ("i2t", "t2i")}  # fmt: skip
    counts = ", ".join(f"{way} {count:,.0f}" for way, count in skipped.items() if count)
    left_out = f" Queries without a match are excluded: {counts}." if counts else ""
    return f"Chance: {', '.join(levels)}.{left_out}" if levels else ""
