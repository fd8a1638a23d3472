"""Methods that are not gradient descent on one loss: closed forms, and alternating optimisation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class FitData(ABC):
    """What a fitter learns from: the training items, modality by modality.

    Attributes:
        dims: modality -> D_m, size of a pooled vector.
        labels: int64 (n,) class numbers, or float (n, K) zeros and ones for multi-label data; on the CPU.
        num_classes: K; 0 for data without labels.
        seed: of the run. A fitter draws from generators seeded by it alone.
        device: where tensors are to be.
    """

    dims: Mapping[str, int]
    labels: Tensor
    num_classes: int
    seed: int
    device: torch.device

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def multi_hot(self) -> Tensor:
        """Labels as float32 zeros and ones (n, K), whatever their form, on ``device``."""
        labels = self.labels if self.labels.ndim > 1 else nn.functional.one_hot(self.labels, self.num_classes)
        return labels.float().to(self.device)

    @abstractmethod
    def vectors(self, modality: str) -> Tensor:
        """Return the pooled vectors of all items, in eval mode and without gradients; computed once, read-only.

        Shape: float32 (n, D_m), on ``device``.
        """

    @abstractmethod
    def encode(self, modality: str, rows: Tensor) -> Tensor:
        """Return the pooled vectors of some items in training mode, with gradients into an encoder that is not frozen.

        Shape: int64 (B,), positions in 0 … n − 1 -> float32 (B, D_m), on ``device``.
        """

    @abstractmethod
    def parameters(self, modality: str) -> list[nn.Parameter]:
        """Return the parameters of a modality that :meth:`encode` can train, its encoder's first; empty if frozen."""

    @abstractmethod
    def report(self, step: int, numbers: Mapping[str, float]) -> None:
        """Tell how far the fit is, after each outer iteration (step 1, 2, …); goes to the run's history."""


class Fitter(nn.Module, ABC):
    """Fit a map from each modality's vectors to a shared space.

    Constructed with the wired ``dims`` {modality: D_m}, ``num_classes`` K (0 without labels) and ``multi_label``. After
    the fit, everything that was learned is a parameter or a buffer of the module (:meth:`learn`), so that it is saved
    and loaded with the run's model.

    A fitter registered with ``codes=True`` gives codes: :meth:`embed` returns −1 and +1, which are ranked by Hamming
    distance. One registered with ``needs_labels=True`` refuses unlabelled data.

    Attributes:
        dim_out: E, size of an embedding or number of bits; of all modalities.

    Shape: (B, D_m) -> (B, E) for every modality.
    """

    dim_out: int

    @abstractmethod
    def fit(self, data: FitData) -> None:
        """Learn from the training items.

        Raises: TrainingError that says which quantity of the data does not allow it.
        """

    @abstractmethod
    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        """Return the embeddings or codes of new items, each from its own row alone.

        Shape: float (B, D_m) -> float32 (B, E)
        """

    def forward(self, vectors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Embed every modality that is given, in float32 whatever the run's precision: a sign must not be rounded."""
        device = next(iter(vectors.values())).device
        with torch.autocast(device.type, enabled=False):
            return {modality: self.embed(modality, rows.float()) for modality, rows in vectors.items()}

    def learn(self, name: str, value: Tensor) -> None:
        """Keep a tensor as a buffer, whose size need not be known before the fit. ``name``: without dots."""
        self.register_buffer(name, value.detach().to(torch.float32).contiguous().clone())

    def learned(self, name: str) -> Tensor:
        """Return a tensor that was kept by :meth:`learn`.

        Raises: RuntimeError before the fit.
        """
        value = dict(self.named_buffers(recurse=False)).get(name)
        if value is None:
            raise RuntimeError(f"fitter '{type(self).__name__}' has not been fitted: it has no '{name}' yet.")
        return value

    def learned_in(self, state: Mapping[str, Any], prefix: str) -> set[str]:
        """Return the keys of a state that are tensors kept by :meth:`learn`, whose sizes the fit decided."""
        local_keys = {key.removeprefix(prefix) for key in state if key.startswith(prefix)}
        fixed = dict(self.named_parameters(recurse=False))
        return {f"{prefix}{name}" for name in local_keys if "." not in name and name not in fixed}

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        """Buffers that a fit made are made here again, in the sizes that it found."""
        for key in self.learned_in(state_dict, prefix):
            self.register_buffer(key.removeprefix(prefix), state_dict[key].detach().clone())
        super()._load_from_state_dict(state_dict, prefix, *rest)  # type: ignore[no-untyped-call]


def signs(values: Tensor) -> Tensor:
    """Codes of real outputs: +1 where an output is above 0, else −1.

    Example:
        >>> signs(torch.tensor([0.3, 0.0, -2.0])).tolist()
        [1.0, -1.0, -1.0]
    """
    return torch.where(values > 0, 1.0, -1.0)
