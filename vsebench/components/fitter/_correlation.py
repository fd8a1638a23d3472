"""Projections onto the directions in which image and text vectors correlate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from vsebench.components.fitter._canonical import Pairs, canonical_pairs, whitening
from vsebench.components.fitter._views import PAIR
from vsebench.components.fitter.base import FitData, Fitter
from vsebench.core.errors import ConfigError, TrainingError


class Moments(NamedTuple):
    """Means and covariances of image and text vectors, in float64, with 1/(n − 1).

    Args:
        mean: modality -> (D_m,).
        auto: modality -> (D_m, D_m).
        cross: (D_image, D_text).
    """

    mean: Mapping[str, Tensor]
    auto: Mapping[str, Tensor]
    cross: Tensor


def moments(blocks: Iterable[tuple[Tensor, Tensor]]) -> Moments:
    """Means and covariances of items that come block by block, image and text vectors of the same items.

    The mean of the first block is taken off before the sums are made, so that a large mean does not cost digits.

    Shape: float64 (b, D_image), (b, D_text) of each block; at least 2 items in all.

    Example:
        >>> rows = torch.tensor([[1.0], [2.0], [6.0]], dtype=torch.float64)
        >>> result = moments([(rows[:2], -rows[:2]), (rows[2:], -rows[2:])])
        >>> result.mean["image"].item(), result.auto["text"].item(), result.cross.item()
        (3.0, 7.0, -7.0)
    """
    count, shift, sums, products = 0, None, None, None
    for pair in blocks:
        both = torch.cat(pair, 1)
        if shift is None or sums is None or products is None:
            shift, split = both.mean(0), pair[0].shape[1]
            sums, products = torch.zeros_like(shift), shift.new_zeros(len(shift), len(shift))
        both = both - shift
        count += len(both)
        sums += both.sum(0)
        products += both.T @ both
    if shift is None or sums is None or products is None or count < 2:
        raise ValueError(f"a covariance needs at least 2 items; got {count}")
    mean = sums / count
    covariance = (products - count * torch.outer(mean, mean)) / (count - 1)
    return Moments(
        dict(zip(PAIR, (shift + mean).tensor_split([split]), strict=True)),
        {"image": covariance[:split, :split], "text": covariance[split:, split:]},
        covariance[:split, split:],
    )


def directions(who: str, moments: Moments, dim: int | None, ridge: float) -> Pairs:
    """Return the first ``dim`` pairs of canonical directions; all that the data determine without a ``dim``.

    Raises: TrainingError for vectors that are all the same, and when there are fewer than ``dim``.
    """
    for modality in PAIR:
        # What is left of a constant after float32: its square is 2⁻⁴⁸ of the mean's.
        if not bool(moments.auto[modality].trace() > 1e-13 * moments.mean[modality].square().sum()):
            raise TrainingError(f"fitter '{who}': all {modality} vectors of the training items are the same.")
    white = {m: whitening(moments.auto[m], ridge) for m in PAIR}
    pairs = canonical_pairs(moments.cross, white["image"], white["text"])
    possible = len(pairs.strength)
    if dim is not None and dim > possible:
        ranks = " and ".join(f"{white[m].shape[1]} independent {m} directions" for m in PAIR)
        raise TrainingError(
            f"fitter '{who}': dim is {dim}, and the training items have {ranks}, of which {possible} pairs "
            f"correlate. Set dim to {possible} or less."
        )
    return Pairs(pairs.x[:, :dim], pairs.y[:, :dim], pairs.strength[:dim].clamp(max=1.0))


class Correlated(Fitter):
    """Give (x − mean_m) W_m · ρ^power of a modality's features x.

    Args:
        who: name of the fitter, for messages.
        dim: number of directions; None for all that the data determine.
        size: E: where the data determine fewer directions than that, the others are zero.
        ridge: added to both covariances, as a share of the mean variance.
        power: of the correlations ρ that weigh the directions.
    """

    def __init__(self, who: str, dim: int | None, size: int, ridge: float, power: float) -> None:
        super().__init__()
        self.who, self.dim, self.size, self.ridge, self.power = who, dim, size, ridge, power
        self.dim_out = size

    def relate(self, data: FitData, moments: Moments) -> None:
        """Learn means, directions and correlations from the features' moments."""
        pairs = directions(self.who, moments, self.dim, self.ridge)
        missing = self.size - len(pairs.strength)
        for modality, weight in zip(PAIR, (pairs.x, pairs.y), strict=True):
            self.learn(f"mean_{modality}", moments.mean[modality].to(data.device))
            self.learn(f"weight_{modality}", torch.nn.functional.pad(weight, (0, missing)).to(data.device))
        self.learn("correlations", torch.nn.functional.pad(pairs.strength, (0, missing)).to(data.device))

    def project(self, modality: str, features: Tensor) -> Tensor:
        """Projections of features. Shape: (B, D) -> float32 (B, E)."""
        known(modality)
        centred = features.float() - self.learned(f"mean_{modality}")
        return centred @ self.learned(f"weight_{modality}") * self.learned("correlations") ** self.power


def known(modality: str) -> None:
    """Refuse a modality that nothing is fitted for.

    Raises: ValueError.
    """
    if modality not in PAIR:
        raise ValueError(f"this fitter is for {' and '.join(PAIR)}; got '{modality}'")


def refuse_dim(who: str, dim: int | None, dims: Mapping[str, int]) -> None:
    """Refuse more directions than the smaller vector has entries.

    Raises: ConfigError.
    """
    modality = min(PAIR, key=lambda m: dims[m])
    if dim is not None and dim > dims[modality]:
        raise ConfigError(
            f"fitter '{who}': dim is {dim}, and {modality} vectors have {dims[modality]} entries. Set dim to "
            f"{dims[modality]} or less.",
            path=("dim",),
        )
