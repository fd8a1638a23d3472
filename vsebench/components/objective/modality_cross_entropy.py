"""Cross entropy of one modality alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Ge, Lt
from torch import Tensor, nn

from vsebench.components.objective.base import Objective
from vsebench.components.objective.cross_entropy import classification_loss
from vsebench.core.errors import ConfigError, known_names
from vsebench.core.registry import OBJECTIVES
from vsebench.core.types import Batch, Output


@OBJECTIVES.register("modality_cross_entropy", source="VSE, section 2: the LSTM's own label softmax; methods 6.4, λ_t")
class ModalityCrossEntropy(Objective):
    """Classify the item from one modality's vector, with a linear map that only training uses.

        L = CE(W_m x_m + b_m, y)

    Args:
        dims: size of each modality's vector (wired).
        num_classes: C (wired).
        modality: m.
        label_smoothing: ε in [0, 1).

    Shape: Output.vectors[m] (B, D_m), Batch.labels -> {"cross_entropy/<m>": scalar}.

    Raises: ConfigError if the system has no such modality.

    Example:
        >>> ModalityCrossEntropy({"text": 4}, 3, modality="text").out.out_features
        3
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        num_classes: int,
        *,
        modality: Literal["image", "text", "audio"] = "text",
        label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__()
        if modality not in dims:
            raise ConfigError(
                f"objective 'modality_cross_entropy': the system has no {modality}." + known_names(dims, "It has"),
                path=("modality",),
            )
        self.modality, self.label_smoothing = modality, label_smoothing
        self.out = nn.Linear(dims[modality], num_classes)

    def forward(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss."""
        logits = self.out(output.vectors[self.modality].float())
        return {f"cross_entropy/{self.modality}": classification_loss(logits, batch.labels, self.label_smoothing)}
