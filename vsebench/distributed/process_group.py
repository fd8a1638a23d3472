"""What training and evaluation ask of the processes that do one run; here, of a process that is alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from torch import Tensor, nn

from vsebench.core.types import Batch, Output

T = TypeVar("T")


class Shard:
    """What one process does of a training batch; this one does all of it.

    Attributes:
        rows: which of the batch's items are this process's.
    """

    rows = slice(None)

    def at_work(self) -> AbstractContextManager[Any]:
        """Return where the forward pass runs."""
        return nullcontext()

    def whole(self, output: Output, batch: Batch) -> tuple[Output, Batch]:
        """Return the outputs and facts of the whole batch, from those of the share."""
        return output, batch

    def backward(self, loss: Tensor) -> None:
        """Leave the gradient of the whole batch's loss in the parameters."""
        loss.backward()


class ProcessGroup:
    """The processes that train and evaluate one run; this one is alone.

    Attributes:
        size: number of processes.
        first: whether this is the one that writes and tells.
    """

    size = 1
    is_main_process = True

    def begin(self, model: Any, objectives: nn.Module, *, compiled: bool) -> None:
        """Start from the same parameters everywhere."""

    def batch_shard(self, count: int, *, seed: int) -> Shard:
        """Return this process's share of a training batch of ``count`` items.

        Args:
            count: items of the whole batch.
            seed: of what the forward pass draws (dropout), which the processes draw separately.
        """
        return Shard()

    def shard(self, jobs: Sequence[T]) -> Sequence[T]:
        """Those of the jobs that are this process's: each is one process's."""
        return jobs

    def gather(self, results: list[T]) -> list[T]:
        """Gather the values of all processes."""
        return results

    def broadcast(self, value: T) -> T:
        """Broadcast the value of the first process."""
        return value


#: The team of a run on one process.
SINGLE_PROCESS = ProcessGroup()
