"""The columns of a board's rows: how they rank, every number that they have, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from vsebench.core.display import Shown, natural_order, shown
from vsebench.core.metric_specs import NO_QUALITY
from vsebench.core.registry import ATTENTIONS, POOLINGS
from vsebench.core.types import MODALITIES
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.page import Cell, Column, Group, Table, table_of
from vsebench.leaderboard.significance import group_cell, interval_cell, interval_title, standing
from vsebench.leaderboard.table import units
from vsebench.leaderboard.titles import AXIS_TITLES
from vsebench.stats.rank_groups import Comparison
from vsebench.stats.rows import RowView, axes_of, sort_key, views

#: Component slots that rows of systems can be filtered by.
SLOTS = ("image_encoder", "text_encoder", "audio_encoder", "attention", "pooling", "fusion", "head", "fitter")
#: Parts of the keys of numbers that are no column of their own.
_ELSEWHERE = {*NO_QUALITY, "slice"}
#: A filter with more choices than this is a free text better.
MOST_CHOICES = 60


def quality_keys(keys: Iterable[str]) -> list[str]:
    """Return the keys of test that say something of a system's quality: classification before retrieval, by title.

    Example:
        >>> quality_keys(["test/i2t/recall@5", "test/i2t/chance/recall@5", "val/nll", "test/nll"])
        ['test/nll', 'test/i2t/recall@5']
    """
    numbers = [shown(k) for k in keys if k.startswith("test/") and _ELSEWHERE.isdisjoint(k.split("/"))]
    return [number.key for number in sorted(numbers, key=lambda n: (n.family, natural_order(n.title)))]


def row_table(board: BoardData, section: str) -> Table:
    """Return the table of a section's rows: those of the leading group first, then as validation has them."""
    rows, score = _in_order(board, section), board.score(section)
    columns = [
        *_ranks(board, section, score),
        *_names(rows),
        *_metrics(board, rows, score),
        *_intervals(board, section, rows),
        *_costs(),
    ]
    filters = {title: [of(row) for row in rows] for title, of in _facets(rows).items()}
    filters = {title: values for title, values in filters.items() if 1 < len(set(values)) <= MOST_CHOICES}
    leading = board.leading(section)
    return table_of(columns, rows, lambda row: row.row.name in leading, title=board.title(section), filters=filters)


def top_table(board: BoardData, section: str, most: int) -> Table:
    """Return the first rows of a table with the least that tells them apart: rank, the number that ranks, cost."""
    leading = board.leading(section)
    name, number, _, rank, *_ = _ranks(board, section, board.score(section))
    columns = [name, rank, number, *_costs()[:2]]
    return table_of(columns, _in_order(board, section)[:most], lambda row: row.row.name in leading)


def _in_order(board: BoardData, section: str) -> list[RowView]:
    rows, leading = views(board.snapshot, section), board.leading(section)
    return sorted(rows, key=lambda row: row.row.name not in leading)


def _ranks(board: BoardData, section: str, score: Shown) -> list[Column]:
    """Return name, the number that ranks, its interval, rank group, and what it is above one modality."""
    comparison = board.comparison(section)
    columns = [
        Column("System", lambda r: Cell(r.row.name, r.row.name.casefold()), "name", strong=True),
        replace(_number(score, f"{score.heading}{score.percent}"), first=True, strong=True),
        _interval(comparison, "95 %", "statistics", first=True),
        _rank(comparison, "Rank", "statistics", first=True),
    ]
    if (base := board.base) is not None:
        title, scale = f"Over {base.modalities} alone", board.score(base.row.section).factor
        columns.append(
            Column(title, lambda r: _over(board, r), "statistics", key="gain.value", ends="gain", scale=scale)
        )
    return columns


def _rank(comparison: Comparison | None, title: str, group: Group, *, first: bool = False) -> Column:
    """Return the column of the rank groups of a comparison."""
    key = "" if comparison is None else f"{standing(comparison)}.group"
    return Column(title, partial(group_cell, comparison), group, "min", first, key=key)


def _interval(comparison: Comparison | None, title: str, group: Group, *, first: bool = False) -> Column:
    """Return the column of the intervals over items of a comparison."""
    ends, scale = ("", 1.0) if comparison is None else (standing(comparison), comparison.measure.scale)
    return Column(title, partial(interval_cell, comparison), group, first=first, ends=ends, scale=scale)


def _over(board: BoardData, row: RowView) -> Cell | None:
    known = board.over_base.get((row.row.section, row.row.name))
    if known is None:
        return None
    value, half = known
    ends = None if half is None else (value - half, value + half)
    return Cell(board.score(row.row.section).interval(value, half), value, ends)


def _names(rows: Sequence[RowView]) -> list[Column]:
    """Return what rows differ in, which stands folded."""
    facets = {title: of for title, of in _facets(rows).items() if len({of(row) for row in rows}) > 1}
    return [Column(title, _text(of), "name", first=False) for title, of in facets.items()]


