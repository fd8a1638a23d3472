"""The state of a process that components may change: the same for every run, whatever the runs before it left."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch


class Setting(NamedTuple):
    """A setting of the process.

    Args:
        read: what it is now.
        write: make it that.
        begin: what every run begins with.
    """

    read: Callable[[], Any]
    write: Callable[[Any], object]
    begin: Any


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _set_deterministic(state: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(state[0], warn_only=state[1])


def _attribute(holder: Any, name: str, begin: Any) -> Setting:
    return Setting(lambda: getattr(holder, name), lambda value: setattr(holder, name, value), begin)


def _default_device() -> str:
    return str(torch.get_default_device())


def _set_default_device(place: str) -> None:
    # Not to None: torch 2.6 then fails in get_default_device, which transformers calls whenever it loads a model.
    if place != _default_device():
        torch.set_default_device(place)


def _autocast() -> dict[str, tuple[bool, torch.dtype]]:
    return {kind: (torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in ("cpu", "cuda")}


def _set_autocast(state: dict[str, tuple[bool, torch.dtype]]) -> None:
    for kind, (enabled, dtype) in state.items():
        torch.set_autocast_enabled(kind, enabled)
        torch.set_autocast_dtype(kind, dtype)


def _settings() -> list[Setting]:
    return [
        Setting(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        Setting(_default_device, _set_default_device, "cpu"),
        Setting(torch.is_grad_enabled, torch.set_grad_enabled, True),
        Setting(_autocast, _set_autocast, {"cpu": (False, torch.bfloat16), "cuda": (False, torch.float16)}),
        Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"),
        Setting(torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly, False),
        _attribute(torch.backends.cudnn, "enabled", True),
        _attribute(torch.backends.cudnn, "benchmark", False),
        _attribute(torch.backends.cudnn, "deterministic", False),
        _attribute(torch.backends.cudnn, "allow_tf32", True),
        _attribute(torch.backends.cuda.matmul, "allow_fp16_reduced_precision_reduction", True),
        _attribute(torch.backends.mkldnn, "enabled", True),
        Setting(torch.backends.cuda.flash_sdp_enabled, torch.backends.cuda.enable_flash_sdp, True),
        Setting(torch.backends.cuda.mem_efficient_sdp_enabled, torch.backends.cuda.enable_mem_efficient_sdp, True),
        Setting(torch.backends.cuda.math_sdp_enabled, torch.backends.cuda.enable_math_sdp, True),
        Setting(
            np.geterr,
            lambda state: np.seterr(**state),
            {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"},
        ),
    ]


@contextmanager
def fixed_state(
    *, seed: int, deterministic: bool, warn_only: bool = False, threads: int | None = None
) -> Iterator[None]:
    """Begin a block with the same state of the process each time, and leave the state that was there before.

    Numbers of a run must not depend on what a component of another run left in its process: the default type and
    device, gradients, autocast, precision and kernels of products, deterministic algorithms, generators of random
    numbers, threads, NumPy's handling of errors, the working folder.

    Args:
        seed: of the generators of Python, NumPy and PyTorch.
        deterministic: allow deterministic algorithms only; with ``warn_only`` warn where there is none.
        warn_only: warn where an operation has no deterministic algorithm, instead of stopping.
        threads: of PyTorch in the block; None for as many as there are.
    """
    settings = [
        *_settings(),
        Setting(_deterministic, _set_deterministic, (deterministic, warn_only)),
        Setting(torch.get_num_threads, torch.set_num_threads, threads or torch.get_num_threads()),
        Setting(random.getstate, random.setstate, random.Random(seed).getstate()),
        Setting(np.random.get_state, np.random.set_state, np.random.RandomState(seed % 2**32).get_state()),
        Setting(torch.random.get_rng_state, torch.random.set_rng_state, _torch_state(seed)),
        Setting(os.getcwd, os.chdir, os.getcwd()),
    ]
    before = [setting.read() for setting in settings]
    for setting in settings:
        setting.write(setting.begin)
    torch.set_flush_denormal(False)  # cannot be asked
    try:
        yield
    finally:
        for setting, value in zip(settings, before, strict=True):
            setting.write(value)


def _torch_state(seed: int) -> torch.Tensor:
    return torch.Generator().manual_seed(seed % 2**63).get_state()
