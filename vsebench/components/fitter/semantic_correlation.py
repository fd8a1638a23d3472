"""Semantic correlation matching: class probabilities of canonical projections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge, Gt
from torch import Tensor

from vsebench.components.fitter._correlation import refuse_dim
from vsebench.components.fitter._posterior import Center, Posterior
from vsebench.components.fitter._transform import Transforms
from vsebench.components.fitter._views import PAIR
from vsebench.components.fitter.base import FitData
from vsebench.components.fitter.cca import CCA
from vsebench.core.registry import FITTERS


@FITTERS.register(
    "semantic_correlation",
    source="Rasiwasia et al. 2010, ACM MM, section 4.3 (their SCM; the hashing SCM is of Zhang and Li 2014)",
    needs=PAIR,
    needs_labels=True,
)
class SemanticCorrelation(CCA):
    """Give each item the probabilities of the classes, found from its canonical projection.

        z   = (x − mean) [w¹ … w^d] · ρ^power             fitter ``cca``
        out = softmax(z U_m + b_m) − centre_m             fitter ``semantic_matching``, of z

    for several labels per item with a sigmoid of each label.

    Differs from the source: as ``cca`` and ``semantic_matching`` do.

    Args:
        dims: sizes of the modalities' vectors (wired).
        num_classes: K (wired).
        multi_label: whether an item may have several labels (wired).
        dim: d, number of directions; null for all that the training items determine.
        ridge: added to both covariances, as a share of the mean variance; ≥ 0.
        power: of the correlations, by which the directions are weighed; ≥ 0. With 0 all count alike.
        c: C, what a wrong decision of the regression costs against large weights; > 0.
        max_iter: steps that its solver may take; > 0.
        center: what is taken off the probabilities: ``mean``, those of the training items; ``uniform``, 1/K (½ for
            several labels per item); or ``none``.
        transform: ``{image: sqrt}``, a function of each entry of a modality's vectors, sign(x) √|x|.

    Shape: (B, D_m) -> (B, K)

    Raises: ConfigError for a ``dim`` above the smaller vector's size. TrainingError as ``cca`` and
    ``semantic_matching``. RuntimeError before the fit.

    Example:
        >>> SemanticCorrelation({"image": 128, "text": 10}, 5, False, dim=7).dim_out
        5
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        num_classes: int,
        multi_label: bool,
        *,
        dim: Annotated[int, Gt(0)] | None = None,
        ridge: Annotated[float, Ge(0)] = 1e-6,
        power: Annotated[float, Ge(0)] = 0.0,
        c: Annotated[float, Gt(0)] = 1.0,
        max_iter: Annotated[int, Gt(0)] = 2000,
        center: Center = "mean",
        transform: Transforms | None = None,
    ) -> None:
        refuse_dim("semantic_correlation", dim, dims)
        super().__init__(dims, dim=dim, ridge=ridge, power=power, transform=transform)
        self.who, self.dim_out = "semantic_correlation", num_classes
        self.posterior = Posterior(self.who, num_classes, multi_label, c, max_iter, center)

    def fit(self, data: FitData) -> None:
        """Find the directions, then fit both classifiers to the projections."""
        self.find(data)
        numbers = {"correlation": float(self.learned("correlations").sum())}
        for modality in PAIR:
            projections = super().embed(modality, data.vectors(modality)).double().cpu()
            numbers[f"accuracy_{modality}"] = self.posterior.fit(self, data, modality, projections)
        data.report(1, numbers)

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        """Probabilities of new items."""
        return self.posterior.of(self, modality, super().embed(modality, vectors))
