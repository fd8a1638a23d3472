"""The index of a leaderboard folder: what each board is of, and what it says."""

from __future__ import annotations

from collections.abc import Sequence

from vsebench.leaderboard import index_board
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.forest import forest, thumbnail_file
from vsebench.leaderboard.page import Block, code, image, link, plain_table
from vsebench.runs.snapshot import INDEX_FORM, Snapshot

HEADER = ("Board", "Task", "Modalities", "Test", "Runs", "Best row on validation", "Its test result", "Date")


def folder_page(snapshots: Sequence[Snapshot], unread: Sequence[str] = (), form: str = "md") -> list[Block]:
    """Return the folder's page: a line for each board, by task.

    Args:
        snapshots: the boards.
        unread: boards whose results cannot be read.
        form: ending of the boards' files.
    """
    lines = sorted(_line(BoardData(s)) for s in snapshots if s.form != INDEX_FORM)
    body = [
        [f"{link(title, f'{experiment}.{form}')} {picture}", task, *cells]
        for task, title, experiment, picture, *cells in lines
    ]
    blocks: list[Block] = [plain_table(HEADER, body, left=3)] if body else []
    if unread:
        blocks.append(f"Not shown, because their results cannot be read: {', '.join(map(code, unread))}.")
    of_indexes = [s for s in snapshots if s.form == INDEX_FORM]
    blocks += index_board.summary(of_indexes, form) if of_indexes else []
    return blocks


def _line(board: BoardData) -> list[str]:
    """Return task, title, address and the cells of a board's line."""
    snapshot, best = board.snapshot, next(iter(board.ranked), None)
    finished = [run for run in snapshot.results.values() if run.status == "finished"]
    result = "–"
    if best is not None:
        score = board.score(best.row.section)
        estimate = best.estimate(score.key)
        result = "–" if estimate is None else f"{score.title} {score.cell(estimate)}{score.percent}"
    modalities = max((row.modalities for row in board.rows), key=len, default="–")
    dates = sorted(run.finished_at[:10] for run in finished)
    size = f"{snapshot.dataset['splits'].get('test', 0):,}"
    name = "–" if best is None else best.row.name
    about = [_task(board), snapshot.title, snapshot.experiment, small_picture(board), modalities, size]
    return [*about, str(len(finished)), name, result, dates[-1] if dates else "–"]


def small_picture(board: BoardData) -> str:
    """Return a board's thumbnail; nothing of one that has none."""
    experiment = board.snapshot.experiment
    return image("Its rows", thumbnail_file(experiment)) if board.rows and forest(board) else ""


def _task(board: BoardData) -> str:
    """Return what the board's systems do, by what its results hold."""
    keys = {key for run in board.snapshot.results.values() for key in run.metrics}
    if any("hamming" in key for key in keys):
        return "hashing"
    if "test/vqa_accuracy" in keys:
        return "visual question answering"
    classifies = any(key.startswith("test/") and key.count("/") == 1 and key != "test/rsum" for key in keys)
    return "classification" if classifies else "retrieval"
