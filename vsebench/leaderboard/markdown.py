"""A board as a Markdown page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vsebench.leaderboard.baselines import baselines_section
from vsebench.leaderboard.factors_section import factors_section
from vsebench.leaderboard.full_ranking_metrics import chances_of, columns_of, skipped_of
from vsebench.leaderboard.measured import measurement_sections
from vsebench.leaderboard.pivot import pivot_lines
from vsebench.leaderboard.plots import curves_section
from vsebench.leaderboard.protocol import definition_lines, earlier_id_lines, protocol_section, ranked_items
from vsebench.leaderboard.references import references
from vsebench.leaderboard.significance import (
    Comparisons,
    below_table,
    group_cell,
    interval_cell,
    interval_title,
    unavailable,
)
from vsebench.leaderboard.slices import slices_section
from vsebench.leaderboard.table import comment, escape, prose, table
from vsebench.leaderboard.unfinished import failed_section, pruned_section
from vsebench.leaderboard.unimodal import gains_section
from vsebench.runs.item_scores import ItemScores
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.intervals import item_half_width
from vsebench.stats.rank_groups import Comparison, compare_all
from vsebench.stats.rows import SECTIONS, RowView, axes_of, views

AXIS_TITLES = {
    "image_encoder": "Image encoder",
    "text_encoder": "Text encoder",
    "audio_encoder": "Audio encoder",
    "attention": "Attention",
    "pooling": "Pooling",
    "fusion": "Fusion",
    "head": "Head",
    "objective": "Objective",
    "fitter": "Method",
    "fitter.bits": "Bits",
}


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Args:
        title: its head.
        value: the number that decides which cell is best, and the cell; None for an empty cell.
        best: ``max``, ``min`` or None for a column without a best value.
    """

    title: str
    value: Callable[[RowView], tuple[float, str] | None]
    best: str | None = "max"


def page(snapshot: Snapshot, item_scores: ItemScores | None = None, unusable: str = "") -> str:
    """Return the whole page as Markdown.

    Args:
        snapshot: the board's content.
        item_scores: of single test items, for intervals over items and rank groups.
        unusable: why there are none, where they were collected and cannot be used.
    """
    compared = {} if item_scores is None else compare_all(snapshot, item_scores)
    lines = [
        f"# {escape(snapshot.title)}",
        "",
        comment(f"Written by 'vsebench leaderboard' from results/{snapshot.experiment}.json. Do not edit."),
        "",
    ]
    described = snapshot.board.get("description")
    if described:
        lines += [prose(described), ""]
    context = _context(snapshot, compared)
    for paragraph in (context, definition_lines(snapshot), earlier_id_lines(snapshot)):
        lines += [*paragraph, ""] if paragraph else []
    lines += unavailable(snapshot, item_scores, compared, unusable)
    for section, title in SECTIONS.items():
        rows = views(snapshot, section)
        if rows:
            title = "Search" if section == "sweep" and "method" in snapshot.search else title
            across = pivot_lines(snapshot.board.get("pivot"), rows, AXIS_TITLES) if section == "sweep" else []
            lines += [f"## {title}", "", *across, *_section(snapshot, rows, compared), ""]
    lines += baselines_section(snapshot, compared)
    lines += slices_section(snapshot, item_scores)
    lines += [*factors_section(snapshot, AXIS_TITLES), *gains_section(snapshot)]
    lines += measurement_sections(snapshot)
    lines += [*curves_section(snapshot), *pruned_section(snapshot), *references(snapshot), *failed_section(snapshot)]
    lines += protocol_section(snapshot, compared)
    return "\n".join(lines).rstrip() + "\n"


def _context(snapshot: Snapshot, compared: Comparisons) -> list[str]:
    data = snapshot.dataset
    majority = data.get("majority", {}).get("test")
    classified = any("test/accuracy" in r.metrics for r in snapshot.results.values())
    lines = [f"Test accuracy of the most frequent class: {100 * majority:.1f} %."] if majority and classified else []
    ceilings = data.get("ceilings") or {}
    if ceilings:
        named = ", ".join(f"{escape(k)} {100 * v:.1f} %" for k, v in ceilings.items())
        lines.append(f"Best possible accuracy on this data (known, because it is generated): {named}.")
    best = max(
        (v for s in SECTIONS for v in views(snapshot, s)[:1]), key=lambda v: _mean(v, "test/accuracy"), default=None
    )
    size = data["splits"].get("test")
    if not compared and best is not None and size and _mean(best, "test/accuracy") > 0:
        half = 100 * item_half_width(_mean(best, "test/accuracy"), size)
        lines.append(
            f"With another test set of {size:,} items, an accuracy would vary by about ± {half:.1f} points (Wilson, "
            "95 %); "
            "± in the tables is over seeds."
        )
    return [" ".join(lines)] if lines else []


