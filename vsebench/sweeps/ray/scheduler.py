"""The driver's side of runs that are done elsewhere: what is given out, and what comes back into the store.

The driver alone reads and writes the store. It locks a run as a local worker does, holds the lock until the run is
over, however often it is given out, and writes a result under that lock only if there is none yet: each is there once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from vsebench.core.types import Result
from vsebench.runs.store import Store
from vsebench.sweeps import attempts
from vsebench.sweeps.plan import Run
from vsebench.sweeps.ray.artifacts import ArtifactBundle, deliver
from vsebench.sweeps.ray.bus import Message
from vsebench.sweeps.worker import Event, Settings, closing_line, is_done, make_tracker

if TYPE_CHECKING:
    from vsebench.runs.tracking import Tracker

#: So often may the worker of a run die before the run counts as failed: more often than on one machine, because nodes
#: are lost for reasons of their own.
MAX_LOSSES = 3
#: How long a run that another process has locked is left alone.
LOCKED_S = 1.0


@dataclass(eq=False)
class Task:
    """A run that is to be done, or is being done.

    Args:
        assignment: of its assignment, another one each time; 0 while it waits.
        worker: who does it.
        lock: of the run, held from the first assignment to the result.
        not_before: when it is looked at again, in seconds of the monotonic clock.
    """

    run: Run
    assignment: int = 0
    worker: int = 0
    lock: FileLock | None = None
    not_before: float = 0.0
    tracker: Tracker | None = None


class Scheduler:
    """Gives runs out and takes them back.

    Args:
        runs: of one experiment.
        settings: the store, the dataset and W&B.
        on_event: told when a run begins, gets on and ends.
    """

    def __init__(self, runs: Sequence[Run], settings: Settings, on_event: Callable[[Event], None]) -> None:
        from vsebench.data.dataset import Dataset

        self.settings, self.on_event = settings, on_event
        self.store = Store(settings.store_root, runs[0].experiment)
        self.dataset = Dataset.open(settings.dataset_path)
        self.waiting = deque(Task(run) for run in attempts.others_first(runs, self.store))
        self.out: dict[int, Task] = {}
        self._assignments = 0

    @property
    def open(self) -> int:
        """How many runs are not over."""
        return len(self.waiting) + len(self.out)

    def claim(self, worker: int) -> Task | None:
        """Return the next run that nobody has finished or locked, for a worker; None when there is none now."""
        for _ in range(len(self.waiting)):
            task = self.waiting.popleft()
            if task.lock is None and task.not_before <= time.monotonic():
                task.lock = _try_lock(self.store, task.run)
                task.not_before = time.monotonic() + LOCKED_S
            if is_done(self.store, task.run):
                self._let_go(task)
            elif task.lock is None:
                self.waiting.append(task)
            else:
                self._assignments += 1
                task.assignment, task.worker = self._assignments, worker
                self.out[task.assignment] = task
                attempts.begin(self.store.run_folder(task.run.run_id))
                self.on_event(Event("start", worker, task.run.run_id))
                return task
        return None

    def take(self, task: Task, bundle: ArtifactBundle, get: Callable[[Any], bytes]) -> None:
        """Store the results of a finished run."""
        from vsebench.runs.provenance import write_run_file

        deliver(bundle, self.store, get, write_run_file=lambda file: write_run_file(file, task.run, self.dataset))
        self._end(task, bundle.result)

    def fail(self, task: Task, message: str) -> None:
        """Store a failure as the run's result."""
        from vsebench.runs.provenance import result_of

        result = result_of(task.run, self.dataset, "failed", error=message)
        if not is_done(self.store, task.run):
            self.store.write(result)
        self._end(task, result)

    def lose(self, task: Task, where: str, cause: str = "") -> None:
        """Give out a lost worker's run again, before the others, or fail it. The run's folder counts losses, also over
        sweeps.

        Args:
            task: that was lost.
            where: node that the worker was on.
            cause: why it was ended, where this process did that.
        """
        losses = attempts.lose(self.store.run_folder(task.run.run_id), cause or f"its worker on {where} died")
        if losses >= MAX_LOSSES:
            memory = (
                "A run that needs more memory than it has there ends so; give it more of a node with --cpus-per-run, "
                "or a smaller train.batch_size."
            )
            why = f": {cause}." if cause else f". {memory}"
            self.fail(task, f"its worker died {losses} times, the last one on {where}{why}")
            return
        self._close_tracker(task)
        del self.out[task.assignment]
        self.waiting.appendleft(task)
        why = cause or f"its worker on {where} died"
        text = f"{task.run.title}: {why}; it is done again ({losses} of {MAX_LOSSES - 1})"
        self.on_event(Event("crash", task.worker, task.run.run_id, text))

    def note(self, message: Message, answer: Callable[[int, int, bool], None]) -> None:
        """Handle a worker's message on its run. Messages on an assignment that was given up are dropped.

        Args:
            message: of the worker.
            answer: takes ticket, epoch and decision when a run at a rung waits for them.
        """
        task = self.out.get(message.assignment)
        if task is None:
            return
        if message.kind == "progress":
            self.on_event(Event("progress", task.worker, task.run.run_id, message.text))
        elif message.kind == "rung":
            answer(message.assignment, message.epoch, self._goes_on(task, message))
        elif message.kind == "track":
            task.tracker = make_tracker(task.run, self.dataset, self.store, self.settings)
        elif message.kind == "log" and task.tracker is not None:
            task.tracker.log(message.numbers)

    def close(self) -> None:
        """Let go of all runs. Nothing of those that are out reaches the store any more."""
        for task in [*self.waiting, *self.out.values()]:
            self._let_go(task)
        self.waiting.clear()
        self.out.clear()

    def _goes_on(self, task: Task, message: Message) -> bool:
        from vsebench.sweeps.run_one import halving_of

        halving = halving_of(task.run, self.store, self.dataset.fingerprint)
        assert halving is not None, "only a run with rungs comes to one"
        return halving.arrive(message.epoch, message.value).promoted

    def _end(self, task: Task, result: Result) -> None:
        del self.out[task.assignment]
        attempts.end(self.store.run_folder(task.run.run_id), result)
        self._close_tracker(task, result)
        self._let_go(task)
        self.on_event(Event("end", task.worker, task.run.run_id, closing_line(result), result.status))

    def _let_go(self, task: Task) -> None:
        self._close_tracker(task)
        if task.lock is not None:
            task.lock.release()
            task.lock = None

    def _close_tracker(self, task: Task, result: Result | None = None) -> None:
        if task.tracker is not None:
            task.tracker.finish(result)
            task.tracker = None


def _try_lock(store: Store, run: Run) -> FileLock | None:
    file = store.lock_file(run.run_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock
