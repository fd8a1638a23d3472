"""A board's sections on robustness: what shuffling, leaving out and damaging a modality costs; what subsets give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vsebench.core.display import Shown, natural_order
from vsebench.core.display import shown as shown_number
from vsebench.core.metric_specs import mode_of
from vsebench.core.registry import CORRUPTIONS
from vsebench.core.types import MODALITIES
from vsebench.leaderboard.figure import Figure
from vsebench.leaderboard.measured import MeasuredRow, Value, measured_rows
from vsebench.leaderboard.page import Block, Section, plain_table, strong
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.intervals import Estimate
from vsebench.stats.rows import SECTIONS, views


def shown_of(kind: str) -> Mapping[str, Any]:
    """Return what a corruption's registration says of how it is shown; of an unknown one the defaults."""
    return CORRUPTIONS.get(kind).facts if kind in CORRUPTIONS else {**CORRUPTIONS.facts, "meaning": {}}


def fact_of(kind: str, fact: str, modality: str, *, precomputed: bool) -> str:
    """Return a corruption's fact of a modality, or of precomputed features; empty where it has none."""
    facts = shown_of(kind)[fact]
    return str((precomputed and facts.get("features")) or facts.get(modality, ""))


def main_metric(snapshot: Snapshot, rows: Sequence[MeasuredRow]) -> str:
    """Return the metric in which robustness is given: accuracy where there is one, else the one that chooses the
    epoch.
    """
    known = {key for row in rows for part in row.parts for key in part["clean"]}
    selected = snapshot.select["metric"].removeprefix("val/")
    wanted = [key for key in ("accuracy", "average_precision", selected) if key in known]
    return [*wanted, *sorted(key for key in known if mode_of(key) is not None), *sorted(known)][0]


def robustness_sections(snapshot: Snapshot, figures: Sequence[Figure] = ()) -> list[Section]:
    """Return the page's sections; empty where nothing was measured.

    Args:
        snapshot: the board's content.
        figures: the curves.
    """
    rows = [row for row in measured_rows(snapshot, "robustness") if all(part["clean"] for part in row.parts)]
    if not rows:
        return []
    metric = shown_number(main_metric(snapshot, rows))
    rows = [row for row in rows if all(metric.key in part["clean"] for part in row.parts)]
    blocks = [*_strengths(snapshot, rows, metric, figures), *_remarks(snapshot, rows)]
    return [*_uses(rows, metric), *([Section("Robustness", blocks)] if blocks else [])]


def damages(rows: Sequence[MeasuredRow]) -> list[tuple[str, str, list[float]]]:
    """Modality, kind and strengths of all damage that was measured, in the order of modalities."""
    results: dict[tuple[str, str], list[float]] = {}
    for modality in MODALITIES:
        for row in rows:
            for part in row.parts:
                for kind, points in part["damaged"].get(modality, {}).items():
                    known = results.setdefault((modality, kind), [])
                    known += [strength for strength, _ in points if strength not in known]
    return [(modality, kind, sorted(s, reverse=shown_of(kind)["falling"])) for (modality, kind), s in results.items()]


def at_strength(modality: str, kind: str, strength: float, key: str) -> Value:
    """Return the number under one corruption."""

    def value(part: Mapping[str, Any]) -> float | None:
        points = part["damaged"].get(modality, {}).get(kind, [])
        return next((numbers.get(key) for one, numbers in points if one == strength), None)

    return value


def _cell(estimate: Estimate | None, metric: Shown) -> str:
    return "–" if estimate is None else metric.cell(estimate)


def _uses(rows: Sequence[MeasuredRow], metric: Shown) -> list[Section]:
    """Return the table of what a row loses without the right partner, and without any."""
    shown = [row for row in rows if any(p["shuffled"] or p["dropped"] or p["needed"] for p in row.parts)]
    key = metric.key
    columns: list[tuple[str, str, str]] = []
    for modality in MODALITIES:
        for what, title in (("shuffled", "shuffled"), ("dropped", "left out")):
            if any(modality in part[what] for row in shown for part in row.parts):
                columns.append((modality, what, f"{modality} {title}"))
    if not columns:
        return []
    body = []
    for row in shown:
        cells = [row.name, row.view.modalities, _cell(row.estimate(lambda p: p["clean"][key]), metric)]
        for modality, what, _ in columns:
            estimate = row.estimate(lambda p, m=modality, w=what: _lost(p, w, m, key))  # type: ignore[misc]
            cannot = what == "dropped" and any(modality in part["needed"] for part in row.parts) and _several(row)
            cells.append("needs it" if cannot else _cell(estimate, metric))
        body.append(cells)
    unit = "points" if metric.unit else "of it"
    title = metric.title
    message = (
        f"Drop of test {title}, in {unit} (± over seeds), where one modality of every item is {strong('shuffled')} "
        f"(replaced by that of an item of another group) or {strong('left out')} (marked as absent). The drop by "
        "shuffling shows how much a system relied on that modality; no drop means that it was not used. Rows of one "
        "modality show the largest drop that a wrong input causes."
    )
    table = plain_table(["System", "Uses", f"Test {title}", *(c[2] for c in columns)], body, left=2)
    return [Section("Use of each modality", [message, table, *_reasons(shown)])]


def _several(row: MeasuredRow) -> bool:
    """Return whether it reads more than one modality: one that it reads alone it needs, which says nothing."""
    return " + " in row.view.modalities


