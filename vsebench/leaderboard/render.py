"""Pages, tables and the index of a leaderboard folder, written from its ``results/`` and from nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from vsebench.core.errors import DataError
from vsebench.core.files import write_atomically
from vsebench.leaderboard import factors_plot, index_board, index_plots, plots
from vsebench.leaderboard.drawing import Drawing
from vsebench.leaderboard.markdown import AXIS_TITLES, page
from vsebench.leaderboard.measured import measurement_drawings
from vsebench.leaderboard.table import code, csv_cell, escape, link, table
from vsebench.runs.item_scores import usable
from vsebench.runs.snapshot import INDEX_FORM, Snapshot, board_names, load_board
from vsebench.stats.rows import SECTIONS, sort_key, views


def render(folder: Path, experiments: Sequence[str] = ()) -> list[Path]:
    """Write the pages and plots of some experiments, of all by default, and the index. Returns the files that changed.

    A board that is not among ``experiments`` and cannot be read is named in the index. Of those that are, the others
    are written all the same.

    Raises: DataError for an experiment without results, or whose results cannot be read.
    """
    snapshots, unread = _all_boards(folder, experiments)
    changed = []
    for file, text in _pages(folder, snapshots, experiments, sorted(unread)).items():
        if not _holds(file, text):
            write_atomically(file, text)
            changed.append(file)
    for drawing in _drawings(folder, snapshots, experiments):
        if not drawing.is_current():
            drawing.file.parent.mkdir(exist_ok=True)
            write_atomically(drawing.file, drawing.draw())
            changed.append(drawing.file)
    _refuse(unread, experiments)
    return changed


def stale(folder: Path, experiments: Sequence[str] = ()) -> list[Path]:
    """Return the files that differ from what the results give.

    Raises: DataError as :func:`render`.
    """
    snapshots, unread = _all_boards(folder, experiments)
    _refuse(unread, experiments)
    pages = _pages(folder, snapshots, experiments, sorted(unread))
    return [
        *(f for f, text in pages.items() if not _holds(f, text)),
        *(drawing.file for drawing in _drawings(folder, snapshots, experiments) if not drawing.is_current()),
    ]


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8", errors="replace") == text


def snapshots_of(folder: Path, experiments: Sequence[str] = ()) -> list[Snapshot]:
    """Read the contents of some boards, of all by default.

    Raises: DataError for an experiment without results, or whose results cannot be read.
    """
    return [load_board(folder, name) for name in board_names(folder, experiments)]


def _all_boards(folder: Path, experiments: Sequence[str]) -> tuple[list[Snapshot], dict[str, DataError]]:
    """Read the contents of all boards, and why some cannot be read."""
    board_names(folder, experiments)
    snapshots: list[Snapshot] = []
    unread: dict[str, DataError] = {}
    for name in board_names(folder):
        try:
            snapshots.append(load_board(folder, name))
        except DataError as error:
            unread[name] = error
    return snapshots, unread


def _refuse(unread: Mapping[str, DataError], experiments: Sequence[str]) -> None:
    wanted = [error for name, error in unread.items() if not experiments or name in experiments]
    if len(wanted) == 1:
        raise wanted[0]
    if wanted:
        raise DataError(f"{len(wanted)} results files cannot be read.", problems=[str(error) for error in wanted])


def _drawings(folder: Path, snapshots: Sequence[Snapshot], experiments: Sequence[str]) -> list[Drawing]:
    results = []
    for s in snapshots:
        if experiments and s.experiment not in experiments:
            continue
        if s.form == INDEX_FORM:
            for kind in index_plots.drawn(s):
                file = folder / index_plots.plot_name(s, kind)
                results.append(Drawing(file, partial(index_plots.current, file, s), partial(index_plots.svg, s, kind)))
            continue
        results += measurement_drawings(s, folder)
        for name in plots.requested_kinds(s):
            file = folder / plots.plot_file(s, name)
            results.append(Drawing(file, partial(plots.is_current, file, s, name), partial(plots.svg, s, name)))
        if factors_plot.effects_of(s) is not None:
            file = folder / factors_plot.plot_file(s)
            current = partial(factors_plot.is_current, file, s, AXIS_TITLES)
            results.append(Drawing(file, current, partial(factors_plot.svg, s, AXIS_TITLES)))
    return results


def _pages(
    folder: Path, snapshots: Sequence[Snapshot], experiments: Sequence[str], unread: Sequence[str]
) -> dict[Path, str]:
    pages: dict[Path, str] = {}
    for snapshot in snapshots:
        if not experiments or snapshot.experiment in experiments:
            of_indexes = snapshot.form == INDEX_FORM
            text = index_board.page(snapshot) if of_indexes else page(snapshot, *usable(snapshot, folder))
            pages[folder / f"{snapshot.experiment}.md"] = text
            pages[folder / f"{snapshot.experiment}.csv"] = (
                index_board.table_csv(snapshot) if of_indexes else table_csv(snapshot)
            )
    pages[folder / "README.md"] = index(snapshots, unread)
    return pages


def table_csv(snapshot: Snapshot) -> str:
    """Every metric of every finished run of the tables, a line each."""
    keys = sorted({k for r in snapshot.results.values() if r.status == "finished" for k in r.metrics})
    axes = list(dict.fromkeys(a for row in snapshot.rows for a in row.axes))
    fixed = [
        "system",
        "section",
        *axes,
        "seed",
        "run_id",
        "parameters_total",
        "parameters_trained",
        "train_s",
        "epochs",
    ]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*map(csv_cell, fixed), "best_epoch", *map(csv_cell, keys)])
    for section in SECTIONS:
        for view in views(snapshot, section):
            for r in view.results:
                head = [
                    csv_cell(view.row.name),
                    csv_cell(view.row.section),
                    *(csv_cell(view.row.axes.get(a, "")) for a in axes),
                ]
                cost = [r.seed, csv_cell(r.run_id), r.parameters["total"], r.parameters["trained"], r.train_s, r.epochs]
                writer.writerow([*head, *cost, r.best_epoch, *(r.metrics.get(k, "") for k in keys)])
    return stream.getvalue()


def index(snapshots: Sequence[Snapshot], unread: Sequence[str] = ()) -> str:
    """Return the folder's README: a line per board. ``unread``: names of boards whose results cannot be read."""
    body = []
    for s in (s for s in snapshots if s.form != INDEX_FORM):
        everything = [v for section in SECTIONS for v in views(s, section)]
        metric, mode = sort_key(s)
        pick = max if mode == "max" else min
        best = pick(everything, key=lambda v: e.mean if (e := v.estimate(metric)) else 0.0) if everything else None
        accuracy = best.estimate("test/accuracy") if best is not None else None
        body.append(
            [
                link(s.title, f"{s.experiment}.md"),
                escape(s.dataset["title"]),
                str(sum(r.status == "finished" for r in s.results.values())),
                escape(best.row.name) if best is not None else "–",
                accuracy.text(percent=True) if accuracy is not None else "–",
            ]
        )
    header = ["Board", "Data", "Runs", "Best row (chosen on validation)", "Its test accuracy"]
    lines = ["# Leaderboards", "", *(table(header, body, left=2) if body else []), *([""] if body else [])]
    if unread:
        lines += [f"Not shown, because their results cannot be read: {', '.join(map(code, unread))}.", ""]
    of_indexes = [s for s in snapshots if s.form == INDEX_FORM]
    return "\n".join([*lines, *(index_board.summary(of_indexes) if of_indexes else [])])
