"""Runs on this machine: worker processes that claim runs by file locks.

Every worker walks the same list and takes what nobody has locked or finished. Two sweeps of the same file, started by
hand, share their work in the same way. A worker has a fixed number of threads (one, by default): how many workers
there are cannot change a number.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait

from filelock import FileLock, Timeout

from vsebench.errors import RunFailed
from vsebench.plugins import load_plugins
from vsebench.store import Store
from vsebench.sweep.plan import Run
from vsebench.sweep.worker import (
    Event,
    Settings,
    choose_device,
    headline,
    is_done,
    make_tracker,
    plugins_of,
    prepare,
)

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
    processes, pipes = [], []
    for number in range(workers):
        # A pipe for each worker: a queue's lock would stay taken if its holder were killed, and hold up the others.
        pipe, end = context.Pipe(duplex=False)
        told = (_rotated(runs, number, workers), settings, number, end)
        process = context.Process(target=_worker, args=told, daemon=True)
        process.start()
        end.close()
        processes.append(process)
        pipes.append(pipe)
    try:
        _listen(pipes, on_event)
    except BaseException:
        for process in processes:
            process.terminate()
        raise
    finally:
        for process in processes:
            process.join(timeout=10)
    _check_end([p.exitcode for p in processes], runs, settings, on_event)


def _listen(pipes: Sequence[Connection], on_event: Callable[[Event], None]) -> None:
    """Pass on what the workers tell, until each of them has ended."""
    open_pipes = list(pipes)
    while open_pipes:
        for pipe in wait(open_pipes):
            assert isinstance(pipe, Connection), "what was waited for"
            try:
                event = pipe.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                open_pipes.remove(pipe)  # ended, or killed in the middle of a word
                continue
            on_event(event)


def _check_end(
    codes: Sequence[int | None], runs: Sequence[Run], settings: Settings, on_event: Callable[[Event], None]
) -> None:
    crashed = [code for code in codes if code]
    if not crashed:
        return
    store = Store(settings.store_root, runs[0].experiment)
    said = f"a worker process died (exit code {crashed[0]}; killed, or out of memory)."
    if not all(is_done(store, run) for run in runs):
        raise RunFailed(f"{said} Finished runs are kept; the same command goes on from here.")
    on_event(Event("crash", 0, text=f"{said} The others did its runs."))


def _rotated(runs: Sequence[Run], worker: int, workers: int) -> list[Run]:
    """Workers begin at different places, so that they train different encoders first."""
    start = worker * len(runs) // workers
    return [*runs[start:], *runs[:start]]


def _worker(runs: Sequence[Run], settings: Settings, number: int, pipe: Connection) -> None:
    def tell(event: Event) -> None:
        try:
            pipe.send(event)
        except OSError:
            os._exit(1)  # nobody listens any more; an error here would be taken for one of the run

    # The parent handles Ctrl-C and ends its workers; a worker that handled it too would print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        prepare(settings.threads)
        _work(runs, settings, number, tell)
    except BaseException:
        tell(Event("crash", number, text=traceback.format_exc()))
        raise
    pipe.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is written; taking torch and its friends apart takes seconds, and the sweep waits for it


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
