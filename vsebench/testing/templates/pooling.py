"""Text of a pooling and of its own test."""

from __future__ import annotations

MODULE = '''\
"""TITLE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import vsebench as vb
from annotated_types import Gt
from torch import Tensor, nn


@vb.POOLINGS.register("$name", source="where it comes from: a paper, a section, your notebook", ordered=False)
class $cls(vb.Pooling):
    """Weigh the tokens by a linear score.

        α = softmax_n(w · x_n / temperature),  pooled = Σ_n α_n x_n

    Args:
        dim: D, size of a token (wired).
        temperature: divides the scores; > 0.

    Shape: Tokens (B, N, D) -> (B, D). The order of the tokens does not matter.

    Example:
        >>> $cls(4).dim_out
        4
    """

    def __init__(self, dim: int, *, temperature: Annotated[float, Gt(0)] = 1.0) -> None:
        super().__init__()
        self.dim_out, self.temperature = dim, temperature
        self.score = nn.Linear(dim, 1, bias=False)

    def forward(self, tokens: vb.Tokens, context: Mapping[str, vb.Tokens] | None = None) -> Tensor:
        """Pool a batch of sets."""
        values = vb.blank(tokens.values, tokens.mask)  # padding may hold anything: remove it first
        weights = vb.masked_softmax(self.score(values).squeeze(-1) / self.temperature, tokens.mask)  # (B, N)
        return (weights[:, :, None] * values).sum(1)
'''

TEST = """
    module = plugin.$cls(4)
    torch.nn.init.zeros_(module.score.weight)  # equal scores: the mean of the real tokens
    values, mask = torch.randn(1, 3, 4), torch.tensor([[True, True, False]])
    torch.testing.assert_close(module(vb.Tokens(values, mask)), values[:, :2].mean(1))
"""
