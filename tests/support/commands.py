"""Run a ``vsebench`` command as a user types it, in a process of its own that need not import torch again.

A fork server imports the libraries once for each test process; a command is a fork of it, with its own arguments,
folder, environment and output. ``python -m vsebench`` gives the same, two seconds of imports later.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["vsebench.pipeline", "vsebench.cli.app", "vsebench.retrieval.build"])


def vsebench(
    *arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and return its exit code and output, as ``subprocess.run`` does."""
    command = ["vsebench", *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "stdout", Path(folder) / "stderr"
        work = (command, str(cwd or Path.cwd()), {**os.environ, **(env or {})}, str(output), str(errors))
        process = _CONTEXT.Process(target=_run, args=work)
        process.start()
        process.join()
        code = process.exitcode
        process.close()
        assert code is not None
        return subprocess.CompletedProcess(command, code, output.read_text(), errors.read_text())


def _run(command: list[str], cwd: str, environment: dict[str, str], output: str, errors: str) -> None:
    for path, number in ((output, 1), (errors, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(os.devnull)  # noqa: SIM115 - for the life of this process
    sys.stdout, sys.stderr = (open(n, "w", closefd=False, buffering=1) for n in (1, 2))  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = command
    runpy.run_module("vsebench", run_name="__main__")
