"""``vsebench doctor``: what is installed, what works, and how to mend what does not."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import vsebench
from vsebench.home import home

PACKAGES = ("torch", "torchvision", "timm", "transformers", "torchmetrics", "wandb", "h5py", "pandas", "datasets")


def report() -> int:
    """Print the report; 1 when something is broken."""
    print(
        f"vsebench {vsebench.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )
    print(f"own files: {home()} (set VSEBENCH_HOME to move them)")
    problems = _packages()
    if not problems:
        _devices()
    print(f"hub: {_hub()}")
    print(f"W&B: {_wandb()}")
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    print("Everything needed works." if not problems else f"{len(problems)} problems.")
    return 1 if problems else 0


def _packages() -> list[str]:
    problems = []
    for name in PACKAGES:
        try:
            said = version(name)
        except PackageNotFoundError:
            problems.append(f"{name} is not installed; run pip install -e . again.")
            continue
        try:
            importlib.import_module(name)
        except Exception as error:  # a broken build raises anything
            problems.append(mend(name, error))
            print(f"{name} {said}: BROKEN")
        else:
            print(f"{name} {said}")
    return problems


def mend(name: str, error: BaseException) -> str:
    """What a failed import means and how to mend it."""
    if "torchvision::" in str(error) or name == "torchvision":
        return (
            f"torch {_version('torch')} and torchvision {_version('torchvision')} do not fit each other ({error}). "
            "Mend: pip install --force-reinstall torch torchvision"
        )
    return f"{name} cannot be imported: {type(error).__name__}: {error}. Mend: pip install --force-reinstall {name}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(missing)"


def _devices() -> None:
    import torch

    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(i)
            print(f"cuda:{i}: {torch.cuda.get_device_name(i)}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free")
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        print(f"no GPU; {cores} cores")


def _hub() -> str:
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return "offline by HF_HUB_OFFLINE; cached and local weights only"
    import urllib.error
    import urllib.request

    url = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=3)
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"not reachable ({reason}); use local checkpoints or weights: pretrain"
    return "reachable"


def _wandb() -> str:
    from vsebench.tracking import logged_in, resolve_mode

    return f"{'logged in' if logged_in() else 'not logged in'}; runs are {resolve_mode('auto')}"
