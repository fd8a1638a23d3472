"""Runs on this machine: worker processes that claim runs by file locks.

Every worker walks the same list and takes what nobody has locked or finished. Two sweeps of the same file, started by
hand, share their work in the same way. A worker has a fixed number of threads (one, by default): how many workers
there are cannot change a number.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from filelock import FileLock, Timeout

from vsebench.errors import RunFailed
from vsebench.store import Store
from vsebench.sweep.plan import Run
from vsebench.sweep.worker import (
    Event,
    Settings,
    choose_device,
    headline,
    is_done,
    load_plugins,
    make_tracker,
    plugins_of,
    prepare,
)

#: How long a worker waits for a run that another process has locked before it looks again.
POLL_S = 1.0


def run_all(runs: Sequence[Run], settings: Settings, *, workers: int, on_event: Callable[[Event], None]) -> None:
    """Do all runs and return when each has a result.

    With one worker the runs are done in this process. An interrupt (Ctrl-C) ends the workers and is raised again; the
    runs that were going on continue from their checkpoints the next time.

    Raises: KeyboardInterrupt; RunFailed when a worker died.
    """
    if not runs:
        return
    if workers <= 1:
        prepare(settings.threads)
        _work(list(runs), settings, 0, on_event)
        return
    workers = min(workers, len(runs))
    context = mp.get_context("spawn")
    events: Any = context.Queue()
    orders = [_rotated(runs, i, workers) for i in range(workers)]
    processes = [
        context.Process(target=_worker, args=(orders[i], settings, i, events), daemon=True) for i in range(workers)
    ]
    for process in processes:
        process.start()
    try:
        _listen(processes, events, on_event)
    except BaseException:
        for process in processes:
            process.terminate()
        raise
    finally:
        for process in processes:
            process.join(timeout=10)


def _listen(processes: Sequence[Any], events: Any, on_event: Callable[[Event], None]) -> None:
    while True:
        try:
            on_event(events.get(timeout=0.5))
            continue
        except queue.Empty:
            pass
        if all(not p.is_alive() for p in processes):
            while True:
                try:
                    on_event(events.get_nowait())
                except queue.Empty:
                    break
            crashed = [p.exitcode for p in processes if p.exitcode]
            if crashed:
                raise RunFailed(
                    f"a worker process died (exit code {crashed[0]}; killed, or out of memory). Finished runs are "
                    "kept; the same command goes on from here."
                )
            return


def _rotated(runs: Sequence[Run], worker: int, workers: int) -> list[Run]:
    """Workers begin at different places, so that they train different encoders first."""
    start = worker * len(runs) // workers
    return [*runs[start:], *runs[:start]]


def _worker(runs: Sequence[Run], settings: Settings, number: int, events: Any) -> None:
    # The parent handles Ctrl-C and ends its workers; a worker that handled it too would print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        prepare(settings.threads)
        _work(runs, settings, number, events.put)
    except BaseException:
        events.put(Event("crash", number, text=traceback.format_exc()))
        raise


def _end_with_parent() -> None:
    """A killed sweep leaves no workers behind: they would hold locks and cores."""
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(runs: Sequence[Run], settings: Settings, number: int, tell: Callable[[Event], None]) -> None:
    import torch

    from vsebench.data.dataset import Dataset
    from vsebench.sweep.execute import execute
    from vsebench.sweep.together import execute_together

    load_plugins(plugins_of(runs, settings))
    dataset = Dataset.open(settings.dataset_path)
    store = Store(settings.store_root, runs[0].experiment)
    alone = settings.processes == 1
    device = choose_device(settings.device, number) if alone else torch.device("cpu")
    waiting = list(runs)
    while waiting:
        left = []
        for run in waiting:
            if is_done(store, run):
                continue
            lock = FileLock(store.lock_file(run.run_id))
            store.lock_file(run.run_id).parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                left.append(run)
                continue
            with contextlib.ExitStack() as stack:
                stack.callback(lock.release)
                if is_done(store, run):
                    continue
                tell(Event("start", number, run.run_id))

                def say(text: str, run: Run = run) -> None:
                    tell(Event("progress", number, run.run_id, text))

                result = (
                    execute(
                        run,
                        dataset,
                        store,
                        device=device,
                        tracker=lambda r: make_tracker(r, store, settings),
                        say=say,
                        cache=settings.cache,
                    )
                    if alone
                    else execute_together(run, dataset, store, settings, worker=number, say=say)
                )
                if device.type == "cuda":
                    torch.cuda.empty_cache()
                tell(Event("end", number, run.run_id, headline(result), result.status))
        waiting = left
        if waiting:
            time.sleep(POLL_S)
