"""Semantic correlation maximisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from vsebench.components.fitter._canonical import (
    NULL_STRENGTH,
    canonical_pairs,
    refuse_bits,
    refuse_few,
    strongest_pair,
    whitening,
)
from vsebench.components.fitter._projection import SignedProjection
from vsebench.components.fitter._views import PAIR, centred, unit_labels
from vsebench.components.fitter.base import FitData, signs
from vsebench.core.registry import FITTERS


@FITTERS.register(
    "scm",
    source="Zhang and Li 2014, AAAI: Large-scale supervised multimodal hashing with semantic correlation maximization; "
    "methods 6.2",
    codes=True,
    needs=PAIR,
    needs_labels=True,
)
class SCM(SignedProjection):
    """Take the signs of directions whose codes agree as far as the labels of two items do.

        S = 2 L Lᵀ − 1 1ᵀ, L the label vectors with length 1;  Xᵀ S Y = 2 (XᵀL)(YᵀL)ᵀ − (Xᵀ1)(Yᵀ1)ᵀ
        orth: C Σ_yy⁻¹ Cᵀ w_x = ρ² Σ_xx w_x with C = Xᵀ S Y, the c pairs of the largest ρ
        seq:  C ← c Xᵀ S Y; for each bit: the pair of the largest ρ, then
              C ← C − (Xᵀ sgn(X w_x)) (Yᵀ sgn(Y w_y))ᵀ

    S, which is n × n, is never formed. ``seq`` may use a direction again, slightly turned, so that bits may outnumber
    directions. It ends when ρ is larger than at the bit before: the bits learnt then no longer bring the codes nearer
    to S. The remaining bits are pairs of ``orth``, the strongest first, and from the strongest again when they run out.

    Differs from the source: the ridge is a share of the mean variance, so that the unit of the features does not
    matter. The released code fills the remaining bits of ``seq`` with plain canonical directions, those of XᵀY and not
    of XᵀSY, in reversed order.

    Args:
        dims: sizes of the modalities' vectors (wired).
        bits: c, length of a code; for ``orth`` at most the independent directions of either modality and of Xᵀ S Y.
        variant: ``seq`` or ``orth``.
        ridge: added to Σ_xx and Σ_yy, as a share of the mean variance; ≥ 0.

    Shape: (B, D_m) -> (B, c), −1 and +1.

    Raises: TrainingError for data without labels, and for more bits than ``orth`` has directions. RuntimeError before
    the fit.

    Example:
        >>> SCM({"image": 128, "text": 10}, bits=32, variant="seq").dim_out
        32
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        *,
        bits: Annotated[int, Gt(0)] = 16,
        variant: Literal["seq", "orth"] = "seq",
        ridge: Annotated[float, Ge(0)] = 1e-6,
    ) -> None:
        super().__init__(dims, bits)
        self.variant, self.ridge = variant, ridge

    def fit(self, data: FitData) -> None:
        """Find the directions."""
        (x, mean_x), (y, mean_y) = (centred(data, m, "scm") for m in PAIR)
        white_x, white_y = (whitening(v.T @ v, self.ridge) for v in (x, y))
        cross = semantic_cross(x, y, unit_labels(data, "scm").double().cpu())
        if self.variant == "orth":
            results = {m: (w.shape[1], self.dims[m]) for m, w in zip(PAIR, (white_x, white_y), strict=True)}
            refuse_bits("scm", self.dim_out, results)
            weights = self._orthogonal(cross / len(x), white_x, white_y, self.dim_out)
        else:
            weights = self._sequential(data, (x, white_x), (y, white_y), cross)
        self.keep(data, "image", mean_x, weights[0])
        self.keep(data, "text", mean_y, weights[1])

    def _orthogonal(self, cross: Tensor, white_x: Tensor, white_y: Tensor, least: int) -> tuple[Tensor, Tensor]:
        """Return the strongest pairs, ``bits`` of them or all, (D_x, k) and (D_y, k); ``least`` of them must be
        there.
        """
        pairs = canonical_pairs(cross, white_x, white_y)
        refuse_few("scm", least, len(pairs.strength), "labels correlate in")
        return pairs.x[:, : self.dim_out], pairs.y[:, : self.dim_out]

    def _sequential(
        self, data: FitData, image: tuple[Tensor, Tensor], text: tuple[Tensor, Tensor], cross: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Bit after bit, each fitted to what the earlier ones leave of S."""
        (x, white_x), (y, white_y) = image, text
        rest = self.dim_out * (white_x.T @ cross @ white_y)  # whitened C
        chosen: list[tuple[Tensor, Tensor]] = []
        before = float("inf")
        for bit in range(self.dim_out):
            u, v, strength = strongest_pair(rest)
            if bit == 0 and strength <= NULL_STRENGTH * self.dim_out * len(x):
                refuse_few("scm", 1, 0, "labels correlate in")
            if strength > before:
                break
            w_x, w_y = white_x @ u, white_y @ v
            code_x, code_y = signs(x @ w_x).double(), signs(y @ w_y).double()
            rest = rest - torch.outer(white_x.T @ (x.T @ code_x), white_y.T @ (y.T @ code_y))
            chosen.append((w_x, w_y))
            data.report(bit + 1, {"strength": strength})
            before = strength
        learnt_x, learnt_y = (torch.stack(side, dim=1) for side in zip(*chosen, strict=True))
        if len(chosen) == self.dim_out:
            return learnt_x, learnt_y
        orth_x, orth_y = self._orthogonal(cross / len(x), white_x, white_y, 1)
        again = torch.arange(self.dim_out - len(chosen)) % orth_x.shape[1]
        return torch.cat([learnt_x, orth_x[:, again]], dim=1), torch.cat([learnt_y, orth_y[:, again]], dim=1)


def semantic_cross(x: Tensor, y: Tensor, labels: Tensor) -> Tensor:
    """Xᵀ (2 L Lᵀ − 1 1ᵀ) Y without the n × n matrix in the middle.

    Shape: (n, D_x), (n, D_y), (n, K) -> (D_x, D_y).
    """
    return 2 * (x.T @ labels) @ (y.T @ labels).T - torch.outer(x.sum(dim=0), y.sum(dim=0))
