"""Text of a measurement and of its own test."""

from __future__ import annotations

MODULE = '''\
"""TITLE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
import vsebench as vb
from annotated_types import Gt


def norm_of(tensors: list[torch.Tensor], order: float) -> float:
    """Return the norm of all numbers together."""
    return float(torch.linalg.vector_norm(torch.cat([t.detach().float().flatten() for t in tensors]), order))


@vb.MEASUREMENTS.register("$name", source="where it comes from: a paper, a section, your notebook")
class $cls(vb.Measurement):
    """Measure how large the weights of a finished run's model are.

    Args:
        order: of the norm, > 0.

    Example:
        >>> $cls(order=1.0).order
        1.0
    """

    title = "Size of the weights"
    description = "The norm of all parameters together, and of those of the encoders."
    columns = (
        vb.BoardColumn("All", "norm/all", digits=2),
        vb.BoardColumn("Encoders", "norm/encoders", digits=2),
    )

    def __init__(self, *, order: Annotated[float, Gt(0)] = 2.0) -> None:
        self.order = order

    def measure(self, run: Any, dataset: vb.Dataset) -> Mapping[str, Any]:
        """Return plain data, which is stored and shown by ``columns``."""
        parts = {"all": run.model, "encoders": run.model.encoders}
        tensors = {name: [*part.parameters(), torch.zeros(1)] for name, part in parts.items()}
        return {"norm": {name: norm_of(found, self.order) for name, found in tensors.items()}}
'''

TEST = """
    assert plugin.norm_of([torch.tensor([3.0]), torch.tensor([[-4.0]])], 2.0) == 5.0
    assert plugin.norm_of([torch.tensor([3.0]), torch.tensor([[-4.0]])], 1.0) == 7.0
"""
