"""The sweep's side of its worker processes: started, heard, replaced when they are lost, ended when they hang."""

from __future__ import annotations

import math
import multiprocessing as mp
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

import vsebench.core.errors as errors
from vsebench.core.errors import RunFailed, VsebenchError
from vsebench.core.sizes import duration_in_words
from vsebench.runs.store import Store
from vsebench.sweeps import attempts
from vsebench.sweeps.local import worker_main
from vsebench.sweeps.plan import Run
from vsebench.sweeps.worker import Event, Settings, is_done

#: So often in a row may a worker be lost outside a run before the sweep ends.
MAX_FALSE_STARTS = 3
#: Lines of what a worker wrote to standard error that are recorded with a run that was lost.
LINES = 12


@dataclass(eq=False)
class Worker:
    """A worker process, and what is known of it.

    Args:
        pipe: its events.
        run: that it is doing.
        since: when that run began, in seconds of the monotonic clock.
        text: the last that it said of it.
        over: it ended by itself, with nothing left to do.
        cause: why it was ended by the sweep.
        lines: the last that it wrote to standard error.
        reader: passes on what it writes there.
    """

    number: int
    process: Any
    pipe: Connection
    run: Run | None = None
    since: float = 0.0
    text: str = ""
    over: bool = False
    cause: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))
    reader: threading.Thread | None = None

    @property
    def deadline(self) -> float:
        """When its run has taken too long; infinite where it has no limit."""
        limit = None if self.run is None else self.run.system.train.time_limit
        return math.inf if limit is None else self.since + limit


class Workers:
    """Worker processes that do the runs of an experiment.

    Args:
        on_event: told what they tell, and of losses.
    """

    def __init__(
        self, runs: Sequence[Run], settings: Settings, store: Store, on_event: Callable[[Event], None]
    ) -> None:
        self.runs, self.settings, self.store, self.on_event = runs, settings, store, on_event
        self.by_id = {run.run_id: run for run in runs}
        self.active: list[Worker] = []
        self.false_starts = 0

    def run(self, count: int) -> None:
        """Do all runs with so many processes; return when each has a result.

        Raises: KeyboardInterrupt; what a worker could not go on for, such as DiskError; RunFailed.
        """
        try:
            for number in range(count):
                self._start(number, count)
            while self.active:
                self._listen()
        except BaseException:
            for worker in self.active:
                worker.process.terminate()
            raise
        finally:
            for worker in self.active:
                worker.process.join(timeout=10)

    def _start(self, number: int, count: int) -> None:
        context = mp.get_context("spawn")
        # A pipe for each worker: a queue's lock would stay taken if its holder were killed, and hold up the others.
        pipe, end = context.Pipe(duplex=False)
        stderr, stderr_end = context.Pipe(duplex=False)
        arguments = (self._order(number, count), self.settings, number, end, stderr_end)
        process = context.Process(target=worker_main, args=arguments, daemon=True)
        process.start()
        end.close()
        stderr_end.close()
        worker = Worker(number, process, pipe)
        worker.reader = threading.Thread(target=_pass_on, args=(stderr, worker.lines), daemon=True)
        worker.reader.start()
        self.active.append(worker)

    def _order(self, number: int, count: int) -> list[Run]:
        """Workers begin at different places, so that they train different encoders first. What was lost comes last."""
        begin = number * len(self.runs) // count
        return attempts.others_first([*self.runs[begin:], *self.runs[:begin]], self.store)

    def _listen(self) -> None:
        """Take what workers tell until one of them ends or takes too long."""
        left = min(worker.deadline for worker in self.active) - time.monotonic()
        by_pipe = {worker.pipe: worker for worker in self.active}
        for pipe in wait(list(by_pipe), timeout=None if math.isinf(left) else max(0.0, left)):
            assert isinstance(pipe, Connection), "what was waited for"
            worker = by_pipe[pipe]
            try:
                event = pipe.recv()
            except (EOFError, OSError, pickle.UnpicklingError):  # ended, or killed in the middle of a word
                self._ended(worker)
            else:
                self._take(worker, event)
        for worker in self.active:
            if worker.deadline <= time.monotonic() and not worker.cause:
                assert worker.run is not None, "only a run has a deadline"
                limit = duration_in_words(worker.run.system.train.time_limit or 0.0)
                worker.cause = f"it took longer than train.time_limit ({limit}) and was ended"
                worker.process.kill()

    def _take(self, worker: Worker, event: Event) -> None:
        if event.kind == "start":
            worker.run, worker.since, worker.text = self.by_id[event.run_id], time.monotonic(), ""
            worker.lines.clear()
        elif event.kind == "progress":
            worker.text = event.text
        elif event.kind == "end":
            worker.run, self.false_starts = None, 0
        elif event.kind == "over":
            worker.over = True
        elif event.kind == "halt":
            kind = getattr(errors, event.status, RunFailed)
            raise kind(event.text) if issubclass(kind, VsebenchError) else RunFailed(event.text)
        if event.kind in ("start", "progress", "end"):
            self.on_event(event)

    def _ended(self, worker: Worker) -> None:
        """Replace a worker that is gone, unless it had nothing left to do."""
        self.active.remove(worker)
        worker.process.join(timeout=10)
        if worker.reader is not None:
            worker.reader.join(timeout=1)
        if worker.over:
            return
        if worker.run is None:
            self.false_starts += 1
            if self.false_starts >= MAX_FALSE_STARTS:
                raise RunFailed(
                    f"workers die before their first run: {_why(worker)}. Finished runs are kept; the same command "
                    "resumes from there." + "".join(f"\n  {line}" for line in worker.lines)
                )
        elif not is_done(self.store, worker.run):
            self._lost(worker, worker.run)
        if not all(is_done(self.store, run) for run in self.runs):
            self._start(worker.number, len(self.active) + 1)

    def _lost(self, worker: Worker, run: Run) -> None:
        after = f"after '{worker.text}'" if worker.text else "before it said anything"
        spent = duration_in_words(time.monotonic() - worker.since)
        summary = f"{_why(worker)}, {spent} after its beginning, {after}"
        losses = attempts.lose(self.store.run_folder(run.run_id), "\n".join([*worker.lines, summary]))
        then = "it is tried again after the others" if losses < attempts.MAX_LOSSES else "it is recorded as failed"
        self.on_event(
            Event("crash", worker.number, run.run_id, f"{run.title}: its process was lost: {summary}; {then}")
        )


def _why(worker: Worker) -> str:
    """Return how a process ended, in words."""
    code = worker.process.exitcode
    if worker.cause:
        return worker.cause
    if code is not None and code < 0:
        names = {s.value: s.name for s in signal.Signals}
        memory = ", as the system does for want of memory" if -code == signal.SIGKILL else ""
        return f"it was ended by {names.get(-code, f'signal {-code}')}{memory}"
    return f"it ended by itself with exit code {code} in the middle of its work"


def _pass_on(source: Connection, lines: deque[str]) -> None:
    """Pass on what a worker writes to standard error, and keep the last lines."""
    rest = b""
    while True:
        try:
            part = os.read(source.fileno(), 1 << 16)
        except OSError:
            part = b""
        if not part:
            break
        os.write(2, part)
        *whole, rest = (rest + part).split(b"\n")
        lines.extend(line.decode("utf-8", "replace") for line in whole if line.strip())
        rest = rest[-1000:]
    if rest.strip():
        lines.append(rest.decode("utf-8", "replace"))
    source.close()
