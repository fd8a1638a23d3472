"""Semantics-preserving hashing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from vsebench.components.fitter._centres import centres
from vsebench.components.fitter._logistic import logistic_weights
from vsebench.components.fitter._projection import known
from vsebench.components.fitter._semantic_codes import semantic_codes
from vsebench.components.fitter._views import PAIR, centred, generator, unit_labels
from vsebench.components.fitter.base import FitData, Fitter, signs
from vsebench.core.registry import FITTERS


@FITTERS.register(
    "seph",
    source="Lin et al. 2015, CVPR: Semantics-preserving hashing for cross-view retrieval; methods 6.2",
    codes=True,
    needs=PAIR,
    needs_labels=True,
)
class SePH(Fitter):
    """Learn codes from the labels alone, then one kernel logistic regression per modality and bit that predicts them.

        P_ij ∝ cos(l_i, l_j),  Q_ij ∝ 1/(1 + ¼ ‖y_i − y_j‖²), i ≠ j, both with sum 1
        Y = argmin KL(P ‖ Q) + α/(cn) ‖|Y| − 1‖²,  B = sign(Y)
        w = argmin Σ_i log(1 + exp(−b_i ⟨w, φ(x_i)⟩)) + penalty ‖w‖²
        φ(x) = [exp(−‖x − z_1‖²/p) … exp(−‖x − z_a‖²/p), 1] (rbf) or [(x − mean)/√p, 1] (linear)
        code = sign(⟨w, φ(x)⟩): the likelier of the two values of a bit

    z are k-means centres of the modality's training vectors, p is the mean squared distance to them (rbf) or to the
    mean (linear). Y is found by gradient steps with momentum and a gain per coordinate; P and Q are computed in blocks
    of rows: time grows with n², memory with n.

    Differs from the source: the regressions have a constant, penalised like the other features. A code is of one
    modality; the source also combines both modalities' posteriors for an item that has both.

    Args:
        dims: sizes of the modalities' vectors (wired).
        bits: c, length of a code.
        kernel: ``rbf`` or ``linear``.
        anchors: number of k-means centres, at most the distinct training vectors; > 0. Not used by ``linear``.
        penalty: of the squared weights; > 0.
        alpha: α, weight of the distance of Y to −1 and +1; ≥ 0.
        steps: gradient steps; > 0.
        rate: of the gradient steps; > 0.
        momentum: of the gradient steps; in [0, 1).

    Shape: (B, D_m) -> (B, c), −1 and +1.

    Raises: TrainingError for data without labels. RuntimeError before the fit.

    Example:
        >>> SePH({"image": 128, "text": 10}, bits=32, kernel="linear").dim_out
        32
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        *,
        bits: Annotated[int, Gt(0)] = 16,
        kernel: Literal["rbf", "linear"] = "rbf",
        anchors: Annotated[int, Gt(0)] = 500,
        penalty: Annotated[float, Gt(0)] = 0.01,
        alpha: Annotated[float, Ge(0)] = 0.01,
        steps: Annotated[int, Gt(0)] = 100,
        rate: Annotated[float, Gt(0)] = 500.0,
        momentum: Annotated[float, Ge(0), Lt(1)] = 0.5,
    ) -> None:
        super().__init__()
        self.dims, self.dim_out = dict(dims), bits
        self.kernel, self.anchors, self.penalty = kernel, anchors, penalty
        self.alpha, self.steps, self.rate, self.momentum = alpha, steps, rate, momentum

    def fit(self, data: FitData) -> None:
        """Learn codes, then the regressions."""
        views = {m: centred(data, m, "seph") for m in PAIR}  # refuses bad vectors before the long part
        codes = signs(
            semantic_codes(
                unit_labels(data, "seph"),
                self.dim_out,
                alpha=self.alpha,
                steps=self.steps,
                rate=self.rate,
                momentum=self.momentum,
                generator=generator(data.seed),
                report=lambda step, value: data.report(step, {"objective": value}),
            )
        )
        for modality, (rows, mean) in views.items():
            result = centres(rows, self.anchors, data.seed) if self.kernel == "rbf" else torch.zeros(1, rows.shape[1])
            width = torch.cdist(rows, result.double()).square().mean()
            self.learn(f"mean_{modality}", mean.to(data.device))
            self.learn(f"anchors_{modality}", result.to(data.device))
            self.learn(f"width_{modality}", width.to(data.device))
            # From the module's own features, so that the weights are for what a new item will have.
            features = self.features(modality, data.vectors(modality).detach())
            self.learn(f"weight_{modality}", logistic_weights(features, codes, self.penalty).to(data.device))

    def features(self, modality: str, vectors: Tensor) -> Tensor:
        """φ of vectors, the constant last. Shape: (B, D_m) -> (B, anchors + 1) or (B, D_m + 1)."""
        rows = vectors.float() - self.learned(f"mean_{modality}")
        width = self.learned(f"width_{modality}")
        if self.kernel == "rbf":
            anchors = self.learned(f"anchors_{modality}")
            # Plain differences: expanded squares would let a row's rounding depend on the rows beside it.
            distances = torch.cdist(rows, anchors, compute_mode="donot_use_mm_for_euclid_dist")
            values = torch.exp(-distances.square() / width)
        else:
            values = rows / width.sqrt()
        return torch.cat([values, torch.ones_like(values[:, :1])], dim=1)

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        """Codes of new items."""
        known(modality)
        return signs(self.features(modality, vectors) @ self.learned(f"weight_{modality}"))
