"""The part of an encoder's work that is done once for all items of a split, in the same batches and the same state."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from vsebench.components.encoder.base import Encoder
from vsebench.core.types import Tokens
from vsebench.engine.feature_plan import FeaturePlan
from vsebench.engine.inputs import ENCODE_BATCH
from vsebench.ops.process_state import fixed_state

A = TypeVar("A")
B = TypeVar("B")


class Source(Protocol):
    """Raw inputs of some rows."""

    def take(self, rows: np.ndarray) -> Any:
        """Return inputs of the rows."""
        ...


@contextmanager
def encoding(
    plan: FeaturePlan, encoder: Encoder, source: Source, missing: np.ndarray, *, deterministic: bool
) -> Iterator[Callable[[], Iterator[Tokens]]]:
    """Prepare to compute the part of an encoder's work that is done once, of all rows.

    The state of the process is the same whatever the run and the command: a sweep, a measurement and a search share
    what is kept. On a processor each batch is computed by one thread, several batches at a time.

    Args:
        plan: what is computed once.
        encoder: whose work is done once.
        source: of the rows.
        missing: bool (rows,), True where a row gets no real token.
        deterministic: allow deterministic algorithms only.

    Yields: a function that computes the Tokens batch by batch, on the CPU, not rounded; to be used inside the block.
    """
    cpu = encoder.device.type == "cpu"
    threads = torch.get_num_threads() if cpu else 1

    def inputs() -> Iterator[tuple[np.ndarray, Any]]:
        for start in range(0, len(missing), ENCODE_BATCH):
            rows = np.arange(start, min(start + ENCODE_BATCH, len(missing)))
            yield rows, source.take(rows)

    def encode(part: tuple[np.ndarray, Any]) -> Tokens:
        rows, raw = part
        with torch.inference_mode():
            tokens = plan.encode_first(encoder, raw.to(encoder.device)).to("cpu")
        if not missing[rows].any():
            return tokens
        present = torch.from_numpy(~missing[rows])
        return tokens.take(present).scatter(present)

    with fixed_state(seed=0, threads=1 if cpu else None, deterministic=deterministic, warn_only=not cpu):
        yield lambda: in_order(encode, inputs(), threads)


def in_order(function: Callable[[A], B], arguments: Iterable[A], threads: int) -> Iterator[B]:
    """Yield the function of each argument in their order, computed by several threads, few of them in advance."""
    if threads == 1:
        yield from map(function, arguments)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[B]] = deque()
        for argument in arguments:
            waiting.append(pool.submit(function, argument))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
