"""A comparison of indexes as a Markdown page and as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from vsebench.leaderboard.index_plots import KINDS, plot_name
from vsebench.leaderboard.markdown import Column, NameColumn, rendered
from vsebench.leaderboard.protocol import earlier_id_lines
from vsebench.leaderboard.references import references
from vsebench.leaderboard.table import code, comment, csv_cell, escape, link, prose, table
from vsebench.leaderboard.unfinished import failed_section
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.pareto import front
from vsebench.stats.rows import RowView, views

SECTION = "indexes"
#: What the folder's index calls good enough.
ENOUGH = 0.9


def page(snapshot: Snapshot) -> str:
    """Return the whole page as Markdown."""
    lines = [
        f"# {escape(snapshot.title)}",
        "",
        comment(f"Written by 'vsebench leaderboard' from results/{snapshot.experiment}.json. Do not edit."),
        "",
    ]
    described = snapshot.board.get("description")
    if described:
        lines += [prose(described), ""]
    if earlier := earlier_id_lines(snapshot):
        lines += [*earlier, ""]
    rows = views(snapshot, SECTION)
    if rows:
        lines += [*_plots(snapshot), "## Indexes", "", *_table(snapshot, rows), "", *_legend(snapshot), ""]
    lines += [*references(snapshot), *failed_section(snapshot), "## Protocol", "", *_protocol(snapshot)]
    return "\n".join(lines).rstrip() + "\n"


def main_k(snapshot: Snapshot) -> int:
    """Return the k that rows are sorted and drawn by."""
    return int(snapshot.select["metric"].rsplit("@", 1)[1])


def ks_of(snapshot: Snapshot) -> list[int]:
    """Every k that was measured."""
    keys = {key for result in snapshot.results.values() for key in result.metrics if key.startswith("recall@")}
    return sorted(int(key.rsplit("@", 1)[1]) for key in keys)


def _plots(snapshot: Snapshot) -> list[str]:
    lines = []
    for kind in KINDS:
        alt = f"recall@{main_k(snapshot)} against {kind.what}"
        lines += [f"!{link(alt, plot_name(snapshot, kind))}", ""]
    return lines


def number_columns(snapshot: Snapshot) -> list[Column]:
    """Return the columns of an index's numbers."""
    k, ks = main_k(snapshot), ks_of(snapshot)
    columns = [Column(f"recall@{n}", _percent(f"recall@{n}")) for n in ks]
    columns += [Column(f"1-recall@{n}", _percent(f"1-recall@{n}")) for n in ks if n > 1]
    columns += [
        Column("Queries/s", _whole(f"qps@{k}")),
        Column("one at a time", _whole(f"qps@{k}:single")),
        Column("Bytes/vector", _whole("bytes_per_vector"), "min"),
        Column("Code bytes", _whole("code_bytes"), "min"),
        Column("Build s", _seconds, "min"),
    ]
    return columns


def best_in(snapshot: Snapshot, rows: Sequence[RowView]) -> Callable[[RowView], str]:
    """Says of a row in which plots no other is better."""
    k = main_k(snapshot)
    fronts = {kind.title: _on_front(snapshot, rows, kind.key(k), kind.falling) for kind in KINDS}
    return lambda row: ", ".join(title for title, names in fronts.items() if row.row.name in names)


def _table(snapshot: Snapshot, rows: Sequence[RowView]) -> list[str]:
    names = [
        NameColumn("Index", lambda r: escape(r.row.name)),
        NameColumn("Kind", lambda r: code(str(r.config["index"]["name"]))),
        NameColumn("Best in", best_in(snapshot, rows)),
    ]
    return rendered(names, number_columns(snapshot), rows)


def _on_front(snapshot: Snapshot, rows: Sequence[RowView], key: str, falling: bool) -> set[str]:
    named = [(r.row.name, r.estimate(snapshot.select["metric"]), r.estimate(key)) for r in rows]
    whole = [(name, a.mean, b.mean) for name, a, b in named if a is not None and b is not None]
    selected = front([(recall, -cost if falling else cost) for _, recall, cost in whole])
    return {whole[i][0] for i in selected}


def _percent(key: str) -> Callable[[RowView], tuple[float, str] | None]:
    def value(row: RowView) -> tuple[float, str] | None:
        estimate = row.estimate(key)
        return None if estimate is None else (estimate.mean, estimate.text(percent=True))

    return value


def _whole(key: str) -> Callable[[RowView], tuple[float, str] | None]:
    def value(row: RowView) -> tuple[float, str] | None:
        estimate = row.estimate(key)
        return None if estimate is None else (estimate.mean, shown(estimate.mean))

    return value


def _seconds(row: RowView) -> tuple[float, str]:
    mean = row.train_s().mean
    return mean, f"{mean:.2f}" if mean < 10 else f"{mean:,.0f}"


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
    sizes = ", ".join(f"{size:,} {escape(name)}" for name, size in data["splits"].items())
    seeds = ", ".join(escape(str(s)) for s in snapshot.seeds)
    several = len(snapshot.seeds) > 1
    interval = f"; mean ± 95 % t-interval over seeds ({seeds}) for randomised indexes" if several else ""
    lines = [
        f"- Vectors: {escape(data['title'])}, fingerprint {code(data['fingerprint'])}; {sizes}, {data['dim']} numbers "
        "each, scaled to unit length. Indexes are trained on the vectors that they hold, never on queries.",
        f"- Ground truth: cosine comparison with every vector. Rows are sorted by "
        f"{code(snapshot.select['metric'])}{interval}.",
        "- A speed is the best of up to three passes; measurements are made one after the other in one process.",
    ]
    lines += [f"- {prose(line)}" for line in snapshot.board.get("protocol", [])]
    finished = [r for r in snapshot.results.values() if r.status == "finished"]
    if finished:
        versions = finished[0].versions
        named = ("vsebench", "numpy", "torch", "faiss-cpu", "scikit-learn")
        listing = ", ".join(f"{name} {versions[name]}" for name in named if name in versions)
        dates = sorted(escape(r.finished_at[:10]) for r in finished)
        devices = ", ".join(sorted({escape(str(r.hardware.get("device", "?"))) for r in finished}))
        threads = ", ".join(sorted({escape(str(r.hardware.get("threads", "?"))) for r in finished}))
        lines.append(
            f"- {len(finished)} measurements, {dates[0]} to {dates[-1]}, on {devices}, threads: {threads}; "
            f"{escape(listing)}. Speeds hold for this machine."
        )
    name = snapshot.experiment
    lines.append(f"- Made by {code(snapshot.command)}. All numbers: {link(f'{name}.csv', f'{name}.csv')}.")
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


def summary(snapshots: Sequence[Snapshot]) -> list[str]:
    """Return the part of the folder's README about comparisons of indexes."""
    body = []
    for s in snapshots:
        k, rows = main_k(s), views(s, SECTION)
        good = [r for r in rows if (e := r.estimate(f"recall@{k}")) is not None and e.mean >= ENOUGH]
        cells = []
        for kind in KINDS:
            costs = [(r, e.mean) for r in good if (e := r.estimate(kind.key(k))) is not None]
            pick = min if kind.falling else max
            best = pick(costs, key=lambda c: c[1], default=None)
            cells.append("–" if best is None else f"{escape(best[0].row.name)}: {shown(best[1])}")
        body.append([link(s.title, f"{s.experiment}.md"), str(len(rows)), *cells])
    header = ["Indexes", "Rows"]
    header += [f"{kind.superlative} with recall ≥ {100 * ENOUGH:.0f} %: {kind.what}" for kind in KINDS]
    return [*table(header, body), ""]
