"""``vsebench leaderboard --from-wandb``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsebench.core.errors import ConfigError, DataError, Place
from vsebench.core.terminal import say
from vsebench.leaderboard.render import render
from vsebench.leaderboard.table import printable
from vsebench.results.from_wandb import Fetched, board_of, fetch
from vsebench.runs.snapshot import Snapshot, as_text, load_board, results_file, save, snapshot_of


@dataclass(frozen=True)
class FromWandbOptions:
    """The command's arguments."""

    project: str
    group: str | None
    fingerprint: str | None
    replace: bool
    board: Path


def run_from_wandb(options: FromWandbOptions, api: Any = None) -> None:
    """Fetch the runs of a project, and write a board for each experiment.

    Args:
        api: like ``wandb.Api()``, which is taken without it.

    Raises: DataError where W&B cannot be asked or has nothing that a board could be made of; ConfigError.
    """
    if not re.fullmatch(r"[^/\s]+/[^/\s]+", options.project):
        raise ConfigError(f"--from-wandb is written ENTITY/PROJECT. Got '{options.project}'.")
    fetched = fetch(_runs(options, api), options.group)
    if not fetched:
        asked = f" of group '{options.group}'" if options.group else " with a group"
        raise DataError(f"{options.project} has no runs{asked}. A sweep logs the runs of an experiment as one group.")
    boards = [(one, board_of(one, fingerprint=options.fingerprint, source=options.project)) for one in fetched]
    for _, snapshot in boards:
        snapshot_of(json.loads(as_text(snapshot)), Place(options.project))  # what others logged, before it is written
        _refuse_loss(snapshot, options)
    for one, snapshot in boards:
        for line in lines(one, snapshot):
            say(line)
        save(snapshot, results_file(options.board, snapshot.experiment))
    for file in render(options.board, [snapshot.experiment for _, snapshot in boards]):
        say(f"wrote {file}")


def _runs(options: FromWandbOptions, api: Any) -> list[Any]:
    filters = {"group": options.group} if options.group else {}
    try:
        if api is None:
            import wandb

            api = wandb.Api()
        return list(api.runs(options.project, filters=filters, order="+created_at", lazy=False))
    except Exception as error:  # W&B may fail in any way: no key, no network, no such project
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"W&B cannot be asked for the runs of {options.project}: {said}") from None


def _refuse_loss(snapshot: Snapshot, options: FromWandbOptions) -> None:
    """Refuse to replace a board by one that lacks some of its runs.

    Raises: DataError.
    """
    name = snapshot.experiment
    file = results_file(options.board, name)
    if options.replace or not file.is_file():
        return
    lost = sorted(set(load_board(options.board, name).results) - set(snapshot.results))
    if lost:
        raise DataError(
            f"this board has {len(lost)} runs that {options.project} has not (the first is {lost[0]}). Write into "
            "another folder with --board and then 'vsebench results merge', or replace the board with --replace.",
            place=Place(str(file)),
        )


def lines(fetched: Fetched, snapshot: Snapshot) -> Sequence[str]:
    """Format the summary of an experiment fetched from W&B."""
    said = [f"{printable(snapshot.experiment)}: {len(snapshot.rows)} rows, {len(snapshot.results)} runs"]
    if fetched.duplicates:
        said.append(f"  {fetched.duplicates} runs were there more than once, with the same numbers")
    said += [f"  skipped {printable(s.name)} ({printable(s.id)}): {printable(s.reason)}" for s in fetched.skipped]
    return said
