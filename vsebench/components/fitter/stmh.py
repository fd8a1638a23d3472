"""Semantic topic multimodal hashing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Gt, Lt
from torch import Tensor

from vsebench.components.fitter._centres import centres
from vsebench.components.fitter._projection import known
from vsebench.components.fitter._views import PAIR, centred, matrix
from vsebench.components.fitter.base import FitData, Fitter
from vsebench.core.errors import TrainingError
from vsebench.core.registry import FITTERS

#: Residuals below this length weigh as if they had it: the weight 1/(2‖·‖) has no value at 0.
SHORTEST = 1e-8


@dataclass
class Factors:
    """What is learnt in turns.

    Args:
        concepts: F₁ (D_image, c).
        images: G₁ (n, c).
        link: R (c, c).
        topics: G₂, zeros and ones (n, c), as many ones in every row.
        centres: F₂ (c, D_text), f_j in its rows.
    """

    concepts: Tensor
    images: Tensor
    link: Tensor
    topics: Tensor
    centres: Tensor


@FITTERS.register(
    "stmh",
    source="Wang et al. 2015, IJCAI: Semantic topic multimodal hashing for cross-media retrieval; methods 6.2",
    codes=True,
    needs=PAIR,
)
class STMH(Fitter):
    """Say of a text which topics are nearest to it, and of an image which topics its concepts lead to.

        J = r₁ Σ_i ‖x_i − F₁ g_i‖ + r₂ Σ_ij G₂ij ‖t_i − f_j‖² + λ ‖G₂ − G₁R‖² + γ (‖F₁‖² + ‖G₁‖² + ‖R‖²)
        F₁ = XᵀWG₁ (G₁ᵀWG₁ + (γ/r₁)I)⁻¹,  W = diag(1/(2 ‖x_i − F₁g_i‖)) of the turn before
        g_i = (r₁w_i x_iF₁ + λ G₂_i Rᵀ) (r₁w_i F₁ᵀF₁ + λ RRᵀ + γI)⁻¹
        R  = (G₁ᵀG₁ + (γ/λ)I)⁻¹ G₁ᵀG₂
        G₂_i: ones at the ⌊c/2⌋ smallest of r₂ ‖t_i − f_j‖² + λ (1 − 2 (g_iR)_j);  f_j: mean of the texts of topic j
        code of a text  = +1 for its ⌊c/2⌋ nearest f_j
        code of an image = +1 at the ⌊c/2⌋ largest of x F₁ (F₁ᵀF₁ + (γ/r₁)I)⁻¹ R

    Each step is the best for the other factors (that of the images for the square that touches r₁‖·‖ from above), so
    that J never grows. The first topics are those of the k-means centres of the texts, with g_i = G₂_i.

    Half of the topics being those of a text, some come to have the same texts, and their bits are alike: more bits
    bring little.

    Differs from the source: it takes the outputs of an image that are not below their median, which are the same ones
    but for odd c and for equal outputs; of equal ones the first count, as for texts. Image vectors are centred.
    The released code takes another order and other weights, by which its J may grow: F₁ and F₂, then R, G₁, G₂ and last
    W, once a turn and r₁ times as large, so that r₁ enters the step of G₁ twice; F₂ has a ridge of γ/r₁ in the place of
    plain means; G₁ and G₂ start at random; it ends early when J changes by less than 0.01, and the norms in J are
    spectral.

    Args:
        dims: sizes of the modalities' vectors (wired).
        bits: c, length of a code and number of topics; > 1.
        share: r₁, weight of the images, that of the texts being r₂ = 1 − share; in (0, 1).
        link: λ, weight of the link between concepts and topics; > 0.
        gamma: γ, weight of the squared norms; > 0.
        iterations: turns; > 0.

    Shape: (B, D_m) -> (B, c), −1 and +1.

    Raises: TrainingError for fewer distinct training texts than topics. RuntimeError before the fit.

    Example:
        >>> STMH({"image": 128, "text": 10}, bits=32).dim_out
        32
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        *,
        bits: Annotated[int, Gt(1)] = 16,
        share: Annotated[float, Gt(0), Lt(1)] = 0.5,
        link: Annotated[float, Gt(0)] = 0.5,
        gamma: Annotated[float, Gt(0)] = 1e-4,
        iterations: Annotated[int, Gt(0)] = 10,
    ) -> None:
        super().__init__()
        self.dims, self.dim_out = dict(dims), bits
        self.share, self.link, self.gamma, self.iterations = share, link, gamma, iterations

    def fit(self, data: FitData) -> None:
        """Learn factors in turns."""
        (x, mean), texts = centred(data, "image", "stmh"), matrix(data, "text", "stmh")
        factors = self._start(x, texts, data.seed)
        for step in range(1, self.iterations + 1):
            self.turn(x, texts, factors)
            data.report(step, {"objective": self.objective(x, texts, factors)})
        inner = factors.concepts.T @ factors.concepts + self.gamma / self.share * _eye(self.dim_out)
        weight = factors.concepts @ torch.linalg.solve(inner, factors.link)
        # Topics of the same texts have the same column of R. Kept once, their outputs are equal to the last digit.
        _, column = torch.unique(factors.topics, dim=1, return_inverse=True)
        first = torch.stack([(column == k).nonzero()[0, 0] for k in range(int(column.max()) + 1)])
        self.learn("mean", mean.to(data.device))
        self.learn("weight", weight[:, first].to(data.device))
        self.learn("column", column.to(data.device))
        self.learn("centres", factors.centres.to(data.device))

    def _start(self, x: Tensor, texts: Tensor, seed: int) -> Factors:
        result = centres(texts, self.dim_out, seed)
        if len(result) < self.dim_out:
            raise TrainingError(
                f"fitter 'stmh' learns a topic per bit: {self.dim_out} bits need as many different training texts; "
                f"there are {len(result)}. Set bits to that or less."
            )
        topics = nearest(torch.cdist(texts, result).square(), self.dim_out // 2)
        concepts = torch.zeros(x.shape[1], self.dim_out, dtype=torch.float64)
        return Factors(concepts, topics.clone(), _eye(self.dim_out), topics, result)

    def turn(self, x: Tensor, texts: Tensor, f: Factors) -> None:
        """Better each factor for the others, in place."""
        r1, r2, lam, gamma, eye = self.share, 1 - self.share, self.link, self.gamma, _eye(self.dim_out)
        weights = _weights(x, f)
        weighted = weights[:, None] * f.images
        f.concepts = torch.linalg.solve(f.images.T @ weighted + gamma / r1 * eye, weighted.T @ x).T
        weights = r1 * _weights(x, f)
        pulled = weights[:, None] * (x @ f.concepts) + lam * f.topics @ f.link.T
        f.images = solve_rows(weights, f.concepts.T @ f.concepts, lam * f.link @ f.link.T + gamma * eye, pulled)
        f.link = torch.linalg.solve(f.images.T @ f.images + gamma / lam * eye, f.images.T @ f.topics)
        costs = r2 * torch.cdist(texts, f.centres).square() + lam * (1 - 2 * f.images @ f.link)
        f.topics = nearest(costs, self.dim_out // 2)
        sizes = f.topics.sum(dim=0)[:, None]
        f.centres = torch.where(sizes > 0, f.topics.T @ texts / sizes.clamp(min=1), f.centres)

    def objective(self, x: Tensor, texts: Tensor, f: Factors) -> float:
        """J. Shape: image vectors (n, D_image), centred; text vectors (n, D_text)."""
        fits = self.share * (x - f.images @ f.concepts.T).norm(dim=1).sum()
        fits += (1 - self.share) * (f.topics * torch.cdist(texts, f.centres).square()).sum()
        fits += self.link * (f.topics - f.images @ f.link).square().sum()
        norms = f.concepts.square().sum() + f.images.square().sum() + f.link.square().sum()
        return float(fits + self.gamma * norms)

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        """Codes of new items."""
        known(modality)
        if modality == "text":
            distances = torch.cdist(
                vectors.float(), self.learned("centres"), compute_mode="donot_use_mm_for_euclid_dist"
            )
            return 2 * nearest(distances, self.dim_out // 2) - 1
        outputs = (vectors.float() - self.learned("mean")) @ self.learned("weight")
        return 2 * nearest(-outputs[:, self.learned("column").long()], self.dim_out // 2) - 1


def nearest(costs: Tensor, count: int) -> Tensor:
    """One at the ``count`` smallest of a row, else zero. Shape: (n, c) -> (n, c).

    Example:
        >>> nearest(torch.tensor([[3.0, 1.0, 2.0]]), 2).tolist()
        [[0.0, 1.0, 1.0]]
    """
    chosen = costs.argsort(dim=1, stable=True)[:, :count]
    return torch.zeros_like(costs).scatter_(1, chosen, 1.0)


def solve_rows(weights: Tensor, a: Tensor, b: Tensor, pulled: Tensor) -> Tensor:
    """g_i (w_i A + B) = p_i for every row i, by diagonalising A and B together once.

        B = KKᵀ, K⁻¹AK⁻ᵀ = Q diag(λ) Qᵀ:  (w A + B)⁻¹ = T diag(1/(wλ + 1)) Tᵀ,  T = K⁻ᵀQ

    Shape: weights (n,), A and B (c, c) symmetric, B positive, p (n, c) -> g (n, c).
    """
    half = torch.linalg.cholesky(b)
    left = torch.linalg.solve_triangular(half, a, upper=False)
    values, turned = torch.linalg.eigh(torch.linalg.solve_triangular(half, left.T, upper=False))
    basis = torch.linalg.solve_triangular(half.T, turned, upper=True)
    solution: Tensor = (pulled @ basis / (weights[:, None] * values.clamp(min=0) + 1)) @ basis.T
    return solution


def _weights(x: Tensor, f: Factors) -> Tensor:
    """1/(2‖x_i − F₁g_i‖). Shape: (n,)."""
    weights: Tensor = 0.5 / (x - f.images @ f.concepts.T).norm(dim=1).clamp(min=SHORTEST)
    return weights


def _eye(size: int) -> Tensor:
    return torch.eye(size, dtype=torch.float64)