def _mean(view: RowView, key: str) -> float:
    estimate = view.estimate(key)
    return estimate.mean if estimate is not None else 0.0


def _section(snapshot: Snapshot, rows: Sequence[RowView], compared: Comparisons) -> list[str]:
    names = _name_columns(rows)
    by = {measure: c for (section, measure), c in compared.items() if section == rows[0].row.section}
    answered = by.get("vqa_accuracy", by.get("accuracy", by.get("average_precision")))
    lines = rendered(names, [c for c in classification_columns(answered) if filled(c, rows)], rows)
    lines += [] if answered is None else below_table(answered)
    result = by.get("recall")
    retrieval = [c for c in [*retrieval_columns(rows), *over_items(result)] if filled(c, rows)]
    if retrieval:
        ranked = [r for r in rows if any(c.value(r) for c in retrieval)]
        lines += ["", f"**Retrieval with each modality's own embedding** ({ranked_items(snapshot)}):", ""]
        shown = names[:1] if names[0].title == "System" else names
        if len({_ranked_by(r) for r in ranked}) > 1:
            shown = [*shown, NameColumn("Ranked by", lambda r: escape(_ranked_by(r)))]
        lines += rendered(shown, retrieval, ranked)
        lines += [*_chance(ranked), *([] if result is None else below_table(result))]
    return lines


@dataclass(frozen=True)
class NameColumn:
    """A column of names."""

    title: str
    value: Callable[[RowView], str]


def _name_columns(rows: Sequence[RowView]) -> list[NameColumn]:
    axes = axes_of(rows)
    if axes:
        return [NameColumn(AXIS_TITLES.get(a, escape(a)), lambda r, a=a: escape(r.label(a))) for a in axes]  # type: ignore[misc]
    columns = [NameColumn("System", lambda r: escape(r.row.name)), NameColumn("Uses", lambda r: r.modalities)]
    for slot in ("text_encoder", "attention", "fusion"):
        if len({r.component(slot) for r in rows}) > 1:
            columns.append(NameColumn(AXIS_TITLES[slot], lambda r, s=slot: escape(r.component(s))))  # type: ignore[misc]
    return columns


def _ranked_by(row: RowView) -> str:
    return str(row.results[0].ranking.get("by", "embeddings (cosine)"))


def _query_cost(row: RowView) -> tuple[float, str] | None:
    costs = [float(r.ranking["ms_per_query"]) for r in row.results if "ms_per_query" in r.ranking]
    if not costs:
        return None
    mean = sum(costs) / len(costs)
    return mean, f"{mean:.2g}" if mean < 10 else f"{mean:.0f}"


def _percent(key: str) -> Callable[[RowView], tuple[float, str] | None]:
    def value(row: RowView) -> tuple[float, str] | None:
        estimate = row.estimate(key)
        return None if estimate is None else (estimate.mean, estimate.text(percent=True))

    return value


def _plain(key: str, digits: int = 1) -> Callable[[RowView], tuple[float, str] | None]:
    def value(row: RowView) -> tuple[float, str] | None:
        estimate = row.estimate(key)
        return None if estimate is None else (estimate.mean, estimate.text(digits=digits))

    return value


def over_items(compared: Comparison | None) -> list[Column]:
    """Interval over items and rank group, where rows were compared."""
    if compared is None:
        return []
    return [
        Column(interval_title(compared), lambda r: interval_cell(compared, r), None),
        Column("Group", lambda r: group_cell(compared, r), None),
    ]


