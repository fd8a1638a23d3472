"""Self-attention, then attention to a learned memory of the other modality: the dual form of SA-CMR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from vsebench.components.attention._blocks import StackOptions
from vsebench.components.attention._heads import require_division
from vsebench.components.attention._self_then import SelfThen
from vsebench.core.registry import ATTENTIONS
from vsebench.core.types import Tokens


@ATTENTIONS.register("self_memory", source="SA-CMR, steps 2 and 3; methods 6.5, mode dual")
class SelfMemory(SelfThen):
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
        stack: of self-attention; its fields are options.
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
        stack: StackOptions = StackOptions(),
        project: bool = False,
        combine: Literal["concat", "add", "gated"] = "concat",
    ) -> None:
        require_division("self_memory", stack.heads, dim)
        # Of the size of a token after a normalisation, so that the memory's part is seen beside the tokens' own.
        memory = {m: torch.randn(prototypes, dim) for m in dims}
        super().__init__(
            dims,
            dim,
            stack=stack,
            project=project,
            combine=combine,
        )
        self.memory = nn.ParameterDict({m: nn.Parameter(drawn) for m, drawn in memory.items()})
        self.dims_out = dict.fromkeys(dims, dim)

    def forward(self, tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Attend within, then to the memory."""
        result = {}
        for modality in self.stacks:
            hidden = self.within(modality, tokens[modality], weights)
            memory = self.memory[modality].to(hidden.values.dtype).expand(len(hidden.values), -1, -1)
            mask = torch.ones(memory.shape[:2], dtype=torch.bool, device=memory.device)
            result[modality], seen = self.then(modality, hidden, memory, mask)
            if weights is not None:
                weights[f"memory/{modality}"] = seen
        return result
