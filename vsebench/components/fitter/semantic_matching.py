"""Semantic matching: both modalities as probabilities of the same classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Gt
from torch import Tensor

from vsebench.components.fitter._correlation import known
from vsebench.components.fitter._posterior import Center, Posterior
from vsebench.components.fitter._transform import Transforms, transformed
from vsebench.components.fitter._views import PAIR, matrix
from vsebench.components.fitter.base import FitData, Fitter
from vsebench.core.registry import FITTERS


@FITTERS.register(
    "semantic_matching",
    source="Rasiwasia et al. 2010, ACM MM, section 4.2 (SM)",
    needs=PAIR,
    needs_labels=True,
)
class SemanticMatching(Fitter):
    """Give each item the probabilities of the classes, found by a logistic regression of its own modality.

        out = softmax(x W_m + b_m) − centre_m

    for several labels per item with a sigmoid of each label. Ranked by cosine, a centre makes it the centred cosine
    (normalised correlation) of the source. W minimises ½‖W‖² + C Σ_i −ln p(y_i | x_i) of vectors that are centred and
    have a total variance of 1.

    Differs from the source: it does not say how its regression is regularised; vectors are brought to one scale, so
    that ``c`` means the same whatever their unit.

    Args:
        dims: sizes of the modalities' vectors (wired).
        num_classes: K (wired).
        multi_label: whether an item may have several labels (wired).
        c: C, what a wrong decision costs against large weights; > 0.
        max_iter: steps that the solver may take; > 0.
        center: what is taken off the probabilities: ``mean``, those of the training items; ``uniform``, 1/K (½ for
            several labels per item); or ``none``.
        transform: ``{image: sqrt}``, a function of each entry of a modality's vectors, sign(x) √|x|.

    Shape: (B, D_m) -> (B, K)

    Raises: TrainingError for unlabelled data, items all of one class, fewer than 2 items, values that are not finite,
    or a regression that does not converge. RuntimeError before the fit.

    Example:
        >>> SemanticMatching({"image": 128, "text": 10}, 5, False).dim_out
        5
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        num_classes: int,
        multi_label: bool,
        *,
        c: Annotated[float, Gt(0)] = 1.0,
        max_iter: Annotated[int, Gt(0)] = 2000,
        center: Center = "mean",
        transform: Transforms | None = None,
    ) -> None:
        super().__init__()
        self.posterior = Posterior("semantic_matching", num_classes, multi_label, c, max_iter, center)
        self.transform, self.dim_out = transform, num_classes

    def fit(self, data: FitData) -> None:
        """Fit both classifiers."""
        rows = {m: transformed(matrix(data, m, self.posterior.who), m, self.transform) for m in PAIR}
        data.report(1, {f"accuracy_{m}": self.posterior.fit(self, data, m, rows[m]) for m in PAIR})

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        """Probabilities of new items."""
        known(modality)
        return self.posterior.of(self, modality, transformed(vectors.float(), modality, self.transform))
