"""Pages, tables and the index of a leaderboard folder, written from its ``results/`` and from nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from vsebench.core.errors import DataError
from vsebench.core.files import write_atomically
from vsebench.leaderboard import index_board
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.figure import Figure
from vsebench.leaderboard.folder_index import folder_page
from vsebench.leaderboard.forest import thumbnail
from vsebench.leaderboard.pages import board_page
from vsebench.leaderboard.renderers.markdown import lines_of, page_text
from vsebench.leaderboard.table import csv_cell
from vsebench.runs.item_scores import usable
from vsebench.runs.snapshot import INDEX_FORM, Snapshot, board_names, load_board
from vsebench.stats.rows import SECTIONS, views


def render(folder: Path, experiments: Sequence[str] = ()) -> list[Path]:
    """Write the pages and plots of some experiments, of all by default, and the index. Returns the files that changed.

    A board that is not among ``experiments`` and cannot be read is named in the index. Of those that are, the others
    are written all the same.

    Raises: DataError for an experiment without results, or whose results cannot be read.
    """
    snapshots, unread = _all_boards(folder, experiments)
    changed = []
    texts, figures = _files(folder, snapshots, experiments, sorted(unread))
    for file, text in texts.items():
        if not _holds(file, text):
            write_atomically(file, text)
            changed.append(file)
    for figure in figures:
        if not figure.is_current(folder):
            file = folder / figure.file
            file.parent.mkdir(exist_ok=True)
            write_atomically(file, figure.svg())
            changed.append(file)
    _refuse(unread, experiments)
    return changed


def stale(folder: Path, experiments: Sequence[str] = ()) -> list[Path]:
    """Return the files that differ from what the results give.

    Raises: DataError as :func:`render`.
    """
    snapshots, unread = _all_boards(folder, experiments)
    _refuse(unread, experiments)
    texts, figures = _files(folder, snapshots, experiments, sorted(unread))
    return [
        *(file for file, text in texts.items() if not _holds(file, text)),
        *(folder / figure.file for figure in figures if not figure.is_current(folder)),
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


def board_of(snapshot: Snapshot, folder: Path) -> BoardData:
    """Return a board with what its folder knows of single test items."""
    if snapshot.form == INDEX_FORM:
        return BoardData(snapshot)
    names = [name for name in snapshot.board.get("repeats") or [] if name in board_names(folder)]
    others = {name: load_board(folder, name) for name in names}
    repeats = {name: BoardData(other, *usable(other, folder)) for name, other in others.items()}
    return BoardData(snapshot, *usable(snapshot, folder), repeats)


def _files(
    folder: Path, snapshots: Sequence[Snapshot], experiments: Sequence[str], unread: Sequence[str]
) -> tuple[dict[Path, str], list[Figure]]:
    """Return the texts and the figures that the results give."""
    texts: dict[Path, str] = {}
    figures: list[Figure] = []
    for snapshot in snapshots:
        if not experiments or snapshot.experiment in experiments:
            page = board_page(board_of(snapshot, folder))
            texts[folder / f"{snapshot.experiment}.md"] = page_text(page)
            figures += page.figures()
            figures += [thumbnail(figure) for figure in page.figures() if figure.beside]
            numbers = index_board.table_csv(snapshot) if snapshot.form == INDEX_FORM else table_csv(snapshot)
            texts[folder / f"{snapshot.experiment}.csv"] = numbers
    texts[folder / "README.md"] = (
        "\n".join(["# Leaderboards", "", *lines_of(folder_page(snapshots, unread))]).rstrip() + "\n"
    )
    return texts, figures


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
