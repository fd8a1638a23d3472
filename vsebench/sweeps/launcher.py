"""One run by several processes on this machine: start them, hear them, and end them all when one is lost.

The processes are started afresh for each run (``python -m vsebench.sweeps.group_worker``). They meet through a file, so
that no port is opened for it; each hears the end of this process as the end of its standard input, and ends too.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

import vsebench
from vsebench.core.errors import ConfigError
from vsebench.core.types import Result
from vsebench.data.dataset import Dataset
from vsebench.distributed.gradient_sharing import require_accelerate
from vsebench.runs.provenance import result_of
from vsebench.runs.store import Store
from vsebench.sweeps.plan import Run
from vsebench.sweeps.prepare import Say
from vsebench.sweeps.worker import Settings

#: How long the other processes may take to end once the first has ended or one is lost.
GRACE_S = 10.0
POLL_S = 0.5
_ROOT = Path(vsebench.__file__).parent.parent
_Heard = tuple[int, dict[str, Any] | None]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What one process of a run is told.

    Args:
        number: of the process, from 0; the first writes the result.
        meeting: the file where the processes find each other.
        cpu: whether to stay off GPUs.
    """

    run: Run
    settings: Settings
    number: int
    meeting: Path
    cpu: bool

    def line(self) -> bytes:
        """As one line of JSON. Python's own writer keeps infinite numbers, which pydantic's makes null."""
        plain = TypeAdapter(Job).dump_python(self)
        return json.dumps(plain, default=os.fspath).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Job:
        """Parse a line of :meth:`line`, with the types of the fields.

        Raises: pydantic.ValidationError when it is something else.
        """
        return TypeAdapter(cls).validate_python(json.loads(line))


def check(processes: int, device: str) -> None:
    """Refuse what cannot work, before anything runs.

    Raises: ConfigError.
    """
    require_accelerate()
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(
            f"--device {device} names one device, but --processes-per-run {processes} needs as many; "
            "choose auto, cuda or cpu."
        )
    available = torch.cuda.device_count()
    if (device == "cuda" or (device == "auto" and available)) and available < processes:
        raise ConfigError(
            f"--processes-per-run {processes} needs {processes} GPUs, and there are {available}; "
            "choose fewer processes or --device cpu."
        )


def execute_together(
    run: Run, dataset: Dataset, store: Store, settings: Settings, *, worker: int, say: Say = lambda _: None
) -> Result:
    """As :func:`vsebench.sweeps.run_one.execute`, by ``settings.processes`` processes.

    A process that dies, or cannot go on, makes the run a failed result; the others are ended.

    Args:
        run: to do.
        dataset: that the run is trained on.
        store: where the runs lie.
        settings: of the sweep.
        worker: number of the worker that asks, which has GPUs of its own where there are enough.
        say: told in a few words what the run is doing.
    """
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="vsebench-") as folder:
        members: list[_Member] = []
        heard: queue.SimpleQueue[_Heard] = queue.SimpleQueue()
        try:
            for number in range(settings.processes):
                members.append(_start(run, settings, number, worker, Path(folder), heard))
            fault = _supervise(members, heard, say)
        finally:
            for member in members:
                member.end()
    result = store.read(run.run_id)
    if result is not None and (result.status != "failed" or fault is None):
        return result
    fault = fault or "the first process ended without a result."
    result = result_of(run, dataset, "failed", error=fault, train_s=time.perf_counter() - begin)
    store.write(result)
    return result


def _start(
    run: Run, settings: Settings, number: int, worker: int, folder: Path, heard: queue.SimpleQueue[_Heard]
) -> _Member:
    gpus = [] if settings.device == "cpu" else _gpus()
    job = Job(run, settings, number, folder / "meeting", cpu=not gpus)
    env = {k: v for k, v in os.environ.items() if not k.startswith("ACCELERATE_")}
    env |= {
        "OMP_NUM_THREADS": str(settings.threads),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")])),
    }
    if gpus:  # each sees one GPU only, so that it cannot touch another's
        env["CUDA_VISIBLE_DEVICES"] = gpus[(worker * settings.processes + number) % len(gpus)]
    elif sys.platform == "linux":
        env.setdefault("GLOO_SOCKET_IFNAME", "lo")  # nobody outside this machine takes part
    return _Member(number, settings.processes, job.line(), env, folder / f"said-{number}.txt", heard)


def _gpus() -> list[str]:
    """Names of the GPUs that this process may use."""
    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return named[:count] if named != [""] else [str(i) for i in range(count)]


class _Member:
    """A started process.

    Args:
        heard: where its events go, as (number, event); (number, None) once it has ended. One queue for all processes
            keeps the order in which things happened.
        file: takes its standard error.
    """

    def __init__(
        self, number: int, size: int, job: bytes, env: Mapping[str, str], file: Path, heard: queue.SimpleQueue[_Heard]
    ) -> None:
        self.number, self.size, self.file, self.heard = number, size, file, heard
        command = [sys.executable, "-m", "vsebench.sweeps.group_worker"]
        with file.open("wb") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=dict(env)
            )
        assert self.process.stdin is not None, "it is a pipe"
        assert self.process.stdout is not None, "it is a pipe"
        self.input, self.output = self.process.stdin, self.process.stdout
        with contextlib.suppress(BrokenPipeError):  # it died at once; its exit code says so
            self.input.write(job)
            self.input.flush()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.output:
            with contextlib.suppress(ValueError):  # killed in the middle of a word; its exit code says so
                self.heard.put((self.number, json.loads(line)))
        self.heard.put((self.number, None))

    def fault(self) -> str | None:
        """Describe how the process ended, if that was a fault."""
        code = self.process.wait()
        if code == 0:
            return None
        last = self.file.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
        listing = "".join(f"\n  {line}" for line in last)
        return (
            f"process {self.number + 1} of {self.size} of this run died (exit code {code}; killed, or out of memory)."
            f"{listing}"
        )

    def end(self) -> None:
        """Kill it if it still runs."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.input.close()
        self.reader.join(timeout=1)
        self.output.close()


def _supervise(members: Sequence[_Member], heard: queue.SimpleQueue[_Heard], say: Say) -> str | None:
    """Listen until the processes have ended, or the time is over that they have after a loss.

    Returns: the first fault, which is the cause; what the others say after it is that they lost a partner.
    """
    fault: str | None = None
    running = {member.number for member in members}
    deadline = math.inf
    while running and time.monotonic() < deadline:
        try:
            number, event = heard.get(timeout=POLL_S)
        except queue.Empty:
            continue
        if event is None:
            running.discard(number)
            fault = fault or members[number].fault()
        elif event["kind"] == "progress":
            say(event["text"])
        elif event["kind"] == "log":
            log.warning(event["text"])
        else:
            fault = fault or event["text"]
        if math.isinf(deadline) and (fault is not None or 0 not in running):
            deadline = time.monotonic() + GRACE_S
    return fault


__all__ = ["Job", "check", "execute_together"]
