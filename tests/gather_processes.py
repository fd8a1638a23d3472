"""What each process of a distributed test runs; a module of its own, so that spawned processes can import it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from pairs import batch_of, output_of

from vsebench.objectives.info_nce import InfoNCE
from vsebench.types import Batch


def parameters() -> tuple[torch.Tensor, torch.Tensor]:
    """The maps from inputs to embeddings that both processes share, as a model's weights."""
    generator = torch.Generator().manual_seed(4)
    image, text = (torch.randn(6, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    return image.requires_grad_(), text.requires_grad_()


def loss_and_gradients(inputs: torch.Tensor, batch: Batch, options: dict[str, Any]) -> dict[str, torch.Tensor]:
    objective, (image, text) = InfoNCE(**options), parameters()
    loss = objective(output_of(inputs @ image, (inputs + 0.3) @ text), batch)["info_nce"]
    gradients = torch.autograd.grad(loss, [image, text, objective.scale.log])
    return {"loss": loss.detach()} | {f"gradient {i}": g for i, g in enumerate(gradients)}


def part_of(batch: Batch, rows: slice) -> Batch:
    return Batch({}, batch.labels[rows], batch.index[rows], batch.groups[rows])


def run(rank: int, folder: str, inputs: torch.Tensor, groups: list[int], options: list[dict[str, Any]]) -> None:
    """Half of the items; writes what it found for each choice of options."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    batch, half = batch_of(groups), len(groups) // 2
    rows = slice(rank * half, (rank + 1) * half)
    found: list[Any] = [loss_and_gradients(inputs[rows], part_of(batch, rows), o) for o in options]
    uneven = slice(0, 2 + rank)
    try:
        loss_and_gradients(inputs[uneven], part_of(batch, uneven), options[0])
    except ValueError as error:
        found.append(str(error))
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()
