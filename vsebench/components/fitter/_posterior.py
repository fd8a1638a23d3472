"""Probabilities of classes, by logistic regression."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vsebench.components.fitter.base import FitData, Fitter
from vsebench.core.errors import TrainingError

#: What is taken off a posterior: nothing, what chance gives, or the mean over the training items.
Center = Literal["none", "uniform", "mean"]


class Linear(NamedTuple):
    """Logits x W + b: weight float64 (D, K), bias float64 (K,)."""

    weight: Tensor
    bias: Tensor


def logistic_regression(who: str, rows: Tensor, labels: Tensor, classes: int, *, c: float, max_iter: int) -> Linear:
    """Fit logits of classes to vectors.

        min_W,b  ½ ‖W‖² + C Σ_i −ln p(y_i | x_i),   x = (v − mean) / √tr(Σ)

    p is a softmax; for several labels per item a sigmoid of each label, fitted on its own. Vectors are centred and have
    a total variance of 1, so that C means the same whatever their unit. A class without training items gets
    probability 0, a label that all items or none have the share (n₁ + ½)/(n + 1).

    Args:
        who: name of the fitter, for messages.
        rows: vectors (n, D).
        labels: int64 (n,), or zeros and ones (n, classes).
        classes: number of classes.
        c: C, what a wrong decision costs against large weights; > 0.
        max_iter: most iterations of the solver.

    Shape: float64 (n, D); int64 (n,), or 0/1 (n, K).

    Raises: TrainingError for items all of one class, and where ``max_iter`` steps do not reach the minimum.
    """
    mean = rows.mean(0)
    scale = (rows - mean).square().sum(1).mean().sqrt()
    scale = scale if float(scale) > 0 else scale + 1.0  # constant vectors: all that is left is the classes' shares
    x, y = ((rows - mean) / scale).numpy(), labels.cpu().numpy()
    if y.ndim > 1:
        weight, bias = _each_label(who, x, y, c, max_iter)
    else:
        weight, bias = _softmax(who, x, y, classes, c, max_iter)
    weight = weight / scale
    return Linear(weight, bias - mean @ weight)


def _softmax(who: str, x: np.ndarray, y: np.ndarray, classes: int, c: float, max_iter: int) -> tuple[Tensor, Tensor]:
    seen = np.unique(y)
    if len(seen) < 2:
        raise TrainingError(f"fitter '{who}' tells classes apart; all training items have class {seen[0]}.")
    model = _fitted(who, x, y, c, max_iter)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(seen) == 2:  # one sigmoid: the first class's logit is 0
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros_like(intercepts), intercepts])
    weight = torch.zeros(x.shape[1], classes, dtype=torch.float64)
    bias = torch.full((classes,), -torch.inf, dtype=torch.float64)
    weight[:, seen] = torch.from_numpy(coefficients.T.copy())
    bias[seen] = torch.from_numpy(intercepts.copy())
    return weight, bias


def _each_label(who: str, x: np.ndarray, y: np.ndarray, c: float, max_iter: int) -> tuple[Tensor, Tensor]:
    weight = torch.zeros(x.shape[1], y.shape[1], dtype=torch.float64)
    bias = torch.zeros(y.shape[1], dtype=torch.float64)
    for label, column in enumerate((y > 0).T):
        if column.all() or not column.any():
            bias[label] = float(np.log((column.sum() + 0.5) / (len(column) - column.sum() + 0.5)))
            continue
        model = _fitted(who, x, column, c, max_iter)
        weight[:, label] = torch.from_numpy(model.coef_[0].copy())
        bias[label] = float(model.intercept_[0])
    return weight, bias


def _fitted(who: str, x: np.ndarray, y: np.ndarray, c: float, max_iter: int) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return LogisticRegression(C=c, max_iter=max_iter).fit(x, y)
        except ConvergenceWarning:
            raise TrainingError(
                f"fitter '{who}': the logistic regression did not converge in {max_iter} steps. "
                "Raise max_iter or lower c."
            ) from None


@dataclass(frozen=True)
class Posterior:
    """The probabilities of classes of a modality's features, less a centre. What is learned is kept by a fitter.

    Args:
        who: name of the fitter, for messages.
        num_classes: K.
        multi_label: whether an item may have several labels.
        c: of :func:`logistic_regression`.
        max_iter: of its solver.
        center: what is taken off a posterior.
    """

    who: str
    num_classes: int
    multi_label: bool
    c: float
    max_iter: int
    center: Center

    def fit(self, keeper: Fitter, data: FitData, modality: str, features: Tensor) -> float:
        """Fit a modality's classifier to its features, and its centre.

        Returns: share of the training decisions that are right.

        Shape: float64 (n, D), on the CPU.

        Raises: TrainingError as :func:`logistic_regression`, and for unlabelled data.
        """
        if data.num_classes < 1:
            raise TrainingError(f"fitter '{self.who}' learns from labels, and the training split has none.")
        result = logistic_regression(
            self.who, features, data.labels, self.num_classes, c=self.c, max_iter=self.max_iter
        )
        p = self._probabilities(features @ result.weight + result.bias)
        chance = 0.5 if self.multi_label else 1 / self.num_classes
        centre = {"none": 0 * p[0], "uniform": 0 * p[0] + chance, "mean": p.mean(0)}[self.center]
        keeper.learn(f"logit_weight_{modality}", result.weight.to(data.device))
        keeper.learn(f"logit_bias_{modality}", result.bias.to(data.device))
        keeper.learn(f"centre_{modality}", centre.to(data.device))
        labels = data.labels.cpu()
        right = (p > 0.5) == (labels > 0) if self.multi_label else p.argmax(1) == labels
        return float(right.double().mean())

    def of(self, keeper: Fitter, modality: str, features: Tensor) -> Tensor:
        """Probabilities less the centre. Shape: (B, D) -> float32 (B, K)."""
        weight, bias = (keeper.learned(f"logit_{what}_{modality}") for what in ("weight", "bias"))
        return self._probabilities(features.float() @ weight + bias) - keeper.learned(f"centre_{modality}")

    def _probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid() if self.multi_label else logits.softmax(-1)
