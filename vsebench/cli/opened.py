"""The run that a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vsebench.core.plugins import load_plugins
from vsebench.core.terminal import say

if TYPE_CHECKING:
    from vsebench.runs.load import LoadedRun


def open_run(name: str, runs: Path, device: str, plugins: Sequence[Path] | None, trust: bool) -> LoadedRun:
    """Load a finished run and print which one it is.

    Raises: VsebenchError.
    """
    from vsebench.runs.find import find_run
    from vsebench.runs.load import load_run
    from vsebench.sweeps.worker import choose_device

    load_plugins(plugins or ())
    run = load_run(find_run(name, runs), device=choose_device(device, 0), trust=trust)
    say(f"{run.experiment}, {run.row}, seed {run.seed} (run {run.run_id})")
    return run