def _facets(rows: Sequence[RowView]) -> dict[str, Callable[[RowView], str]]:
    axes = axes_of(rows)
    facets: dict[str, Callable[[RowView], str]] = {} if axes else {"Uses": lambda r: r.modalities}
    facets |= {AXIS_TITLES.get(s, s): (lambda r, s=s: r.component(s)) for s in SLOTS}  # type: ignore[misc]
    facets |= {AXIS_TITLES.get(a, a): (lambda r, a=a: r.label(a)) for a in axes}  # type: ignore[misc]
    return facets | {"Ranked by": ranked_by}


def _text(of: Callable[[RowView], str]) -> Callable[[RowView], Cell]:
    return lambda row: Cell(of(row), of(row).casefold())


def ranked_by(row: RowView) -> str:
    """Return what a row's queries are ranked by, which may be a side projection (see :func:`sees_both`)."""
    by = _recorded_ranking(row)
    return f"own tokens, projected: {by}" if sees_both(row.config) else by


def _recorded_ranking(row: RowView) -> str:
    return str(row.results[0].ranking.get("by", "embeddings (cosine)"))


def sees_both(config: Mapping[str, Any]) -> bool:
    """Return whether a system of two modalities lets one of them see the other before they are pooled.

    Its embeddings then come from each modality's own tokens by a projection that attention and fusion never touch
    (:class:`~vsebench.engine.model.Model`). A component of a plug-in that is not loaded is taken to see one modality.
    """
    encoders = [config[f"{m}_encoder"] for m in MODALITIES if config.get(f"{m}_encoder")]
    pooling = (config.get("pooling") or {}).values()
    parts = [(ATTENTIONS, config.get("attention")), *((POOLINGS, spec) for spec in pooling)]
    crossed = any(
        spec and spec["name"] in registry and registry.get(spec["name"]).facts["cross_modal"]
        for registry, spec in parts
    )
    return len(encoders) > 1 and (crossed or any(encoder.get("options", {}).get("visual") for encoder in encoders))


def _metrics(board: BoardData, rows: Sequence[RowView], score: Shown) -> list[Column]:
    """Return every other number of the rows, and the one of validation that sorts them."""
    keys = dict.fromkeys(key for row in rows for result in row.results for key in result.metrics)
    wanted = [sort_key(board.snapshot)[0], *quality_keys(keys)]
    numbers = [shown(key) for key in dict.fromkeys(wanted) if key != score.key]
    return [_number(n, n.heading if n.key.startswith("val/") else n.title) for n in numbers]


def _number(number: Shown, title: str) -> Column:
    def cell(row: RowView) -> Cell | None:
        estimate = row.estimate(number.key)
        return None if estimate is None else Cell(number.cell(estimate), estimate.mean)

    return Column(title, cell, number.family, number.direction, False, key=number.key, scale=number.factor)


def _intervals(board: BoardData, section: str, rows: Sequence[RowView]) -> list[Column]:
    """Return interval and group of every other number that has them, and a query's time."""
    several = len({*map(_recorded_ranking, rows)}) > 1
    key = "ranking.ms_per_query"
    columns = [Column("ms/query", _query_cost, "retrieval", "min", False, key=key)] if several else []
    above = board.comparison(section)
    for comparison in (c for (name, _), c in board.comparisons.items() if name == section and c is not above):
        number = shown(f"test/{comparison.measure.name}")
        title, group = f"{number.title}, 95 %", number.family
        if comparison.measure.depths:
            title, group = interval_title(comparison), "retrieval"
            columns.append(_rank(comparison, "Rank by R@k", group))
        columns.append(_interval(comparison, title, group))
    return columns


def _query_cost(row: RowView) -> Cell | None:
    costs = [float(r.ranking["ms_per_query"]) for r in row.results if "ms_per_query" in r.ranking]
    mean = sum(costs) / len(costs) if costs else 0.0
    return Cell(f"{mean:.2g}" if mean < 10 else f"{mean:.0f}", mean) if costs else None


def _costs() -> list[Column]:
    return [
        Column("Parameters", lambda r: _count(r, "total"), "cost", "min", key="parameters.total"),
        Column("Train s", _seconds, "cost", "min", key="train_s"),
        Column("Trained", _trained, "cost", "min", False, key="parameters.trained"),
    ]


def _count(row: RowView, what: str) -> Cell:
    count = float(row.results[0].parameters[what])
    return Cell(units(count), count)


def _seconds(row: RowView) -> Cell:
    mean = row.train_s().mean
    return Cell(f"{mean:.0f}", mean)


def _trained(row: RowView) -> Cell:
    config = row.results[0].config
    untrained = config.get("objective") == [] and config.get("fitter") is None
    return Cell("zero-shot", 0.0) if untrained else _count(row, "trained")
