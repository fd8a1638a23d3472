"""One of the processes that do a run together: ``python -m vsebench.sweeps.group_worker``, started by ``together.py``.

Reads its job from the first line of standard input, writes events to standard output, a JSON object a line, and ends
when the input does.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from vsebench.sweeps.launcher import Job

Tell = Callable[[str, str], None]


class _LogLines(logging.Handler):
    """Warnings go to whoever started the processes."""

    def __init__(self, tell: Tell) -> None:
        super().__init__(logging.WARNING)
        self.tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Pass it on."""
        self.tell("log", record.getMessage())


def main() -> None:
    """Do the job."""
    # Whoever started this handles Ctrl-C and ends all processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tell = _teller()
    job = Job.read(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        fault = _work(job, tell)
    except BaseException:
        fault = traceback.format_exc()
    if fault is not None:
        tell("fault", fault)
    # At once: the end of an interpreter may wait for partners that are lost, and PyTorch 2.14 sometimes aborts in
    # destroy_process_group ("terminate called without an active exception").
    sys.stderr.flush()
    os._exit(0 if fault is None else 1)


def _work(job: Job, tell: Tell) -> str | None:
    """Return the run's fault, or None."""
    from vsebench.core.plugins import load_plugins
    from vsebench.data.dataset import Dataset
    from vsebench.distributed.gradient_sharing import TorchProcessGroup
    from vsebench.runs.store import Store
    from vsebench.sweeps.run_one import execute
    from vsebench.sweeps.worker import make_tracker, plugins_of, prepare

    run, settings = job.run, job.settings
    process_group = TorchProcessGroup(job.number, settings.processes, job.meeting, cpu=job.cpu)
    prepare(settings.threads)
    load_plugins(plugins_of([run], settings))
    if process_group.is_main_process:
        logging.getLogger("vsebench").addHandler(_LogLines(tell))
    store = Store(settings.store_root, run.experiment)
    dataset = Dataset.open(settings.dataset_path)
    result = execute(
        run,
        dataset,
        store,
        device=process_group.device,
        tracker=lambda r: make_tracker(r, dataset, store, settings),
        say=lambda text: tell("progress", text) if process_group.is_main_process else None,
        cache=settings.cache,
        process_group=process_group,
    )
    if result.error is None and result.status == "finished":
        process_group.gather([job.number])  # nobody leaves while another still talks
    return result.error


def _teller() -> Tell:
    """Events go where standard output did; what libraries print goes to standard error."""
    stream: Any = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def tell(kind: str, text: str) -> None:
        with lock:
            stream.write(json.dumps({"kind": kind, "text": text}) + "\n")
            stream.flush()

    return tell


def _end_with_input() -> None:
    """End this process with its parent: a survivor would hold cores, GPUs and locks."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
