"""Multi-layer perceptron."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.head.base import Head
from vsebench.core.registry import HEADS

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


@HEADS.register("mlp", source="VSE, section 2; methods 6.4: MLP(2d -> 512 -> K)")
class MLP(Head):
    """Score the classes with hidden layers.

        h = drop(act(W_i h + b_i)) for each layer, logits = W h + b

    Args:
        dim_in: D, size of the joint vector (wired).
        num_classes: C (wired).
        hidden: width of each hidden layer, > 0.
        layers: number of hidden layers, > 0.
        dropout: rate in [0, 0.95).
        activation: ``relu``, ``gelu`` or ``tanh``.

    Shape: (B, D) -> (B, C).

    Example:
        >>> MLP(8, 3, hidden=16).layers[-1].out_features
        3
    """

    def __init__(
        self,
        dim_in: int,
        num_classes: int,
        *,
        hidden: Annotated[int, Gt(0)] = 512,
        layers: Annotated[int, Gt(0)] = 1,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
        activation: Literal["relu", "gelu", "tanh"] = "relu",
    ) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        width = dim_in
        for _ in range(layers):
            parts += [nn.Linear(width, hidden), ACTIVATIONS[activation](), nn.Dropout(dropout)]
            width = hidden
        self.layers = nn.Sequential(*parts, nn.Linear(width, num_classes))

    def forward(self, joint: Tensor) -> Tensor:
        """Score."""
        logits: Tensor = self.layers(joint)
        return logits
