"""Floating-point operations of a call, by PyTorch's counter."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from vsebench.measurements._operations import is_free


@dataclass(frozen=True)
class Flops:
    """What a call computes.

    Args:
        count: 2 for each multiply-add of matrix products, convolutions and scaled dot-product attention. Nothing of
            element-wise operations: activations, normalisation, softmax, gates, sums, look-ups.
        missed: names of operations in the call that are not counted and not known to be free of matrix products.
    """

    count: int
    missed: tuple[str, ...]


def flops(call: Callable[[], Any]) -> Flops:
    """Count a call, which is made once, without gradients.

    Recurrent layers and attention are taken apart into the matrix products that they are, whatever kernel computes
    them otherwise: the counter knows some kernels by name, and takes every other one for 0.

    Example:
        >>> flops(lambda: torch.ones(2, 3) @ torch.ones(3, 5))
        Flops(count=60, missed=())
    """
    counter = FlopCounterMode(display=False)
    uncounted = _Uncounted(counter.flop_registry)
    with torch.no_grad(), _taken_apart(), uncounted, counter:
        call()
    return Flops(int(counter.get_total_flops()), tuple(sorted(uncounted.names)))


class _Uncounted(TorchDispatchMode):
    """Names of the operations that are neither counted nor known to be free of matrix products.

    Args:
        counted: the operations that the counter has a formula for.
    """

    def __init__(self, counted: Container[Any]) -> None:
        super().__init__()
        self.counted, self.names = counted, set[str]()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func.overloadpacket not in self.counted and not is_free(func):
            name = func.overloadpacket.__name__
            self.names.add(name if func.namespace == "aten" else f"{func.namespace}::{name}")
        return func(*args, **(kwargs or {}))


@contextmanager
def _taken_apart() -> Iterator[None]:
    """No layer as one operation of oneDNN, cuDNN, a kernel of attention or PyTorch's fast path."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TF32 on hardware that is not there
            with (
                torch.backends.mkldnn.flags(enabled=False),
                torch.backends.cudnn.flags(enabled=False),
                sdpa_kernel(SDPBackend.MATH),
            ):
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
