"""How often a run was begun and lost: a run that takes its process down must not keep a sweep from the others.

A loss is the end of a run's process without a result: it was killed (as for want of memory), crashed in native code,
ended by a component, or took longer than ``train.time_limit``. A run's folder counts them; after ``MAX_LOSSES`` the
run is recorded as failed, with what is known. Runs with losses, and those that were begun several times and never
ended, are tried after all others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from vsebench.core.files import write_atomically
from vsebench.core.types import Result
from vsebench.runs.store import ATTEMPTS, Store
from vsebench.sweeps.plan import Run

#: So often may the process of a run be lost before the run counts as failed.
MAX_LOSSES = 2
#: A run that was begun so often and never ended, nobody having seen why, is tried after the others.
SUSPICIOUS = 2
R = TypeVar("R", bound=Run)


@dataclass
class Attempts:
    """What is known of a run's attempts.

    Args:
        begun: attempts since the last one that ended by itself.
        losses: why each lost attempt ended, in words.
    """

    begun: int = 0
    losses: list[str] = field(default_factory=list)

    @property
    def last(self) -> bool:
        """Whether the run is tried after all others."""
        return bool(self.losses) or self.begun >= SUSPICIOUS


def read(folder: Path) -> Attempts:
    """Read the attempts of a run's folder; empty where it has no whole file of them."""
    try:
        plain = json.loads((folder / ATTEMPTS).read_text(encoding="utf-8"))
        return Attempts(int(plain["begun"]), [str(why) for why in plain["losses"]])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Attempts()


def begin(folder: Path) -> None:
    """Record the start of an attempt."""
    attempts = read(folder)
    attempts.begun += 1
    _write(folder, attempts)


def lose(folder: Path, why: str) -> int:
    """Record that an attempt was lost. Returns the number of losses."""
    attempts = read(folder)
    attempts.begun = 0
    attempts.losses.append(why)
    _write(folder, attempts)
    return len(attempts.losses)


def end(folder: Path, result: Result) -> None:
    """Record a result: earlier losses no longer count, unless the result is that the run was lost."""
    if result.status != "failed":
        (folder / ATTEMPTS).unlink(missing_ok=True)
        return
    attempts = read(folder)
    attempts.begun = 0
    _write(folder, attempts)


def retry(folder: Path) -> None:
    """Prepare another attempt at a failed run: it may be lost as often as before, but is tried after the others."""
    attempts = read(folder)
    if attempts.losses:
        _write(folder, Attempts(begun=SUSPICIOUS))


def others_first(runs: Sequence[R], store: Store) -> list[R]:
    """Order the runs so that those that may take the process down come last."""
    return sorted(runs, key=lambda run: read(store.run_folder(run.run_id)).last)


def verdict(folder: Path) -> str | None:
    """Return the error of a run that was lost too often; None for one that may be tried."""
    losses = read(folder).losses
    if len(losses) < MAX_LOSSES:
        return None
    *log, summary = losses[-1].strip().splitlines()
    return "\n".join([*log, f"its process was lost {len(losses)} times, and it is not tried again now: {summary}"])


def _write(folder: Path, attempts: Attempts) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / ATTEMPTS, json.dumps(asdict(attempts)))
