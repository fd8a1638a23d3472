"""``vsebench verify``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vsebench.cli.options import BoardFolder, Boards, Plugins, RunsFolder, Trust
from vsebench.core.errors import DataError
from vsebench.core.plugins import load_plugins
from vsebench.core.terminal import say
from vsebench.leaderboard.table import printable

if TYPE_CHECKING:
    from vsebench.results.verify import Difference, Report

#: Runs, or differences, of one kind that are listed; the others are counted.
SHOWN = 20


def verify(
    experiments: Boards = None,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
    strict: Annotated[bool, typer.Option("--strict", help="Fail as well on what cannot be checked.")] = False,
    plugin: Plugins = None,
    trust: Trust = False,
) -> int:
    """Compute every number of a board again from the stored predictions, and compare it down to the pages.

    It exits with 1 where something differs.

    Example: vsebench verify mmfrb --strict
    """
    from vsebench.results.pages import check_pages
    from vsebench.results.verify import verify as report_of
    from vsebench.runs.snapshot import board_names, load_board, results_file

    load_plugins(plugin or ())
    wrong, unchecked = 0, 0
    for name in board_names(board, experiments or ()):
        file = results_file(board, name)
        try:
            snapshot = load_board(board, name)
        except DataError as error:
            say(f"{printable(name)}: cannot be read\n  DIFFERS {error}", lines=True)
            wrong += 1
            continue
        report = report_of(snapshot, file, runs, trust=trust)
        pages = check_pages(board, [name])
        for line in lines(report, pages):
            say(line)
        wrong += len(report.differences) + len(pages)
        unchecked += len(report.missing) + len(report.absent)
    if wrong:
        say(f"{wrong} differences.")
    elif unchecked:
        say("No differences in what could be checked.")
    else:
        say("Every number agrees with its predictions.")
    return int(bool(wrong or (strict and unchecked)))


def lines(report: Report, pages: Sequence[Difference]) -> list[str]:
    """Format the report on one board."""
    rounded = f", {report.rounded:,} of them to within rounding" if report.rounded else ""
    message = [
        f"{printable(report.experiment)}: {report.runs:,} runs",
        f"  predictions -> results of runs: {report.recomputed:,} numbers agree{rounded}",
        *([f"  predictions -> board's items file: {report.items:,} values are the same"] if report.items else []),
        f"  results of runs -> board's results file: {report.compared:,} values are the same",
        "  board's results file -> pages: " + (f"{len(pages)} differences" if pages else "as rendered"),
        *([f"  code, which is no part of this check: {report.code}"] if report.code else []),
    ]
    by_reason: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for _, run_id, key, reason in report.missing:
        by_reason[reason].append((run_id, key))
    for reason, numbers in by_reason.items():
        runs = len({run_id for run_id, _ in numbers})
        keys = sorted({key.partition("/")[2] or key for _, key in numbers})
        message.append(
            f"  not recomputable: {len(numbers):,} numbers of {runs:,} runs: {printable(reason).rstrip('.')}"
        )
        message.append(f"    {_some(keys)}")
    for row, run_id, reason in report.absent[:SHOWN]:
        message.append(f"  not checked: row '{printable(row)}', run {printable(run_id)}: {printable(reason)}")
    if len(report.absent) > SHOWN:
        message.append(f"  not checked: {len(report.absent) - SHOWN} more runs")
    differences = [*report.differences, *pages]
    message += [f"  DIFFERS {_difference(one)}" for one in differences[:SHOWN]]
    if len(differences) > SHOWN:
        message.append(f"  DIFFERS {len(differences) - SHOWN} more")
    return message


def _difference(one: Difference) -> str:
    where = [f"row '{printable(one.row)}'"] if one.row else []
    where += [f"run {printable(one.run_id)}"] if one.run_id else []
    names = [f"{', '.join(where)}:"] if where else []
    says = f"{printable(one.what)} is {_value(one.stored)}, comes out as {_value(one.again)}"
    return " ".join([f"{printable(one.file)}:", *names, says])


def _value(value: Any) -> str:
    """As short as a line takes."""
    text = printable(repr(value) if isinstance(value, float) else str(value))
    return text if len(text) <= 160 else f"{text[:157]}..."


def _some(keys: Sequence[str]) -> str:
    shown = [printable(key) for key in keys[:8]]
    return ", ".join(shown) + (f" and {len(keys) - 8} more" if len(keys) > 8 else "")
