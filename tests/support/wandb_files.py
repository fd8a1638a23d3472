"""What an offline W&B run has written."""

from __future__ import annotations

import time
from pathlib import Path

from vsebench.runs.wandb_log import OfflineRun, read_log


def read_back(file: Path) -> OfflineRun:
    """Read an offline run's file once W&B's process has written its end."""
    until = time.monotonic() + 60
    while not (run := read_log(file)).over and time.monotonic() < until:
        time.sleep(0.1)
    return run
