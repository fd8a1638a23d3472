"""What an executor of runs is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from vsebench.core.errors import ConfigError
from vsebench.sweeps.plan import Run
from vsebench.sweeps.worker import Event, Execute, Settings


@dataclass(frozen=True)
class Work:
    """What every executor is told of the runs.

    Args:
        workers: runs at a time; None for as many as there is room for.
        threads: of each run, or of each of its processes.
        processes: that do one run together.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
    """

    workers: int | None = None
    threads: int = 1
    processes: int = 1
    device: str = "auto"


class Executor(ABC):
    """Where the runs of a sweep are done.

    Args:
        work: how many at a time, and with what (wired).
    """

    def __init__(self, work: Work) -> None:
        self.work = work

    def check(self) -> None:
        """Refuse what cannot work, before anything is read.

        Raises: ConfigError.
        """
        if self.work.processes > 1:
            raise ConfigError("--processes-per-run belongs to --executor local; this one gives a run one process.")

    @staticmethod
    def run_here(runs: Sequence[Run], settings: Settings, on_event: Callable[[Event], None]) -> None:
        """Do runs one after the other, in this process."""
        from vsebench.sweeps.local import run_all

        run_all(runs, settings, workers=0, on_event=on_event)

    @abstractmethod
    def started(self) -> AbstractContextManager[tuple[int | None, Execute | None]]:
        """Return a context in which runs can be done.

        It gives the number of runs at a time, and a function of the runs, the sweep's settings and ``on_event`` that
        returns when each run has its result in the store; None instead of it for processes of this machine.
        """
