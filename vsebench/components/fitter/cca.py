"""Linear canonical correlation analysis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge, Gt
from torch import Tensor

from vsebench.components.fitter._correlation import Correlated, moments, refuse_dim
from vsebench.components.fitter._transform import Transforms, transformed
from vsebench.components.fitter._views import PAIR, matrix
from vsebench.components.fitter.base import FitData
from vsebench.core.registry import FITTERS


@FITTERS.register(
    "cca",
    source="Hotelling 1936, Biometrika 28; as correlation matching: Rasiwasia et al. 2010, ACM MM; methods 6.2",
    needs=PAIR,
)
class CCA(Correlated):
    """Project onto the directions in which image and text correlate most.

        Σ_xy Σ_yy⁻¹ Σ_yx w_x = ρ² Σ_xx w_x,  w_y = Σ_yy⁻¹ Σ_yx w_x / ρ
        out = (x − mean) [w¹ … w^E] · ρ^power, by falling ρ

    Σ_xx + ridge·v I stands for Σ_xx, with v = tr(Σ_xx)/D, and so for Σ_yy. Solved in float64: both sides are whitened
    by their eigenvectors, and the pairs are the singular vectors of what is left of Σ_xy. The correlations ρ are kept
    as ``correlations``. Ranked by cosine it is the correlation matching (CM) of Rasiwasia et al.: the projections are
    centred, so that their cosine is a normalised correlation.

    Differs from the source: the ridge is a share of the mean variance, so that the unit of the features does not
    matter; ``power`` weighs the directions (Gong et al. 2014, arXiv:1212.4522: 4), where the sources do not.

    Args:
        dims: sizes of the modalities' vectors (wired).
        dim: E, number of directions; null for as many as the smaller vector has entries, of which those that the
            training items do not determine are zero.
        ridge: added to both covariances, as a share of the mean variance; ≥ 0.
        power: of the correlations, by which the directions are weighed; ≥ 0. With 0 all count alike.
        transform: ``{image: sqrt}``, a function of each entry of a modality's vectors, sign(x) √|x|.

    Shape: (B, D_m) -> (B, E)

    Raises: ConfigError for a ``dim`` above the smaller vector's size. TrainingError for fewer than 2 items, values that
    are not finite, vectors that are all the same, or fewer directions than ``dim``. RuntimeError before the fit.

    Example:
        >>> CCA({"image": 128, "text": 10}, dim=7).dim_out
        7
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        *,
        dim: Annotated[int, Gt(0)] | None = None,
        ridge: Annotated[float, Ge(0)] = 1e-6,
        power: Annotated[float, Ge(0)] = 0.0,
        transform: Transforms | None = None,
    ) -> None:
        refuse_dim("cca", dim, dims)
        super().__init__("cca", dim, dim or min(dims[m] for m in PAIR), ridge, power)
        self.transform = transform

    def fit(self, data: FitData) -> None:
        """Find the directions."""
        self.find(data)
        data.report(1, {"correlation": float(self.learned("correlations").sum())})

    def find(self, data: FitData) -> None:
        """Find the directions and tell nobody."""
        image, text = (transformed(matrix(data, m, self.who), m, self.transform) for m in PAIR)
        self.relate(data, moments([(image, text)]))

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        """Projections of new items."""
        return self.project(modality, transformed(vectors.float(), modality, self.transform))
