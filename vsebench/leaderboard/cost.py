"""What a board's rows cost, beside how good they are: the section ``Cost``, and which rows nothing beats in both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vsebench.leaderboard.board import primary_metric
from vsebench.leaderboard.figure import Figure
from vsebench.leaderboard.page import Block, Bullets, Section, Table, code, plain_table, strong
from vsebench.leaderboard.table import units
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.intervals import Estimate
from vsebench.stats.pareto import front
from vsebench.stats.rows import SECTIONS, RowView, sort_key, views

MARK = "◆"
_PARTS = {
    "encoders/image": "Image encoder",
    "encoders/text": "Text encoder",
    "encoders/audio": "Audio encoder",
    "attention": "Attention",
    "pooling": "Pooling",
    "projection": "Projection",
    "fusion": "Fusion",
    "head": "Head",
    "scorer": "Scorer",
    "fitter": "Method",
    "other": "Other",
}


@dataclass(frozen=True)
class Costed:
    """A row with what was measured of its first run.

    Args:
        quality: the board's number on test; None where the row lacks it.
        values: as the measure ``cost`` gives them.
    """

    view: RowView
    quality: Estimate | None
    values: Mapping[str, Any]

    @property
    def hardware(self) -> str:
        """Where it was timed."""
        message = self.values["hardware"]
        return f"{message['device']}, {message['threads']} thread{'s' * (message['threads'] != 1)}"

    def answer(self, numbers: Mapping[str, Any], batch: str = "") -> Any:
        """Return a measurement per answer: of an item, or the mean over both directions of a query. None where it
        lacks.
        """
        names = ["item"] if self.values["answer"] == "item" else ["i2t", "t2i"]
        results = [numbers[name + batch] for name in names if name + batch in numbers]
        return results if len(results) == len(names) else None

    def latency(self, batch: int) -> dict[str, float] | None:
        """Milliseconds per answer: ``median``, ``low`` and ``high``."""
        result = self.answer(self.values["latency_ms"], f"@{batch}")
        return result and {k: sum(one[k] for one in result) / len(result) for k in ("median", "low", "high")}

    def gflops(self) -> float | None:
        """Billions of operations per answer."""
        result = self.answer(self.values["gflops"])
        return sum(result) / len(result) if result else None


@dataclass(frozen=True)
class Against:
    """A cost that quality is compared with.

    Args:
        name: ends the plot's file name, and names the front in the table.
        what: of the axis.
        of: a row's cost.
        timed: whether it depends on the machine.
    """

    name: str
    what: str
    of: Callable[[Costed], float | None]
    timed: bool


def _time(row: Costed) -> float | None:
    """Return the fastest repeat: other work of the machine can only add to it."""
    result = row.latency(1)
    return None if result is None else result["low"]


COSTS = (
    Against("time", "milliseconds per answer, one at a time, fastest repeat", _time, True),
    Against("operations", "GFLOPs per answer", Costed.gflops, False),
)


def costed(snapshot: Snapshot) -> list[Costed]:
    """All rows whose cost was measured, best on validation first, whatever their section."""
    key = primary_metric(snapshot).key
    results = []
    for view in (view for section in SECTIONS for view in views(snapshot, section)):
        known = (snapshot.measures.get(result.run_id, {}).get("cost") for result in view.results)
        values = next((one for one in known if one is not None), None)
        if values is not None:
            results.append(Costed(view, view.estimate(key), values))
    order, mode = sort_key(snapshot)
    sign = -1.0 if mode == "max" else 1.0
    return sorted(results, key=lambda row: sign * e.mean if (e := row.view.estimate(order)) else float("inf"))


def compared(snapshot: Snapshot, against: Against) -> list[Costed]:
    """Return the rows that have both numbers and the kind of answer that most rows have; for times, also the machine of
    most of these.
    """
    results = [row for row in costed(snapshot) if row.quality is not None and (against.of(row) or 0) > 0]
    results = _commonest(results, lambda row: str(row.values["answer"]))
    return _commonest(results, lambda row: row.hardware) if against.timed else results


def _commonest(rows: list[Costed], of: Callable[[Costed], str]) -> list[Costed]:
    counts = Counter(of(row) for row in rows)
    return [row for row in rows if of(row) == counts.most_common(1)[0][0]]


def front_of(snapshot: Snapshot, against: Against) -> list[Costed]:
    """Return the Pareto front: rows that no other row dominates in quality and cost, cheapest first, by their means."""
    rows = compared(snapshot, against)
    sign = 1.0 if sort_key(snapshot)[1] == "max" else -1.0
    points = [(sign * row.quality.mean, -(against.of(row) or 0.0)) for row in rows if row.quality is not None]
    return sorted((rows[i] for i in front(points)), key=lambda row: against.of(row) or 0.0)


def cost_sections(snapshot: Snapshot, figures: Sequence[Figure]) -> list[Section]:
    """Return the page's section; none where nothing was measured.

    Args:
        snapshot: the board's content.
        figures: plots of quality against cost.
    """
    rows = costed(snapshot)
    if not rows:
        return []
    blocks = [*figures, _main_table(snapshot, rows), Bullets(_said(snapshot, rows)), *_queries(rows), *_parts(rows)]
    return [Section("Cost", blocks)]


def _main_table(snapshot: Snapshot, rows: Sequence[Costed]) -> Table:
    metric = primary_metric(snapshot)
    fronts = {a.name: {row.view.row.name for row in front_of(snapshot, a)} for a in COSTS}
    machines = list(dict.fromkeys(row.hardware for row in rows))
    header = [
        "System",
        metric.heading,
        "Trained",
        "Param.",
        "GFLOPs",
        "ms, batch 1",
        "ms, batch 64",
    ]
    header += ["Peak MB, batch 64", "Train s", "Train kJ", f"{MARK} Front"]
    body = []
    for row in rows:
        name = row.view.row.name
        where = f" [{machines.index(row.hardware) + 1}]" if len(machines) > 1 else ""
        on = [note for note, names in fronts.items() if name in names]
        counts = row.values["parameters"]
        body.append(
            [
                name,
                "–" if row.quality is None else metric.cell(row.quality),
                units(counts["trained"]),
                units(counts["total"]),
                "–" if (count := row.gflops()) is None else f"{count:.3g}",
                _spread(row.latency(1)) + where,
                _spread(row.latency(64)) + where,
                _megabytes(row.values["memory_bytes"]),
                f"{row.view.train_s().mean:.0f}",
                _number(sum(row.values["energy_j"].values()) / 1e3 if "energy_j" in row.values else None),
                f"{MARK} {', '.join(on)}" if on else "",
            ]
        )
    remaining = [i for i, title in enumerate(header) if title != "Train kJ" or any(line[i] != "–" for line in body)]
    return plain_table([header[i] for i in remaining], [[line[i] for i in remaining] for line in body])


def _said(snapshot: Snapshot, rows: Sequence[Costed]) -> list[str]:
    """Return the lines that explain the columns and name the machine of the measurement."""
    machines = list(dict.fromkeys(row.hardware for row in rows))
    where = "; ".join(f"[{i + 1}] {m}" if len(machines) > 1 else m for i, m in enumerate(machines))
    loads = [row.values["hardware"]["load"] for row in rows if "load" in row.values["hardware"]]
    busy = f", machine load {min(loads):.1f} to {max(loads):.1f} (a busy machine is slower)" if loads else ""
    kinds = {row.values["answer"] for row in rows}
    what = ["one item, from raw input to class scores"] if "item" in kinds else []
    if "query" in kinds:
        size = next(row.values["gallery"] for row in rows if "gallery" in row.values)
        text = f"one query, raw image or caption to the top ten of {size:,} prepared items, mean of both directions"
        what.append(f"for a system without classes, {text}" if "item" in kinds else text)
    missed = sorted({name for row in rows for name in row.values.get("not_counted", ())})
    lines = [
        f"{MARK}: no other row dominates it (as good and cheaper, or as cheap and better) by the means; rows whose "
        f"intervals overlap may not differ. Costs: " + "; ".join(f"{a.name}, {a.what}" for a in COSTS) + ".",
        f"One answer = {'; '.join(what)}. Encoders are included, also frozen ones; precomputed features are not.",
        f"Times: median (fastest–slowest repeat). They depend on the machine: measured on {where}{busy}.",
        "GFLOPs: 2 per multiply-add of matrix products, convolutions and attention; element-wise operations "
        "(activations, normalisation, softmax, gates) are not counted"
        + (f", nor are {', '.join(map(code, missed))}." if missed else "."),
        "Peak: weights plus PyTorch's peak allocation for a batch of 64 items.",
        *_energy(rows),
    ]
    lacking = sum(len(views(snapshot, section)) for section in SECTIONS) - len(rows)
    return [*lines, *([f"Rows not measured, and so not compared: {lacking}."] if lacking else [])]


def _energy(rows: Sequence[Costed]) -> list[str]:
    why = {f"{name}: {reason}" for row in rows for name, reason in row.values.get("energy_missing", {}).items()}
    known = any("energy_j" in row.values for row in rows)
    counts = "Train kJ: by the energy counters of processor and GPU, which include all other work on the machine."
    missing = f"Training energy is unknown for some rows ({'; '.join(sorted(why))})."
    return [*([counts] if known else []), *([missing] if why else [])]


def _queries(rows: Sequence[Costed]) -> list[Block]:
    """Return the table of search costs, for the rows with such timings."""
    titles = {"image@1": "image", "text@1": "text", "audio@1": "audio", "image@64": "image, batch 64"}
    titles |= {"text@64": "text, batch 64", "audio@64": "audio, batch 64"}
    titles |= {"i2t@1": "i→t query", "t2i@1": "t→i query", "pair": "a pair"}
    shown = [name for name in titles if any(name in row.values["latency_ms"] for row in rows)]
    ranked = [row for row in rows if any(name in row.values["latency_ms"] for name in shown)]
    if not ranked:
        return []
    body = [[row.view.row.name, *(_spread(row.values["latency_ms"].get(name)) for name in shown)] for row in ranked]
    message = f"{strong('Embedding and ranking one modality')} (milliseconds per item; a pair: two prepared items):"
    return [message, plain_table(["System", *(titles[name] for name in shown)], body)]


def _parts(rows: Sequence[Costed]) -> list[Block]:
    shown = [part for part in _PARTS if any(part in row.values["parameters"]["parts"] for row in rows)]
    body = []
    for row in rows:
        parts = row.values["parameters"]["parts"]
        body.append([row.view.row.name, *(units(parts[p]["total"]) if p in parts else "–" for p in shown)])
    return [f"{strong('Parameters by part')}:", plain_table(["System", *(_PARTS[p] for p in shown)], body)]


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def _spread(results: Mapping[str, float] | None) -> str:
    if results is None:
        return "–"
    ends = f" ({_number(results['low'])}–{_number(results['high'])})" if results["high"] > results["low"] else ""
    return _number(results["median"]) + ends


def _megabytes(memory: Mapping[str, int]) -> str:
    return f"{(memory['weights'] + memory['item@64']) / 1e6:,.0f}" if "item@64" in memory else "–"
