"""What a board says of runs that stand in no table: pruned, failed, not there yet."""

from __future__ import annotations

from vsebench.leaderboard.table import code, escape
from vsebench.runs.snapshot import Snapshot
from vsebench.stats.rows import failures, missing, pruned


def pruned_section(snapshot: Snapshot) -> list[str]:
    """Lines that say how many runs were stopped early, and how good the best of them was."""
    result = pruned(snapshot)
    if not result:
        return []
    metric, (row, best) = snapshot.select["metric"], result[0]
    rows = len({row.name for row, _ in result})
    message = f"{len(result)} runs of {rows} rows were stopped early and appear in no table."
    if metric in best.metrics:
        message += (
            f" The best validation value among them: {code(metric)} {best.metrics[metric]:.4g}, of {escape(row.name)}, "
            f"seed {best.seed}, stopped at epoch {best.epochs}."
        )
    return ["## Pruned", "", message, ""]


def failed_section(snapshot: Snapshot) -> list[str]:
    """Lines that name the runs that failed, and how many have no result yet."""
    failed, absent = failures(snapshot), missing(snapshot)
    lines: list[str] = []
    if failed:
        lines += ["## Failed", ""]
        for row, result in failed:
            last = (result.error or "").strip().split("\n")[-1]
            lines.append(f"- {escape(row.name)}, seed {result.seed}: {escape(last[:300])}")
        lines.append("")
    if absent:
        lines += [f"**Not complete**: {absent} planned runs have no result yet.", ""]
    return lines
