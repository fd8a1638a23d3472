"""One run on several processes: each takes its share of every batch, and all of them know what one would.

Every process computes the objectives on the outputs of the whole batch, so that contrasts, hardest negatives and means
are those of one process, whatever the objective. From there each carries the gradient of its own items back through its
copy of the model; the sum over the processes is the gradient of one. Not DistributedDataParallel, which exchanges
gradients while the backward pass runs: it averages shares as if they were of equal size, and a parameter that no term
uses would get a gradient of zero (and with it weight decay) instead of none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from vsebench.core.errors import ConfigError
from vsebench.core.types import Batch, Output
from vsebench.distributed.process_group import SINGLE_PROCESS, ProcessGroup, Shard
from vsebench.distributed.sync_batch_norm import OverAllProcesses

#: Longest wait for the other processes. A process that dies is noticed at once; this is for one that stands still.
TIMEOUT = timedelta(minutes=30)
T = TypeVar("T")


class TorchProcessGroup(ProcessGroup):
    """Several processes, through accelerate: NCCL between GPUs, gloo between cores.

    Args:
        number: of this process, from 0.
        size: number of processes.
        meeting: a file that does not exist yet, the same for all, where the processes find each other.
        cpu: whether to stay off GPUs.

    Raises: ConfigError when accelerate is missing.
    """

    def __init__(self, number: int, size: int, meeting: Path, *, cpu: bool) -> None:
        require_accelerate()
        from accelerate import Accelerator
        from accelerate.utils import InitProcessGroupKwargs

        local = number if cpu else number % max(1, torch.cuda.device_count())
        ranks = {"RANK": number, "WORLD_SIZE": size, "LOCAL_RANK": local, "LOCAL_WORLD_SIZE": size}
        os.environ.update({name: str(value) for name, value in ranks.items()})  # accelerate takes them from there
        where = f"file://{meeting}" if cpu else f"file://{meeting}?rank={number}&world_size={size}"
        group = InitProcessGroupKwargs(backend="gloo" if cpu else None, init_method=where, timeout=TIMEOUT)
        self.accelerator = Accelerator(cpu=cpu, kwargs_handlers=[group])
        self.rank, self.size, self.is_main_process = number, size, number == 0
        if (self.accelerator.process_index, self.accelerator.num_processes) != (number, size):
            raise RuntimeError(f"accelerate made no group of {size} processes on {self.device}")
        self.model: Any = None
        self.modules: tuple[nn.Module, nn.Module] = (nn.Module(), nn.Module())
        self.normalises = False
        self.current: _Part | None = None

    @property
    def device(self) -> torch.device:
        """This process's device."""
        device: torch.device = self.accelerator.device
        return device

    def begin(self, model: Any, objectives: nn.Module, *, compiled: bool) -> None:
        """Start from the first process's parameters.

        Raises: ConfigError where a compiled model normalises over the batch, or pairs are scored.
        """
        from accelerate.utils import broadcast

        if model.scorer is not None:
            raise ConfigError(
                "a scorer of pairs works on one process only: each pair of the batch is scored where both sides are. "
                "Leave --processes-per-run out.",
                path=("scorer",),
            )
        if model.fusion is not None and model.fusion_facts["compares"]:
            raise ConfigError(
                "a fusion that compares the documents of a batch works on one process only. Leave --processes-per-run "
                "out.",
                path=("fusion",),
            )
        self.model, self.modules = model, (model, objectives)
        model.train()
        self.normalises = any(isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training for m in model.modules())
        if self.normalises and compiled:
            raise ConfigError(
                "train.compile with batch normalisation that trains works on one process only; set train.compile: "
                "false or the encoder's freeze_norm: true.",
                path=("train", "compile"),
            )
        with torch.no_grad():
            for module in self.modules:
                for tensor in (*module.parameters(), *module.buffers()):
                    tensor.copy_(broadcast(tensor.detach().clone(memory_format=torch.contiguous_format)))
        model.whole = torch.compiler.disable(self._whole_rows)

    def batch_shard(self, count: int, *, seed: int) -> Shard:
        """Return the process's share; each has the whole of a batch with fewer items than processes."""
        self.current = _Part(self, count, seed) if count >= self.size else None
        return self.current or _Copy(self)

    def shard(self, jobs: Sequence[T]) -> Sequence[T]:
        """Every n-th job."""
        return jobs[self.rank :: self.size]

    def gather(self, results: list[T]) -> list[T]:
        """Gather the values of all processes, the first one's first."""
        from accelerate.utils import gather_object

        everything: list[T] = gather_object(results)
        return everything

    def broadcast(self, value: T) -> T:
        """Broadcast the value of the first process."""
        from accelerate.utils import broadcast_object_list

        shared: T = broadcast_object_list([value])[0]
        return shared

    def add(self, tensor: Tensor) -> Tensor:
        """Sum over the processes."""
        total: Tensor = self.accelerator.reduce(tensor, "sum")
        return total

    def add_gradients(self, *, model_scale: float) -> None:
        """Gradients of the model's parameters: ``model_scale`` times their sum; of the objectives': their mean, which
        is what each process has, kept from drifting apart."""
        for module, scale in zip(self.modules, (model_scale, 1 / self.size), strict=True):
            by_type: dict[torch.dtype, list[nn.Parameter]] = {}
            for parameter in module.parameters():
                if parameter.requires_grad:
                    by_type.setdefault(parameter.dtype, []).append(parameter)
            for parameters in by_type.values():
                self._add_gradients(parameters, scale)

    def _add_gradients(self, parameters: Sequence[nn.Parameter], scale: float) -> None:
        present = parameters[0].new_tensor([p.grad is not None for p in parameters])
        parts = [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters]
        total = self.add(torch.cat([*parts, present]))
        missing = any(p.grad is None for p in parameters)
        reached = total[-len(parameters) :].tolist() if missing else [1.0] * len(parameters)
        sums = total[: -len(parameters)].split([len(part) for part in parts])
        for parameter, part, anywhere in zip(parameters, sums, reached, strict=True):
            if not anywhere:
                continue  # no process reached it: it has no gradient, as on one process
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            parameter.grad.copy_((part * scale).view_as(parameter))

    def _whole_rows(self, rows: Tensor) -> Tensor:
        return rows if self.current is None else self.current.gather(rows)


