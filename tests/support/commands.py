"""Run a ``vsebench`` command as a user types it, or code, in a process of its own that need not import torch again.

A fork server imports the libraries once for each test process; a command is a fork of it, with its own arguments,
folder, environment and output. ``python -m vsebench`` gives the same, four seconds of imports later.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        *("vsebench.pipeline", "vsebench.cli.app", "vsebench.retrieval.build"),
        *("timm", "torch._dynamo", "scipy.stats", "sklearn.metrics", "matplotlib.figure"),
    ]
)


def start(
    arguments: Sequence[str | Path],
    *,
    code: str | None = None,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    output: Path | str = os.devnull,
    errors: Path | str = os.devnull,
) -> BaseProcess:
    """Start a command, or code with arguments, and return its process; what it prints goes to files."""
    places = (str(cwd or Path.cwd()), {**os.environ, **(env or {})}, str(output), str(errors))
    process = _CONTEXT.Process(target=_run, args=(code, [*map(str, arguments)], *places))
    process.start()
    return process


def vsebench(
    *arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and return its exit code and output, as ``subprocess.run`` does."""
    return _finish(arguments, cwd=cwd, env=env)


def python(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run code as ``python -c`` does, after the imports that the fork server has made."""
    return _finish(arguments, code=code)


def _finish(arguments: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "stdout", Path(folder) / "stderr"
        process = start(arguments, output=output, errors=errors, **options)
        process.join()
        code = process.exitcode
        process.close()
        assert code is not None
        return subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())


def _run(
    code: str | None, arguments: list[str], cwd: str, environment: dict[str, str], output: str, errors: str
) -> None:
    for path, number in ((output, 1), (errors, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(os.devnull)  # noqa: SIM115 - for the life of this process
    sys.stdout, sys.stderr = (open(n, "w", closefd=False, buffering=1) for n in (1, 2))  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    if code is None:
        sys.argv = ["vsebench", *arguments]
        runpy.run_module("vsebench", run_name="__main__")
    else:
        sys.argv = ["-c", *arguments]
        exec(code, {"__name__": "__main__"})
