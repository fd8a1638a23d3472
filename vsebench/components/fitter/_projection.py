"""Codes that are the signs of centred linear projections, one matrix per modality."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vsebench.components.fitter._views import PAIR
from vsebench.components.fitter.base import FitData, Fitter, signs


class SignedProjection(Fitter):
    """Give sign((x − mean_m) W_m).

    Args:
        dims: sizes of the modalities' vectors (wired).
        bits: c, length of a code.
    """

    def __init__(self, dims: Mapping[str, int], bits: int) -> None:
        super().__init__()
        self.dims = dict(dims)
        self.dim_out = bits

    def keep(self, data: FitData, modality: str, mean: Tensor, weight: Tensor) -> None:
        """Learn a modality's mean (D_m,) and projection (D_m, c)."""
        self.learn(f"mean_{modality}", mean.to(data.device))
        self.learn(f"weight_{modality}", weight.to(data.device))

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        """Codes of new items."""
        known(modality)
        return signs((vectors.float() - self.learned(f"mean_{modality}")) @ self.learned(f"weight_{modality}"))


def known(modality: str) -> None:
    """Refuse a modality that no code is learnt for.

    Raises: ValueError.
    """
    if modality not in PAIR:
        raise ValueError(f"codes are learnt for {' and '.join(PAIR)}; got '{modality}'")
