"""Runs on this machine: worker processes that claim runs by file locks.

Every worker walks the same list and takes what nobody has locked or finished. Two sweeps of the same file, started by
hand, share their work in the same way. A worker has a fixed number of threads (one, by default): how many workers
there are cannot change a number. A worker that is lost is replaced, and the run that it was doing is tried again after
the others, or recorded as failed (see :mod:`vsebench.sweeps.attempts`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from vsebench.core.errors import ConfigError, VsebenchError
from vsebench.core.files import make_folder
from vsebench.core.plugins import load_plugins
from vsebench.runs.store import Store
from vsebench.sweeps import attempts
from vsebench.sweeps.plan import Run
from vsebench.sweeps.worker import (
    Event,
    Settings,
    choose_device,
    closing_line,
    is_done,
    make_tracker,
    plugins_of,
    prepare,
)

if TYPE_CHECKING:
    import torch

    from vsebench.data.dataset import Dataset

#: How long a worker waits for a run that another process has locked before it looks again.
POLL_S = 1.0


def default_workers(settings: Settings) -> int:
    """As many as this machine has GPUs, or cores for their threads."""
    if settings.device in ("auto", "cuda"):
        import torch

        if torch.cuda.is_available():
            return max(1, torch.cuda.device_count() // settings.processes)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // (settings.threads * settings.processes))


def run_all(runs: Sequence[Run], settings: Settings, *, workers: int, on_event: Callable[[Event], None]) -> None:
    """Do all runs and return when each has a result.

    An interrupt (Ctrl-C) ends the workers and is raised again; the runs that were going on continue from their
    checkpoints the next time.

    Args:
        runs: what is done, in this order.
        settings: of the sweep.
        workers: processes. 0 does the runs in this process, for a debugger: a run that ends it ends the sweep.
        on_event: called with every event of a worker.

    Raises: KeyboardInterrupt; DiskError; RunFailed when workers die before their first run; ConfigError for a time
        limit without a process that could be ended.
    """
    if not runs:
        return
    store = Store(settings.store_root, runs[0].experiment)
    runs = attempts.others_first(runs, store)
    if workers > 0:
        from vsebench.sweeps.workers import Workers

        Workers(runs, settings, store, on_event).run(min(workers, len(runs)))
        return
    if any(run.system.train.time_limit is not None for run in runs):
        raise ConfigError("train.time_limit needs a process that can be ended; give --workers 1 or more.")
    prepare(settings.threads)
    work(runs, settings, 0, on_event)


def worker_main(runs: Sequence[Run], settings: Settings, number: int, pipe: Connection, errors: Connection) -> None:
    """Run a worker process.

    Args:
        runs: what is done, in this order.
        settings: of the sweep.
        number: of the worker.
        pipe: takes its events.
        errors: takes what it writes to standard error.
    """

    def tell(event: Event) -> None:
        try:
            pipe.send(event)
        except OSError:
            os._exit(1)  # nobody listens any more; an error here would be taken for one of the run

    # The parent handles Ctrl-C and ends its workers; a worker that handled it too would print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.dup2(errors.fileno(), 2)
    try:
        prepare(settings.threads)
        work(runs, settings, number, tell)
        tell(Event("over", number))
    except VsebenchError as error:  # a full disk, a plug-in, a dataset: no other worker would do better
        tell(Event("halt", number, text=str(error), status=type(error).__name__))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    pipe.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is written; taking torch and its friends apart takes seconds, and the sweep waits for it


def _end_with_parent() -> None:
    """End this process with its parent: a survivor would hold locks and cores."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def work(runs: Sequence[Run], settings: Settings, number: int, tell: Callable[[Event], None]) -> None:
    """Take runs that nobody has locked or finished until there are none, and tell of each.

    Raises: DiskError.
    """
    import torch

    from vsebench.data.dataset import Dataset

    load_plugins(plugins_of(runs, settings))
    dataset = Dataset.open(settings.dataset_path)
    store = Store(settings.store_root, runs[0].experiment)
    device = choose_device(settings.device, number) if settings.processes == 1 else torch.device("cpu")
    waiting = list(runs)
    while waiting:
        left = []
        for run in waiting:
            if is_done(store, run):
                continue
            make_folder(store.lock_file(run.run_id).parent)
            lock = FileLock(store.lock_file(run.run_id))
            try:
                lock.acquire(timeout=0)
            except Timeout:
                left.append(run)
                continue
            with contextlib.ExitStack() as stack:
                stack.callback(lock.release)
                if not is_done(store, run):
                    _do(run, dataset, store, settings, device, number, tell)
        waiting = left
        if waiting:
            time.sleep(POLL_S)


def _do(
    run: Run,
    dataset: Dataset,
    store: Store,
    settings: Settings,
    device: torch.device,
    number: int,
    tell: Callable[[Event], None],
) -> None:
    """Do a run that this worker has locked."""
    from vsebench.runs.provenance import result_of
    from vsebench.sweeps.launcher import execute_together
    from vsebench.sweeps.run_one import execute

    def say(text: str) -> None:
        tell(Event("progress", number, run.run_id, text))

    folder = store.run_folder(run.run_id)
    lost = attempts.verdict(folder)
    if lost is not None:
        result = result_of(run, dataset, "failed", error=lost)
        store.write(result)
    else:
        attempts.begin(folder)
        tell(Event("start", number, run.run_id))
        if settings.processes == 1:
            result = execute(
                run,
                dataset,
                store,
                device=device,
                tracker=lambda r: make_tracker(r, dataset, store, settings),
                say=say,
                cache=settings.cache,
            )
        else:
            result = execute_together(run, dataset, store, settings, worker=number, say=say)
        attempts.end(folder, result)
    if device.type == "cuda":
        import torch

        torch.cuda.empty_cache()
    tell(Event("end", number, run.run_id, closing_line(result), result.status))
