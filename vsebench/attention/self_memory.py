"""Self-attention, then attention to a learned memory of the other modality: the dual form of SA-CMR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.attention._blocks import SelfStack
from vsebench.attention._combine import Combine
from vsebench.attention._heads import MultiHead, attend, require_division
from vsebench.attention.base import Attention
from vsebench.registry import ATTENTIONS
from vsebench.types import Tokens


@ATTENTIONS.register("self_memory", source="SA-CMR, steps 2 and 3; METHODS 6.5, mode dual")
class SelfMemory(Attention):
    """Attend within each modality, then to learned vectors that stand for the other one, and combine both results.

        H_m = L transformer blocks of T_m W_m + b_m  (+ PE)
        C_m = softmax(H_m Π_mᵀ / sqrt(d)) Π_m,   Π_m in R^{P x d} learned
        G_m = W [H_m; C_m] + b   (concat), or H_m + C_m (add), or g ⊙ H_m + (1 - g) ⊙ C_m (gated)

    Differs from the source: there the cross-attention reads the item's own partner, yet image vectors are stored before
    any query is known. Here it reads a memory of the other modality, so that each vector is computed from its
    modality alone and a gallery can be indexed; ``self_cross`` is the literal form.

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: d, the joint dimension (wired).
        prototypes: P, learned vectors per modality, at least 2; one would be the same for every token.
        block: of self-attention, ``bare`` or ``transformer``.
        layers: L, at least 1.
        heads: of self-attention, and of the memory's with ``project``; divides d.
        mlp_ratio: hidden size of the FFN as a multiple of d, > 0.
        dropout: rate in [0, 0.95) on the attention weights and after both halves of a block.
        positions: whether sine/cosine positions are added, two-dimensional ones on a grid.
        project: whether attention to the memory has linear maps for queries, keys, values and the result.
        combine: ``concat``, ``add`` or ``gated``.

    Shape: {m: (B, N_m, D_m)} -> {m: (B, N_m, d)}; weights ``self/m/layer`` (B, h, N_m, N_m) and ``memory/m``
    (B, h', N_m, P), h' = 1 without ``project``.

    Raises: ConfigError if ``heads`` does not divide ``dim``.

    Example:
        >>> SelfMemory({"image": 6, "text": 5}, 8).dims_out
        {'image': 8, 'text': 8}
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim: int,
        *,
        prototypes: Annotated[int, Ge(2)] = 32,
        block: Literal["bare", "transformer"] = "transformer",
        layers: Annotated[int, Gt(0)] = 1,
        heads: Annotated[int, Gt(0)] = 8,
        mlp_ratio: Annotated[float, Gt(0)] = 4.0,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.1,
        positions: bool = False,
        project: bool = False,
        combine: Literal["concat", "add", "gated"] = "concat",
    ) -> None:
        super().__init__()
        require_division("self_memory", heads, dim)
        self.dims_out = dict.fromkeys(dims, dim)
        self.stacks, self.attention, self.combine = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        # Of the size of a token after a normalisation, so that the memory's part is seen beside the tokens' own.
        self.memory = nn.ParameterDict({m: nn.Parameter(torch.randn(prototypes, dim)) for m in dims})
        for modality, size in dims.items():
            self.stacks[modality] = SelfStack(
                size,
                dim,
                layers=layers,
                heads=heads,
                mlp_ratio=mlp_ratio,
                dropout=dropout,
                block=block,
                positions=positions,
            )
            self.combine[modality] = Combine(dim, combine)
            if project:
                self.attention[modality] = MultiHead(dim, heads, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Attend within, then to the memory."""
        result = {}
        for modality, stack in self.stacks.items():
            hidden, found = stack(tokens[modality])
            memory = self.memory[modality].to(hidden.values.dtype).expand(len(hidden.values), -1, -1)
            mask = torch.ones(memory.shape[:2], dtype=torch.bool, device=memory.device)
            if modality in self.attention:
                attended, seen = self.attention[modality](hidden.values, memory, mask)
            else:
                attended, seen = attend(hidden.values, memory, memory, mask, dropout=self.dropout)
            result[modality] = hidden.with_values(self.combine[modality](hidden.values, attended))
            if weights is not None:
                weights |= {f"self/{modality}/{layer}": w for layer, w in enumerate(found)}
                weights[f"memory/{modality}"] = seen
        return result
