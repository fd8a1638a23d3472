"""What fitters promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vsebench.components.fitter.base import FitData, Fitter
from vsebench.core.component import Component
from vsebench.testing.written import require

COUNT, CLASSES = 60, 3
DIMS = {"image": 24, "text": 20}


class Generated(FitData):
    """Two views of items of three classes, in memory.

    Args:
        seed: of the views and of the run.
    """

    def __init__(self, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(COUNT) % CLASSES
        self.dims, self.num_classes, self.seed, self.device = DIMS, CLASSES, seed, torch.device("cpu")
        self.rows = {}
        for modality, dim in DIMS.items():
            centres = torch.randn(CLASSES, dim, generator=generator)
            self.rows[modality] = centres[self.labels] + 0.5 * torch.randn(COUNT, dim, generator=generator)

    def vectors(self, modality: str) -> Tensor:
        """Return the view."""
        return self.rows[modality]

    def encode(self, modality: str, rows: Tensor) -> Tensor:
        """Rows of the view; there is no encoder to train."""
        return self.rows[modality][rows]

    def parameters(self, modality: str) -> list[nn.Parameter]:
        """None."""
        return []

    def report(self, step: int, numbers: Mapping[str, float]) -> None:
        """Nobody is told."""


def check_fitter(component: Component, options: Mapping[str, Any]) -> None:
    """Embeddings have the shape that was promised, finite or −1 and +1; each depends on its own row alone; the same
    seed gives the same fit; what was learned survives saving; the training vectors are left as they were.

    Raises: AssertionError.
    """
    who = f"fitter '{component.name}'"
    data = Generated()
    before = {m: rows.clone() for m, rows in data.rows.items()}
    fitter = _fitted(component, options, data)
    for modality, rows in before.items():
        require(torch.equal(data.rows[modality], rows), f"{who} changes the training vectors of {modality}")
    result = fitter.eval()(data.rows)
    for modality, values in result.items():
        shape = (COUNT, fitter.dim_out)
        require(values.shape == shape, f"{who} embeds {modality} as {tuple(values.shape)}; its dim_out says {shape}")
        require(bool(values.isfinite().all()), f"{who} gives NaN or infinite {modality} embeddings")
        signed = bool((values.abs() == 1).all())
        require(signed or not component.facts["codes"], f"{who} is registered with codes=True but gives others than ±1")
        alone = torch.cat([fitter.embed(modality, row[None]) for row in data.rows[modality][:5]])
        same = torch.allclose(alone, values[:5], rtol=1e-4, atol=1e-5)
        require(same, f"{who}: an embedding of {modality} depends on the other rows of the batch")
    again = _fitted(component, options, Generated()).eval()(data.rows)
    for modality, values in result.items():
        require(torch.equal(values, again[modality]), f"{who}: two fits by one seed differ in {modality}")
    loaded: Fitter = _built(component, options)
    loaded.load_state_dict(fitter.state_dict())
    for modality, values in loaded.eval()(data.rows).items():
        require(torch.equal(values, result[modality]), f"{who} embeds {modality} in another way after it was loaded")


def _built(component: Component, options: Mapping[str, Any]) -> Fitter:
    fitter: Fitter = component.build(options, dims=DIMS, num_classes=CLASSES, multi_label=False)
    return fitter


def _fitted(component: Component, options: Mapping[str, Any], data: FitData) -> Fitter:
    torch.manual_seed(0)
    fitter = _built(component, options)
    fitter.fit(data)
    return fitter
