"""A comparison of indexes: its page, its CSV and its part of the folder's index."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.figure import Figure
from vsebench.leaderboard.forest import rows_figure, thumbnail_file
from vsebench.leaderboard.index_plots import ENOUGH, KINDS, figures, index_styles
from vsebench.leaderboard.page import (
    Block,
    Bullets,
    Cell,
    Column,
    Section,
    code,
    image,
    link,
    plain_table,
    strong,
    table_of,
)
from vsebench.leaderboard.sections import references, unfinished
from vsebench.leaderboard.sections.protocol import earlier_id_lines
from vsebench.leaderboard.table import csv_cell
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.pareto import front
from vsebench.stats.rows import RowView, views

SECTION = "indexes"


def blocks(snapshot: Snapshot) -> list[Block]:
    """Return what the page holds."""
    rows, board = views(snapshot, SECTION), BoardData(snapshot)
    protocol = Section("Protocol", [*earlier_id_lines(snapshot), Bullets(_protocol(snapshot))])
    others = [*references.sections(board), *unfinished.sections(board), protocol]
    if not rows:
        return [*others]
    kind = [str(row.config["index"]["name"]) for row in rows]
    filters = {"Kind": kind} if len(set(kind)) > 1 else {}
    table = table_of(columns(snapshot, rows), rows, title="Indexes", filters=filters)
    answer = f"{strong('At a glance.')} {_glance(snapshot, rows)}"
    table_section = Section("Indexes", [table, *figures(snapshot)], folded=False)
    return [_about(snapshot, rows), answer, _rows(snapshot, rows), *_legend(snapshot), table_section, *others]


def _about(snapshot: Snapshot, rows: Sequence[RowView]) -> str:
    """Return vectors, size and date in a line."""
    sizes = [f"{size:,} {name}" for name, size in snapshot.dataset["splits"].items()]
    dates = sorted(r.finished_at[:10] for r in snapshot.results.values() if r.status == "finished")
    return " · ".join([*sizes, f"{snapshot.dataset['dim']} numbers each", f"{len(rows)} indexes", *dates[-1:]])


def _rows(snapshot: Snapshot, rows: Sequence[RowView]) -> Figure:
    """Return the plot of all indexes by recall, those shaded that no other beats."""
    fronts, known, points = best_in(snapshot, rows), index_styles(snapshot), []
    for row in rows:
        estimate = row.estimate(snapshot.select["metric"])
        if estimate is not None:
            mean, half = 100 * estimate.mean, 100 * (estimate.half or 0.0)
            text = estimate.text(percent=True).split(" ")[0]
            style = known[str(row.config["index"]["name"])]
            points.append((row.row.name, mean, mean - half, mean + half, bool(fronts(row)), False, text, style))
    title = f"{sum(point[4] for point in points)} of {len(points)} are not beaten in recall and speed or size (shaded)"
    return rows_figure(snapshot.experiment, points, title, f"{snapshot.select['metric']} in %, against the exact index")


def _glance(snapshot: Snapshot, rows: Sequence[RowView]) -> str:
    """Return the fastest and the smallest of the indexes that are good enough."""
    chosen = [
        (kind, best) for kind in KINDS if (best := _best(snapshot, rows, kind.key(main_k(snapshot)), kind.falling))
    ]
    enough = f"recall@{main_k(snapshot)} of {100 * ENOUGH:.0f} % and more"
    if not chosen:
        return f"No index reaches a {enough}."
    named = [
        f"{kind.superlative.lower()} is {strong(row.row.name)} ({shown(v)} {kind.what})" for kind, (row, v) in chosen
    ]
    return f"Of the indexes with a {enough}, the {', the '.join(named)}."


def _best(snapshot: Snapshot, rows: Sequence[RowView], key: str, falling: bool) -> tuple[RowView, float] | None:
    """Return the row with the best number of those that are good enough."""
    recall = snapshot.select["metric"]
    good = [row for row in rows if (e := row.estimate(recall)) is not None and e.mean >= ENOUGH]
    costs = [(row, e.mean) for row in good if (e := row.estimate(key)) is not None]
    pick = min if falling else max
    return pick(costs, key=lambda c: c[1], default=None)


def main_k(snapshot: Snapshot) -> int:
    """Return the k that rows are sorted and drawn by."""
    return int(snapshot.select["metric"].rsplit("@", 1)[1])


def ks_of(snapshot: Snapshot) -> list[int]:
    """Every k that was measured."""
    keys = {key for result in snapshot.results.values() for key in result.metrics if key.startswith("recall@")}
    return sorted(int(key.rsplit("@", 1)[1]) for key in keys)


def columns(snapshot: Snapshot, rows: Sequence[RowView]) -> list[Column]:
    """Return the columns of indexes: names, recalls, speed, size, time."""
    k, ks, fronts = main_k(snapshot), ks_of(snapshot), best_in(snapshot, rows)
    recalls = [_recall(f"recall@{n}", first=n == k) for n in ks]
    recalls += [_recall(f"1-recall@{n}", first=False) for n in ks if n > 1]
    return [
        Column("Index", lambda r: Cell(r.row.name, r.row.name.casefold()), "name", strong=True),
        Column("Kind", lambda r: Cell(name := str(r.config["index"]["name"]), name), "name", first=False),
        *recalls,
        Column("Queries/s", _whole(f"qps@{k}"), "cost", "max", key=f"index/qps@{k}"),
        Column("Bytes/vector", _whole("bytes_per_vector"), "cost", "min", key="index/bytes_per_vector"),
        Column("Build s", _seconds, "cost", "min", key="train_s"),
        Column("Best in", lambda r: Cell(fronts(r), fronts(r)) if fronts(r) else None, "statistics"),
        Column("one at a time", _whole(f"qps@{k}:single"), "cost", "max", False, key=f"index/qps@{k}:single"),
        Column("Code bytes", _whole("code_bytes"), "cost", "min", False, key="index/code_bytes"),
    ]


def _recall(key: str, *, first: bool) -> Column:
    def value(row: RowView) -> Cell | None:
        estimate = row.estimate(key)
        return None if estimate is None else Cell(estimate.text(percent=True), estimate.mean)

    return Column(key, value, "retrieval", "max", first, first, f"index/{key}", scale=100.0)


def _whole(key: str) -> Callable[[RowView], Cell | None]:
    def value(row: RowView) -> Cell | None:
        estimate = row.estimate(key)
        return None if estimate is None else Cell(shown(estimate.mean), estimate.mean)

    return value


def _seconds(row: RowView) -> Cell:
    mean = row.train_s().mean
    return Cell(f"{mean:.2f}" if mean < 10 else f"{mean:,.0f}", mean)


def best_in(snapshot: Snapshot, rows: Sequence[RowView]) -> Callable[[RowView], str]:
    """Says of a row in which plots no other is better."""
    k = main_k(snapshot)
    fronts = {kind.title: _on_front(snapshot, rows, kind.key(k), kind.falling) for kind in KINDS}
    return lambda row: ", ".join(title for title, names in fronts.items() if row.row.name in names)


def _on_front(snapshot: Snapshot, rows: Sequence[RowView], key: str, falling: bool) -> set[str]:
    named = [(r.row.name, r.estimate(snapshot.select["metric"]), r.estimate(key)) for r in rows]
    whole = [(name, a.mean, b.mean) for name, a, b in named if a is not None and b is not None]
    selected = front([(recall, -cost if falling else cost) for _, recall, cost in whole])
    return {whole[i][0] for i in selected}


def shown(number: float) -> str:
    """Format a positive number to three digits, or whole."""
    return f"{number:.3g}" if number < 100 else f"{float(f'{number:.3g}'):,.0f}"


def _legend(snapshot: Snapshot) -> list[str]:
    k = main_k(snapshot)
    return [
        f"recall@k: share of the exact k nearest among the first k found; 1-recall@k: share of queries whose nearest "
        f"vector is among the first k found; both in percent, and any of equally near vectors counts. Queries/s: all "
        f"{snapshot.dataset['splits']['queries']:,} queries at once, and one at a time, for k = {k}. Bytes/vector: "
        "the size of the index with ids and learnt parameters, divided by the number of vectors; code bytes: the size "
        "of one further vector, without its 8-byte id. Build s: training and adding. Best in: no other row "
        f"has a higher recall@{k} and more queries/s (speed), or fewer bytes/vector (size)."
    ]


def _protocol(snapshot: Snapshot) -> list[str]:
    data = snapshot.dataset
    sizes = ", ".join(f"{size:,} {name}" for name, size in data["splits"].items())
    seeds = ", ".join(str(s) for s in snapshot.seeds)
    several = len(snapshot.seeds) > 1
    interval = f"; mean ± 95 % t-interval over seeds ({seeds}) for randomised indexes" if several else ""
    lines = [
        f"Vectors: {data['title']}, fingerprint {code(data['fingerprint'])}; {sizes}, {data['dim']} numbers "
        "each, scaled to unit length. Indexes are trained on the vectors that they hold, never on queries.",
        f"Ground truth: cosine comparison with every vector. Rows are sorted by "
        f"{code(snapshot.select['metric'])}{interval}.",
        "A speed is the best of up to three passes; measurements are made one after the other in one process.",
    ]
    lines += snapshot.board.get("protocol", [])
    finished = [r for r in snapshot.results.values() if r.status == "finished"]
    if finished:
        versions = finished[0].versions
        named = ("vsebench", "numpy", "torch", "faiss-cpu", "scikit-learn")
        listing = ", ".join(f"{name} {versions[name]}" for name in named if name in versions)
        dates = sorted(r.finished_at[:10] for r in finished)
        devices = ", ".join(sorted({str(r.hardware.get("device", "?")) for r in finished}))
        threads = ", ".join(sorted({str(r.hardware.get("threads", "?")) for r in finished}))
        lines.append(
            f"{len(finished)} measurements, {dates[0]} to {dates[-1]}, on {devices}, threads: {threads}; "
            f"{listing}. Speeds hold for this machine."
        )
    name = snapshot.experiment
    lines.append(f"Made by {code(snapshot.command)}. All numbers: {link(f'{name}.csv', f'{name}.csv')}.")
    return lines


def table_csv(snapshot: Snapshot) -> str:
    """Every number of every measurement, a line each."""
    rows = views(snapshot, SECTION)
    keys = sorted({key for row in rows for result in row.results for key in result.metrics})
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["row", "index", "options", "seed", "run_id", *map(csv_cell, keys)])
    for row in rows:
        for r in row.results:
            index = r.config["index"]
            options = ", ".join(f"{name}: {value}" for name, value in index["options"].items())
            head = [csv_cell(row.row.name), csv_cell(str(index["name"])), csv_cell(options), r.seed, csv_cell(r.run_id)]
            writer.writerow([*head, *(r.metrics.get(key, "") for key in keys)])
    return stream.getvalue()


def summary(snapshots: Sequence[Snapshot], form: str) -> list[Block]:
    """Return the part of the folder's README about comparisons of indexes."""
    body = []
    for s in snapshots:
        rows, k = views(s, SECTION), main_k(s)
        best = [_best(s, rows, kind.key(k), kind.falling) for kind in KINDS]
        cells = ["–" if one is None else f"{one[0].row.name}: {shown(one[1])}" for one in best]
        picture = image("Its rows", thumbnail_file(s.experiment)) if rows else ""
        body.append([f"{link(s.title, f'{s.experiment}.{form}')} {picture}", str(len(rows)), *cells])
    header = ["Indexes", "Rows"]
    header += [f"{kind.superlative} with recall ≥ {100 * ENOUGH:.0f} %: {kind.what}" for kind in KINDS]
    return [plain_table(header, body)]