def classification_columns(compared: Comparison | None = None) -> list[Column]:
    """Return the columns of classification, and of a row's costs."""
    return [
        Column("Val acc.", _percent("val/accuracy")),
        Column("Test acc.", _percent("test/accuracy")),
        Column("Test VQA acc.", _percent("test/vqa_accuracy")),
        *over_items(compared),
        Column("Test AP", _percent("test/average_precision")),
        Column("Trained", _trained, None),
        Column(
            "All param.", lambda r: (r.results[0].parameters["total"], _units(r.results[0].parameters["total"])), None
        ),
        Column("Train s", lambda r: (r.train_s().mean, f"{r.train_s().mean:.0f}"), None),
    ]


def _trained(row: RowView) -> tuple[float, str]:
    result = row.results[0]
    count = float(result.parameters["trained"])
    untrained = result.config.get("objective") == [] and result.config.get("fitter") is None
    return count, "zero-shot" if untrained else _units(count)


def retrieval_columns(rows: Sequence[RowView]) -> list[Column]:
    """Return the columns of retrieval, for the metrics that the rows have."""
    columns = []
    for metric, protocol in (("recall", ""), ("recall_1k", "1K ")):
        result = (k for r in rows for k in r.results[0].metrics if f"/{metric}@" in k)
        ks = sorted({int(k.rsplit("@", 1)[1]) for k in result})
        for direction, title in (("i2t", "i→t"), ("t2i", "t→i")):
            key = f"test/{direction}/{metric}"
            columns += [Column(f"{protocol}{title} R@{k}", _percent(f"{key}@{k}")) for k in ks]
            if metric == "recall":
                columns.append(Column(f"{title} MedR", _plain(f"test/{direction}/median_rank"), "min"))
    columns += [Column(t, _percent(key)) for t, key in columns_of({k for r in rows for k in r.results[0].metrics})]
    columns.append(Column("1K rsum", _plain("test/rsum_1k")))
    columns.append(Column("rsum", _plain("test/rsum")))
    if len({_ranked_by(r) for r in rows}) > 1:
        columns.append(Column("ms/query", _query_cost, None))
    near = sorted({k for r in rows for k in r.results[0].metrics if k.startswith("test/i2i/") and "precision@" in k})
    for key in near:
        label = "i→i re-ranked P@" if "reranked" in key else "i→i P@"
        columns.append(Column(label + key.rsplit("@", 1)[1], _percent(key)))
    return columns


def filled(column: Column, rows: Sequence[RowView]) -> bool:
    """Whether any row has a value of a column."""
    return any(column.value(row) for row in rows)


def rendered(names: Sequence[NameColumn], columns: Sequence[Column], rows: Sequence[RowView]) -> list[str]:
    """Lines of a table of rows, the best of each column in bold."""
    best = [best_of(column, rows) for column in columns]
    body = []
    for row in rows:
        cells = [name.value(row) for name in names]
        for column, winner in zip(columns, best, strict=True):
            value = column.value(row)
            text = "–" if value is None else value[1]
            cells.append(f"**{text}**" if value is not None and value[0] == winner else text)
        body.append(cells)
    return table([*(n.title for n in names), *(c.title for c in columns)], body, left=len(names))


def best_of(column: Column, rows: Sequence[RowView]) -> float | None:
    """Return the best value of a column; None where none is better than another."""
    if column.best is None or len(rows) < 2:
        return None
    values = [value[0] for row in rows if (value := column.value(row)) is not None]
    if not values:
        return None
    return max(values) if column.best == "max" else min(values)


def _units(count: float) -> str:
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count / size < 999.5 else f"{count / size:.0f} {unit}"
    return f"{count:.0f}"


def _chance(rows: Sequence[RowView]) -> list[str]:
    parts, skipped = [], []
    metrics = rows[0].results[0].metrics if rows else {}
    for direction, title in (("i2t", "i→t"), ("t2i", "t→i")):
        values = [(k, v) for k, v in metrics.items() if k.startswith(f"test/{direction}/chance/recall@")]
        by_k = sorted((int(k.rsplit("@", 1)[1]), v) for k, v in values)
        shown = [*(f"R@{k} {100 * v:.1f}" for k, v in by_k), *chances_of(metrics, direction)]
        if shown:
            parts.append(f"{title} {', '.join(shown)}")
        if count := skipped_of(metrics, direction):
            skipped.append(f"{title} {count:,}")
    listing = f" Queries without a match are excluded: {', '.join(skipped)}." if skipped else ""
    return ["", f"Chance: {'; '.join(parts)}.{listing}"] if parts else []
