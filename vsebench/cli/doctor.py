"""``vsebench doctor``: what is installed, what works, and how to mend what does not."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import vsebench
from vsebench.core.home import home


def doctor() -> int:
    """Report versions, devices, and problems found in this installation with how to fix them.

    It exits with 1 when something is broken.

    Example: vsebench doctor
    """
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
    """Print the version of each package that vsebench requires, and of each optional one that is there."""
    problems, modules = [], _modules()
    for requirement, extra in requirements():
        name = requirement.name
        try:
            installed = version(name)
        except PackageNotFoundError:
            if not extra:
                problems.append(f"{name} is not installed. Mend: pip install '{name}{requirement.specifier}'")
            continue
        problem = outdated(requirement, installed) or _unusable(name, modules.get(canonicalize_name(name), ()))
        if problem:
            problems.append(problem)
        print(f"{name} {installed}{': BROKEN' if problem else ''}")
    return problems


def requirements() -> Iterator[tuple[Requirement, str]]:
    """Yield the installed package's requirements, with pyproject.toml's versions, and the extra of each.

    Packages that only its tests need are left out.
    """
    try:
        stated = metadata("vsebench")
    except PackageNotFoundError:  # run from a folder of sources
        return
    extras = [extra for extra in stated.get_all("Provides-Extra", ()) if extra != "test"]
    seen = set()
    for text in stated.get_all("Requires-Dist", ()):
        requirement = Requirement(text)
        for extra in ("", *extras):
            fits = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
            if fits and requirement.name not in seen:
                seen.add(requirement.name)
                yield requirement, extra


def outdated(requirement: Requirement, installed: str) -> str:
    """Return why an installed version does not satisfy a requirement; empty when it does."""
    if requirement.specifier.contains(installed, prereleases=True):
        return ""
    wanted = f"{requirement.name}{requirement.specifier}"
    return f"{requirement.name} {installed} does not work; vsebench needs {wanted}. Mend: pip install -U '{wanted}'"


def _modules() -> dict[str, list[str]]:
    """Distribution -> modules that it installs: ``pillow`` -> ``PIL``."""
    modules: dict[str, list[str]] = {}
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            modules.setdefault(canonicalize_name(distribution), []).append(module)
    return modules


def _unusable(name: str, modules: Sequence[str]) -> str:
    """Why a package's module, the one named most like it, cannot be imported; empty when it can."""
    likest = max(modules or [name.replace("-", "_")], key=lambda m: SequenceMatcher(None, m.lower(), name).ratio())
    try:
        importlib.import_module(likest)
    except Exception as error:  # a broken build raises anything
        return mend(name, error)
    return ""


def mend(name: str, error: BaseException) -> str:
    """Explain a failed import and how to repair it.

    torchvision is built for one torch, and what imports it fails beside another in ways that do not say so.
    """
    what = f"{type(error).__name__}: {error}"
    needed = torch_of_torchvision()
    if needed is not None and not needed.specifier.contains(_version("torch"), prereleases=True):
        return (
            f"torch {_version('torch')} and torchvision {_version('torchvision')} do not fit each other: {name} cannot "
            f"be imported ({what}). Mend: pip install --force-reinstall torch torchvision"
        )
    return f"{name} cannot be imported: {what}. Mend: pip install --force-reinstall {name}"


def torch_of_torchvision() -> Requirement | None:
    """Return the torch that the installed torchvision states, or None where it states none."""
    try:
        stated = map(Requirement, requires("torchvision") or ())
    except PackageNotFoundError:
        return None
    return next((r for r in stated if r.name == "torch"), None)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "0"


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
    from vsebench.runs.wandb_options import logged_in, resolve_mode

    return f"{'logged in' if logged_in() else 'not logged in'}; runs are {resolve_mode('auto')}"