class _Copy(Shard):
    """All of a batch, which the other processes compute too: it has fewer items than there are processes."""

    def __init__(self, process_group: TorchProcessGroup) -> None:
        self.process_group = process_group

    def backward(self, loss: Tensor) -> None:
        """Compute the gradient, as a mean over equal shares."""
        loss.backward()
        self.process_group.add_gradients(model_scale=1 / self.process_group.size)


class _Part(Shard):
    """Successive items of a batch, as many as the others have or one more or less."""

    def __init__(self, process_group: TorchProcessGroup, count: int, seed: int) -> None:
        ends = [i * count // process_group.size for i in range(process_group.size + 1)]
        self.sizes = [stop - start for start, stop in zip(ends, ends[1:], strict=False)]
        self.process_group, self.rows = process_group, slice(ends[process_group.rank], ends[process_group.rank + 1])
        self.seed = (seed * process_group.size + process_group.rank + 1) % 2**63
        self.pairs: list[tuple[Tensor, Tensor]] = []

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Draw apart from the other processes; what comes after it draws alike. Batch statistics are those of all."""
        device = self.process_group.device
        devices = [] if device.type == "cpu" else [device]
        with ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng(devices=devices, device_type=device.type))
            torch.manual_seed(self.seed)
            if self.process_group.normalises:
                stack.enter_context(OverAllProcesses(self.process_group.add))
            yield

    def gather(self, rows: Tensor) -> Tensor:
        """Gather the rows of all processes, without a gradient. Shape: (share, …) -> (whole batch, …)."""
        longest = max(self.sizes)
        padded = torch.cat([rows, rows.new_zeros(longest - len(rows), *rows.shape[1:])])
        everything: Tensor = self.process_group.accelerator.gather(padded.contiguous())
        return torch.cat([part[:n] for part, n in zip(everything.split(longest), self.sizes, strict=True)])

    def whole(self, output: Output, batch: Batch) -> tuple[Output, Batch]:
        """Gather the whole batch's outputs as leaves, from which :meth:`backward` goes on. Inputs are not gathered."""
        seen: dict[int, Tensor] = {}  # one tensor may stand under several names

        def leaf(part: Tensor) -> Tensor:
            if id(part) not in seen:
                seen[id(part)] = self.gather(part.detach()).requires_grad_(part.requires_grad)
                self.pairs.append((part, seen[id(part)]))
            return seen[id(part)]

        parts = [
            f.name for f in fields(Output) if f.name not in ("sides", "scores", "compared")
        ]  # begin() refuses them
        gathered = Output(**{name: _mapped(leaf, getattr(output, name)) for name in parts})
        facts = {name: self.gather(getattr(batch, name)) for name in ("labels", "positions", "groups")}
        return gathered, replace(batch, inputs={}, present={}, **facts)

    def backward(self, loss: Tensor) -> None:
        """From the loss to the outputs, from this process's outputs to the parameters, and over the processes."""
        loss.backward()
        reached = [(part, leaf.grad[self.rows]) for part, leaf in self.pairs if leaf.grad is not None]
        torch.autograd.backward([part for part, _ in reached], [gradient for _, gradient in reached])
        self.process_group.add_gradients(model_scale=1.0)


def _mapped(change: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: change(tensor) for name, tensor in value.items()}
    return None if value is None else change(value)


def require_accelerate() -> None:
    """Say what is missing.

    Raises: ConfigError when accelerate is missing.
    """
    from importlib.util import find_spec

    if find_spec("accelerate") is None:
        raise ConfigError(
            "several processes for one run need accelerate, which is not installed: pip install 'vsebench[parallel]'."
        )


# Training takes ALONE, Share and Team from here too, so that this file is part of a run's id.
__all__ = ["SINGLE_PROCESS", "ProcessGroup", "Shard", "TorchProcessGroup", "require_accelerate"]