def _lost(part: Mapping[str, Any], what: str, modality: str, key: str) -> float | None:
    changed = part[what].get(modality, {}).get(key)
    if changed is None:
        return None
    lost: float = part["clean"][key] - changed
    return -lost if mode_of(key) == "min" else lost


def _reasons(rows: Sequence[MeasuredRow]) -> list[str]:
    """Why rows need a modality, each reason once with the number of its rows."""
    results: dict[str, set[str]] = {}
    for row in filter(_several, rows):
        for part in row.parts:
            for why in part["needed"].values():
                results.setdefault(why, set()).add(row.view.row.name)
    if not results:
        return []
    listing = "; ".join(f"{why} ({len(names)} row{'s' * (len(names) > 1)})" for why, names in sorted(results.items()))
    return [f"Not left out where the system cannot run without it: {listing}."]


def _strengths(
    snapshot: Snapshot, rows: Sequence[MeasuredRow], metric: Shown, figures: Sequence[Figure]
) -> list[Block]:
    """Return a table with a column for each strength, and the curves."""
    columns = [(m, kind, s) for m, kind, strengths in damages(rows) for s in strengths]
    if not columns:
        return []
    features = snapshot.dataset.get("features", {})
    values: list[Value] = [lambda p: p["clean"][metric.key], *(at_strength(*c, metric.key) for c in columns)]
    body = [[row.name, *(_cell(row.estimate(value), metric) for value in values)] for row in rows]
    header = ["System", "As it is", *(_column(*column) for column in columns)]
    meanings = [fact_of(kind, "meaning", m, precomputed=m in features) for m, kind, _ in columns]
    listing = (
        f"Test {metric.title} of finished runs with one modality damaged, with the same random draws for all systems "
        f"and seeds: {'; '.join(dict.fromkeys(filter(None, meanings)))} (docs/robustness.md). No choice "
        "was based on these numbers."
    )
    return [listing, plain_table(header, body), *figures]


def _column(modality: str, kind: str, at: float) -> str:
    facts = shown_of(kind)
    strength = f"{100 * at:g} %" if facts["unit"] == "%" else f"{at:g}{facts['unit']}"
    return f"{modality} {facts['title'] or kind} {strength}"


def _remarks(snapshot: Snapshot, rows: Sequence[MeasuredRow]) -> list[str]:
    """Return the remarks on the measurement that a reader needs."""
    lines = []
    wide: dict[str, float] = {}
    for row in rows:
        for part in row.parts:
            gaps = [abs(value - part["clean"][key]) for key, value in part.get("stored", {}).items()]
            if gaps:
                wide[row.view.row.name] = max(wide.get(row.view.row.name, 0.0), *gaps)
    if wide:
        listing = ", ".join(name for name in list(wide)[:5]) + (", …" if len(wide) > 5 else "")
        lines.append(
            f"{strong('Check')}: re-evaluated undamaged, runs of {len(wide)} rows differ from their stored values, at "
            f"most by {max(wide.values()):.2g}: {listing}."
        )
    every = sum(len(views(snapshot, section)) for section in SECTIONS)
    known = len(measured_rows(snapshot, "robustness"))
    if known < every:
        lines.append(f"{every - known} of {every} rows are not measured.")
    return lines


def subset_sections(snapshot: Snapshot) -> list[Section]:
    """One model, evaluated with fewer modalities: a table for each metric, subsets across."""
    rows = [r for r in measured_rows(snapshot, "subsets") if all(len(part["subsets"]) > 1 for part in r.parts)]
    if not rows:
        return []
    names = sorted({name for r in rows for p in r.parts for name in p["subsets"]}, key=_subset_order)
    keys = sorted({key for r in rows for p in r.parts for numbers in p["subsets"].values() for key in numbers})
    message = (
        "Each row is one model, trained once with all of its modalities and evaluated with a subset of them; the "
        "others are absent in every test item. A row that cannot run without a modality has no numbers without it; "
        "one that needs all of them is omitted. ± is over seeds."
    )
    blocks: list[Block] = [message]
    for title, chosen in _subset_tables(keys):
        here = [n for n in names if any(k in p["subsets"].get(n, {}) for r in rows for p in r.parts for k in chosen)]
        body = [
            [r.name, *(_cell(r.estimate(_of_subset(n, k)), shown_number(k)) for n in here for k in chosen)]
            for r in rows
        ]
        heads = [
            n.replace("+", " + ") + (f", {shown_number(k).title}" if len(chosen) > 1 else "")
            for n in here
            for k in chosen
        ]
        filled = [line for line in body if set(line[1:]) != {"–"}]
        blocks += [strong(f"Test {title}"), plain_table(["System", *heads], filled)]
    return [Section("One model, evaluated with fewer modalities", [*blocks, *_reasons(rows)])]


def _subset_tables(keys: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Title and metrics of each table: those of classification one by one, of retrieval all in one."""
    numbers = [shown_number(key) for key in keys if mode_of(key) is not None]
    results = [(number.title, [number.key]) for number in numbers if number.family == "classification"]
    ranked = [n.key for n in sorted(numbers, key=lambda n: natural_order(n.title)) if n.family == "retrieval"]
    return [*results, *([("retrieval", ranked)] if ranked else [])]


def _of_subset(name: str, key: str) -> Value:
    return lambda part: part["subsets"].get(name, {}).get(key)


def _subset_order(name: str) -> tuple[int, list[int]]:
    parts = name.split("+")
    return len(parts), [MODALITIES.index(part) for part in parts]
