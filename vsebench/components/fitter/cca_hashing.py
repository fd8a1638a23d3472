"""Signs of canonical correlations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge, Gt

from vsebench.components.fitter._canonical import canonical_pairs, refuse_bits, refuse_few, whitening
from vsebench.components.fitter._projection import SignedProjection
from vsebench.components.fitter._views import PAIR, centred
from vsebench.components.fitter.base import FitData
from vsebench.core.registry import FITTERS


@FITTERS.register(
    "cca_hashing",
    source="Hotelling 1936, Biometrika 28; as a baseline: Jiang and Li 2017, arXiv:1602.02255 (DCMH); methods 6.2",
    codes=True,
    needs=PAIR,
)
class CCAHashing(SignedProjection):
    """Take the signs of the directions in which both modalities correlate most.

        Σ_xy Σ_yy⁻¹ Σ_yx w_x = ρ² Σ_xx w_x,  w_y = Σ_yy⁻¹ Σ_yx w_x / ρ
        code = sign((x − mean) [w¹ … w^c]), by falling ρ

    Later directions carry less of what is shared: that more bits rank worse is the method's, not a fault.

    Differs from the source: the ridge of Σ_xx and Σ_yy is a share of the mean variance, so that the unit of the
    features does not matter.

    Args:
        dims: sizes of the modalities' vectors (wired).
        bits: c, length of a code; at most the independent directions of either modality.
        ridge: added to both covariances, as a share of the mean variance; ≥ 0.

    Shape: (B, D_m) -> (B, c), −1 and +1.

    Raises: TrainingError for more bits than the data have directions. RuntimeError before the fit.

    Example:
        >>> CCAHashing({"image": 128, "text": 10}, bits=8).dim_out
        8
    """

    def __init__(
        self, dims: Mapping[str, int], *, bits: Annotated[int, Gt(0)] = 16, ridge: Annotated[float, Ge(0)] = 1e-6
    ) -> None:
        super().__init__(dims, bits)
        self.ridge = ridge

    def fit(self, data: FitData) -> None:
        """Find the directions."""
        (x, mean_x), (y, mean_y) = (centred(data, m, "cca_hashing") for m in PAIR)
        white = {m: whitening(v.T @ v / len(v), self.ridge) for m, v in zip(PAIR, (x, y), strict=True)}
        refuse_bits("cca_hashing", self.dim_out, {m: (w.shape[1], self.dims[m]) for m, w in white.items()})
        pairs = canonical_pairs(x.T @ y / len(x), white["image"], white["text"])
        refuse_few("cca_hashing", self.dim_out, len(pairs.strength), "image and text correlate in")
        self.keep(data, "image", mean_x, pairs.x[:, : self.dim_out])
        self.keep(data, "text", mean_y, pairs.y[:, : self.dim_out])
