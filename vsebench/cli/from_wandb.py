"""``vsebench leaderboard --from-wandb``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vsebench.core.errors import ConfigError, DataError, Place
from vsebench.core.terminal import say
from vsebench.leaderboard.render import render
from vsebench.leaderboard.table import printable
from vsebench.results.from_wandb import Fetched, board_of, fetch
from vsebench.runs.snapshot import Snapshot, as_text, load_board, results_file, save, snapshot_of


def fetch_boards(
    project: str,
    board: Path,
    *,
    group: str | None = None,
    fingerprint: str | None = None,
    replace: bool = False,
    api: Any = None,
) -> None:
    """Fetch the runs of a project, and write a board for each experiment.

    Args:
        project: ``ENTITY/PROJECT``.
        board: the leaderboard folder.
        group: one experiment; None for all.
        fingerprint: of the dataset, where runs are of several.
        replace: drop runs that the board has and W&B has not.
        api: like ``wandb.Api()``, which is taken without it.

    Raises: DataError where W&B cannot be asked or has nothing that a board could be made of; ConfigError.
    """
    if not re.fullmatch(r"[^/\s]+/[^/\s]+", project):
        raise ConfigError(f"--from-wandb is written ENTITY/PROJECT. Got '{project}'.")
    fetched = fetch(_runs(project, group, api), group)
    if not fetched:
        requested = f" of group '{group}'" if group else " with a group"
        raise DataError(f"{project} has no runs{requested}. A sweep logs the runs of an experiment as one group.")
    boards = [(one, board_of(one, fingerprint=fingerprint, source=project)) for one in fetched]
    for _, snapshot in boards:
        snapshot_of(json.loads(as_text(snapshot)), Place(project))  # what others logged, before it is written
        _refuse_loss(snapshot, board, project, replace)
    for one, snapshot in boards:
        for line in lines(one, snapshot):
            say(line)
        save(snapshot, results_file(board, snapshot.experiment))
    for file in render(board, [snapshot.experiment for _, snapshot in boards]):
        say(f"wrote {file}")


def _runs(project: str, group: str | None, api: Any) -> list[Any]:
    filters = {"group": group} if group else {}
    try:
        if api is None:
            import wandb

            api = wandb.Api()
        return list(api.runs(project, filters=filters, order="+created_at", lazy=False))
    except Exception as error:  # W&B may fail in any way: no key, no network, no such project
        message = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"W&B cannot be asked for the runs of {project}: {message}") from None


def _refuse_loss(snapshot: Snapshot, board: Path, project: str, replace: bool) -> None:
    """Refuse to replace a board by one that lacks some of its runs.

    Raises: DataError.
    """
    name = snapshot.experiment
    file = results_file(board, name)
    if replace or not file.is_file():
        return
    lost = sorted(set(load_board(board, name).results) - set(snapshot.results))
    if lost:
        raise DataError(
            f"this board has {len(lost)} runs that {project} has not (the first is {lost[0]}). Write into "
            "another folder with --board and then 'vsebench results merge', or replace the board with --replace.",
            place=Place(str(file)),
        )


def lines(fetched: Fetched, snapshot: Snapshot) -> Sequence[str]:
    """Format the summary of an experiment fetched from W&B."""
    message = [f"{printable(snapshot.experiment)}: {len(snapshot.rows)} rows, {len(snapshot.results)} runs"]
    if fetched.duplicates:
        message.append(f"  {fetched.duplicates} runs were there more than once, with the same numbers")
    message += [f"  skipped {printable(s.name)} ({printable(s.id)}): {printable(s.reason)}" for s in fetched.skipped]
    return message
