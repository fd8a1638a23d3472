"""What a board says of runs that stand in no table: pruned, failed, not there yet."""

from __future__ import annotations

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.page import Bullets, Section, code, strong
from vsebench.stats.rows import failures, missing, pruned

PLACE = 95


def sections(board: BoardData) -> list[Section]:
    """Return how many runs were stopped early and how good the best was, which failed, how many are missing."""
    return [*_pruned(board), *_failed(board), *_missing(board)]


def _pruned(board: BoardData) -> list[Section]:
    result = pruned(board.snapshot)
    if not result:
        return []
    metric, (row, best) = board.snapshot.select["metric"], result[0]
    rows = len({row.name for row, _ in result})
    message = f"{len(result)} runs of {rows} rows were stopped early and appear in no table."
    if metric in best.metrics:
        message += (
            f" The best validation value among them: {code(metric)} {best.metrics[metric]:.4g}, of {row.name}, "
            f"seed {best.seed}, stopped at epoch {best.epochs}."
        )
    return [Section("Pruned", [message])]


def _failed(board: BoardData) -> list[Section]:
    lines = []
    for row, result in failures(board.snapshot):
        last = (result.error or "").strip().split("\n")[-1]
        lines.append(f"{row.name}, seed {result.seed}: {last[:300]}")
    return [Section("Failed", [Bullets(lines)], f"{len(lines)} run{'s' * (len(lines) > 1)}")] if lines else []


def _missing(board: BoardData) -> list[Section]:
    absent = missing(board.snapshot)
    message = f"{strong('Not complete')}: {absent} planned runs have no result yet."
    return [Section("Missing", [message], f"{absent} runs", folded=False)] if absent else []
