"""Runs in processes of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vsebench.core.registry import EXECUTORS
from vsebench.sweeps.executors.base import Executor, Work
from vsebench.sweeps.worker import Execute


@EXECUTORS.register("local", source="own")
class Local(Executor):
    """Do the runs in worker processes of this machine.

    Args:
        work: how many at a time, and with what (wired).

    Example:
        >>> from vsebench.sweeps.executors.base import Work
        >>> with Local(Work(workers=3)).started() as (workers, execute):
        ...     print(workers, execute)
        3 None
    """

    def __init__(self, work: Work) -> None:
        super().__init__(work)

    def check(self) -> None:
        """Refuse more processes per run than there are devices.

        Raises: ConfigError.
        """
        if self.work.processes > 1:
            from vsebench.sweeps.launcher import check

            check(self.work.processes, self.work.device)

    @contextmanager
    def started(self) -> Iterator[tuple[int | None, Execute | None]]:
        """Give the number of workers; the sweep starts them itself."""
        yield self.work.workers, None
