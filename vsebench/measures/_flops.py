"""Floating-point operations of a call, by PyTorch's counter."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

#: Operations that multiply matrices or transform, and that the counter does not know.
UNKNOWN = frozenset(
    (
        *("mv", "addmv", "dot", "vdot", "addr", "addbmm", "_trilinear", "_cdist_forward", "_sparse_addmm"),
        *("mkldnn_rnn_layer", "_cudnn_rnn", "_native_multi_head_attention", "_transformer_encoder_layer_fwd"),
        *("_fft_r2c", "_fft_c2r", "_fft_c2c"),
    )
)


@dataclass(frozen=True)
class Flops:
    """What a call computes.

    Args:
        count: 2 for each multiply-add of matrix products, convolutions and scaled dot-product attention. Nothing of
            element-wise operations: activations, normalisation, softmax, gates, sums, look-ups.
        missed: names of operations in the call that the counter should count and does not know.
    """

    count: int
    missed: tuple[str, ...]


def flops(call: Callable[[], Any]) -> Flops:
    """Count a call, which is made once, without gradients.

    Recurrent layers and attention are taken apart into the matrix products that they are, whatever library computes
    them otherwise.

    Example:
        >>> flops(lambda: torch.ones(2, 3) @ torch.ones(3, 5))
        Flops(count=60, missed=())
    """
    names, counter = _Names(), FlopCounterMode(display=False)
    with torch.no_grad(), _taken_apart(), names, counter:
        call()
    return Flops(int(counter.get_total_flops()), tuple(sorted(names.seen & UNKNOWN)))


class _Names(TorchDispatchMode):
    """The names of all operations."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.seen.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@contextmanager
def _taken_apart() -> Iterator[None]:
    """No layer as one operation of oneDNN, cuDNN or PyTorch's fast path of attention."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TF32 on hardware that is not there
            with torch.backends.mkldnn.flags(enabled=False), torch.backends.cudnn.flags(enabled=False):
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
