"""A board's sections on robustness: what shuffling, leaving out and damaging a modality costs; what subsets give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vsebench.core.metric_specs import best_of, mode_of
from vsebench.core.registry import CORRUPTIONS
from vsebench.core.types import MODALITIES
from vsebench.leaderboard.measured import MeasuredRow, Value, measured_rows
from vsebench.leaderboard.table import escape, link, table
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.intervals import Estimate
from vsebench.stats.rows import SECTIONS, views

PLOT_CAPTION = (
    "Test against strength, one modality damaged at a time, from the undamaged split on the left: means over seeds. "
    "Labelled: the rows best on validation and, dashed, the best row of each modality alone."
)


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


def robustness_sections(snapshot: Snapshot, plot: str | None = None) -> list[str]:
    """Return the page's sections; empty where nothing was measured.

    Args:
        snapshot: the board's content.
        plot: where the curves lie, from the board's folder.
    """
    rows = [row for row in measured_rows(snapshot, "robustness") if all(part["clean"] for part in row.parts)]
    lines = []
    if rows:
        key = main_metric(snapshot, rows)
        rows = [row for row in rows if all(key in part["clean"] for part in row.parts)]
        lines += [*_uses(rows, key), *_strengths(snapshot, rows, key, plot), *_remarks(snapshot, rows)]
    return lines


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


def title_of(key: str) -> str:
    """Format a metric for a sentence."""
    return {"accuracy": "accuracy", "average_precision": "AP"}.get(key, key)


def _cell(estimate: Estimate | None, *, percent: bool) -> str:
    return "–" if estimate is None else estimate.text(percent=percent)


def _is_share(rows: Iterable[MeasuredRow], key: str) -> bool:
    return all(0 <= part["clean"][key] <= 1 for row in rows for part in row.parts)


def _uses(rows: Sequence[MeasuredRow], key: str) -> list[str]:
    """Return the table of what a row loses without the right partner, and without any."""
    shown = [row for row in rows if any(p["shuffled"] or p["dropped"] or p["needed"] for p in row.parts)]
    percent = _is_share(rows, key)
    columns: list[tuple[str, str, str]] = []
    for modality in MODALITIES:
        for what, title in (("shuffled", "shuffled"), ("dropped", "left out")):
            if any(modality in part[what] for row in shown for part in row.parts):
                columns.append((modality, what, f"{modality} {title}"))
    if not columns:
        return []
    body = []
    for row in shown:
        cells = [row.name, row.view.modalities, _cell(row.estimate(lambda p: p["clean"][key]), percent=percent)]
        for modality, what, _ in columns:
            estimate = row.estimate(lambda p, m=modality, w=what: _lost(p, w, m, key))  # type: ignore[misc]
            cannot = what == "dropped" and any(modality in part["needed"] for part in row.parts) and _several(row)
            cells.append("needs it" if cannot else _cell(estimate, percent=percent))
        body.append(cells)
    unit = "points" if percent else "of it"
    title = escape(title_of(key))
    message = (
        f"Drop of test {title}, in {unit} (± over seeds), where one modality of every item is **shuffled** (replaced "
        "by that of an item of another group) or **left out** (marked as absent). The drop by shuffling shows how much "
        "a system relied on that modality; no drop means that it was not used. Rows of one modality show the largest "
        "drop that a wrong input causes."
    )
    lines = ["## Use of each modality", "", message, ""]
    lines += [*table(["System", "Uses", f"Test {title}", *(c[2] for c in columns)], body, left=2), ""]
    return [*lines, *_reasons(shown)]


def _several(row: MeasuredRow) -> bool:
    """Whether it reads more than one modality: one that it reads alone it needs, which says nothing."""
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
    listing = "; ".join(
        f"{escape(why)} ({len(names)} row{'s' * (len(names) > 1)})" for why, names in sorted(results.items())
    )
    return [f"Not left out where the system cannot run without it: {listing}.", ""]


def _strengths(snapshot: Snapshot, rows: Sequence[MeasuredRow], key: str, plot: str | None) -> list[str]:
    """Return a table with a column for each strength, and the curves."""
    columns = [(m, kind, s) for m, kind, strengths in damages(rows) for s in strengths]
    if not columns:
        return []
    percent = _is_share(rows, key)
    features = snapshot.dataset.get("features", {})
    values: list[Value] = [lambda p: p["clean"][key], *(at_strength(*c, key) for c in columns)]
    results = [[row.estimate(value) for value in values] for row in rows]
    best = [best_of(key, (f.mean for line in results if (f := line[i]) is not None)) for i in range(len(values))]
    body = []
    for row, line in zip(rows, results, strict=True):
        cells = [_cell(one, percent=percent) for one in line]
        marks = [one is not None and len(rows) > 1 and one.mean == top for one, top in zip(line, best, strict=True)]
        body.append([row.name, *(f"**{cell}**" if mark else cell for cell, mark in zip(cells, marks, strict=True))])
    header = ["System", "As it is", *(_column(*column) for column in columns)]
    meanings = [fact_of(kind, "meaning", m, precomputed=m in features) for m, kind, _ in columns]
    units = list(dict.fromkeys(filter(None, meanings)))
    listing = (
        f"Test {escape(title_of(key))} of finished runs with one modality damaged, with the same random draws for all "
        f"systems and seeds: {'; '.join(units)} (docs/robustness.md). No choice was based on these numbers."
    )
    lines = ["## Robustness", "", listing, "", *table(header, body), ""]
    return [*lines, *([f"!{link(PLOT_CAPTION.split(',')[0], plot)}", "", PLOT_CAPTION, ""] if plot else [])]


def _column(modality: str, kind: str, at: float) -> str:
    facts = shown_of(kind)
    strength = f"{100 * at:g} %" if facts["unit"] == "%" else f"{at:g}{facts['unit']}"
    return f"{modality} {escape(facts['title'] or kind)} {strength}"


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
        listing = ", ".join(escape(name) for name in list(wide)[:5]) + (", …" if len(wide) > 5 else "")
        lines.append(
            f"**Check**: re-evaluated undamaged, runs of {len(wide)} rows differ from their stored values, at most by "
            f"{max(wide.values()):.2g}: {listing}."
        )
    every = sum(len(views(snapshot, section)) for section in SECTIONS)
    known = len(measured_rows(snapshot, "robustness"))
    if known < every:
        lines.append(f"{every - known} of {every} rows are not measured.")
    return [line for one in lines for line in (one, "")]


def subset_sections(snapshot: Snapshot) -> list[str]:
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
    lines = ["## One model, evaluated with fewer modalities", "", message, ""]
    for title, chosen in _subset_tables(keys):
        here = [n for n in names if any(k in p["subsets"].get(n, {}) for r in rows for p in r.parts for k in chosen)]
        body = []
        for row in rows:
            cells = [_cell(row.estimate(_of_subset(n, k)), percent=True) for n in here for k in chosen]
            if set(cells) != {"–"}:
                body.append([row.name, *cells])
        heads = [
            escape(n).replace("+", " + ") + (f", {escape(_short(k))}" if len(chosen) > 1 else "")
            for n in here
            for k in chosen
        ]
        lines += [f"**Test {title}**", "", *table(["System", *heads], body), ""]
    return [*lines, *_reasons(rows)]


def _subset_tables(keys: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Title and metrics of each table: those of classification one by one, of retrieval all in one."""
    alone = {"accuracy": "accuracy", "vqa_accuracy": "VQA accuracy", "average_precision": "AP"}
    results = [(title, [key]) for key, title in alone.items() if key in keys]
    ranked = sorted((k for k in keys if "/recall@" in k), key=lambda k: (k.split("/")[0], int(k.rsplit("@", 1)[1])))
    return [*results, *([("Recall@k, images and texts", ranked)] if ranked else [])]


def _of_subset(name: str, key: str) -> Value:
    return lambda part: part["subsets"].get(name, {}).get(key)


def _subset_order(name: str) -> tuple[int, list[int]]:
    parts = name.split("+")
    return len(parts), [MODALITIES.index(part) for part in parts]


def _short(key: str) -> str:
    return key.replace("i2t/", "i→t ").replace("t2i/", "t→i ").replace("recall@", "R@")
