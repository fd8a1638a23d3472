"""Feature-wise linear modulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.errors import ConfigError, known_names
from vsebench.core.registry import FUSIONS


@FUSIONS.register("film", source="Perez et al. 2018, arXiv:1709.07871, eqs. 1 and 2")
class FiLM(Fusion):
    """Scale and shift every feature of the other modalities by what one modality says.

        [Δγ_m; β_m] = G_m x_by + g_m,  z = Σ_{m ≠ by} (1 + Δγ_m) ⊙ (W_m x_m + b_m) + β_m

    The vector form: the source modulates the channels of feature maps between batch normalisation and a ReLU, several
    times. As in its released code γ = 1 + Δγ, so that a network that says nothing lets everything through. With three
    modalities both of the others are modulated, each with its own γ and β, and added.

    Args:
        dims: size of each modality's vector, D_m (wired).
        dim_out: D (wired).
        by: the modality that modulates: ``image``, ``text`` or ``audio``.

    Shape: {m: (B, D_m)} -> (B, D).

    Raises: ConfigError if the system has no modality ``by``.

    Example:
        >>> FiLM({"image": 4, "text": 3}, 8, by="text").modulate["image"].out_features
        16
    """

    def __init__(
        self, dims: Mapping[str, int], dim_out: int, *, by: Literal["image", "text", "audio"] = "text"
    ) -> None:
        super().__init__()
        if by not in dims:
            raise ConfigError(
                f"fusion 'film': the system has no {by} to modulate by." + known_names(dims, "It has"), path=("by",)
            )
        self.dim_out, self.by = dim_out, by
        others = [m for m in dims if m != by]
        self.project = nn.ModuleDict({m: nn.Linear(dims[m], dim_out) for m in others})
        self.modulate = nn.ModuleDict({m: nn.Linear(dims[by], 2 * dim_out) for m in others})

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Fuse."""
        parts = []
        for modality, project in self.project.items():
            change, shift = self.modulate[modality](vectors[self.by]).chunk(2, -1)
            parts.append((1 + change) * project(vectors[modality]) + shift)
        return torch.stack(parts).sum(0)
