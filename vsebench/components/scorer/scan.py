"""Stacked cross attention (SCAN): how well the words find their regions, or the regions their words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.scorer._sets import precise
from vsebench.components.scorer.base import Scorer
from vsebench.core.registry import SCORERS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank, masked_softmax

Normalize = Literal["softmax", "l2", "clipped_l2", "l1", "clipped_l1", "clipped", "none"]
Aggregate = Literal["lse", "mean", "max", "sum"]

#: Added to the norm of a row of affinities, and the least norm of an attended vector (the published code's).
_EPSILON = 1e-8


@SCORERS.register("scan", source="SCAN, Lee et al. 2018, arXiv:1803.08024; methods 2")
class SCAN(Scorer):
    """Let each word gather the regions that it is about (or each region its words), and say how well it fits them.

        unit regions v_i, unit words e_j;  t2i:  s_ij = LeakyReLU_0.1(v_i · e_j)
        s̄_ij = s_ij / (‖(s_ij)_j‖ + 1e-8),  the norm over the words of this caption
        α_ij = softmax_i(λ₁ s̄_ij),  a_j = Σ_i α_ij v_i,  R_j = cos(e_j, a_j)
        score = 1/λ₂ log Σ_j exp(λ₂ R_j)   (lse), or the mean, maximum or sum of R_j
    i2t exchanges the roles: norm over the regions, softmax over the words, R_i = cos(v_i, a_i).

    Padded words and regions are left out of the norm, the softmax and the sum. The attended vectors are never formed:
    e_j · a_j = Σ_i α_ij (v_i · e_j) and ‖a_j‖² = Σ_ik α_ij α_kj (v_i · v_k), which is exact and, for regions
    fewer than features, cheaper. Computed in float32 at least, under autocast too.

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: d, the joint dimension (wired). Regions are mapped to it, words if they are not of this size.
        direction: ``t2i``, the words attend to the regions, or ``i2t``.
        normalize: of affinities over the attending side; ``clipped`` is the LeakyReLU, then the norm of that name.
            ``softmax`` takes the softmax of them instead.
        lambda_softmax: λ₁ > 0; default 9 (t2i), 4 (i2t).
        aggregate: ``lse``, ``mean``, ``max`` or ``sum`` over the attending side.
        lambda_lse: λ₂ > 0; default 6 (t2i), 5 (i2t; the source has 20 on COCO).

    Shape: image Tokens (n, N, D_v), text Tokens (m, M, D_t) -> (n, m).

    Example:
        >>> SCAN({"image": 6, "text": 8}, 8, direction="i2t").lambda_softmax
        4.0
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim: int,
        *,
        direction: Literal["t2i", "i2t"] = "t2i",
        normalize: Normalize = "clipped_l2",
        lambda_softmax: Annotated[float, Gt(0)] | None = None,
        aggregate: Aggregate = "lse",
        lambda_lse: Annotated[float, Gt(0)] | None = None,
    ) -> None:
        super().__init__()
        self.direction, self.normalize, self.aggregate = direction, normalize, aggregate
        self.lambda_softmax = lambda_softmax or (9.0 if direction == "t2i" else 4.0)
        self.lambda_lse = lambda_lse or (6.0 if direction == "t2i" else 5.0)
        self.project = nn.ModuleDict({"image": nn.Linear(dims["image"], dim)})
        if dims["text"] != dim:
            self.project["text"] = nn.Linear(dims["text"], dim)

    def embed(self, modality: str, tokens: Tokens) -> Tokens:
        """Map to d and give unit length, in float32 at least; zeros at padding."""
        values = blank(tokens.values, tokens.mask)
        if modality in self.project:
            values = self.project[modality](values)
        unit = F.normalize(precise(values), dim=-1, eps=1e-12)
        return Tokens(blank(unit, tokens.mask), tokens.mask)

    def score(self, images: Tokens, texts: Tokens) -> Tensor:
        """Score all pairs of embedded sets."""
        queries, context = (texts, images) if self.direction == "t2i" else (images, texts)
        with torch.autocast(images.values.device.type, enabled=False):
            fits = self._fits(queries, context)  # (contexts, queries, q)
            scores = self._aggregated(fits, queries.mask)
        scores = scores if self.direction == "t2i" else scores.T
        return scores.masked_fill(~(images.mask.any(1)[:, None] & texts.mask.any(1)), 0.0)

    def weights(self, images: Tokens, texts: Tokens) -> dict[str, Tensor]:
        """Weights α of each image with the text of its own row, to look at.

        Shape: embedded sets (B, N, d), (B, M, d) -> ``scan/text_to_image`` (B, 1, M, N), or with ``direction: i2t``
        ``scan/image_to_text`` (B, 1, N, M); they sum to 1 over the last dimension.
        """
        by_words = self.direction == "t2i"
        queries, context = (texts, images) if by_words else (images, texts)
        with torch.autocast(images.values.device.type, enabled=False):
            affinity = precise(context.values) @ precise(queries.values).transpose(1, 2)  # (B, c, q)
            logits = self._normalized(affinity, queries.mask[:, None]) * self.lambda_softmax
            result = masked_softmax(logits, context.mask[:, :, None], dim=1).transpose(1, 2)
        return {f"scan/{'text_to_image' if by_words else 'image_to_text'}": result[:, None]}

    def pair_bytes(self, regions: int, words: int) -> int:
        """Five float32 numbers per region and word (of affinity, logit, weight), four per region or word."""
        return 20 * regions * words + 16 * (regions + words)

    def _fits(self, queries: Tokens, context: Tokens) -> Tensor:
        """cos(query, what it attends to). Shape: (a, q, d), (b, c, d) -> (b, a, q)."""
        asking, requested = precise(queries.values), precise(context.values)
        sides = (len(requested), requested.shape[1], len(asking), asking.shape[1])
        affinity = (requested.flatten(0, 1) @ asking.flatten(0, 1).T).view(sides)  # (b, c, a, q)
        logits = self._normalized(affinity, queries.mask) * self.lambda_softmax
        weights = masked_softmax(logits, context.mask[:, :, None, None], dim=1)
        del logits
        product = (weights * affinity).sum(1)  # q · a
        gram = requested @ requested.transpose(1, 2)  # (b, c, c)
        square = (torch.bmm(gram, weights.flatten(2)).view(sides) * weights).sum(1)  # |a|²
        return product / square.clamp(min=_EPSILON**2).sqrt()

    def _normalized(self, affinity: Tensor, mask: Tensor) -> Tensor:
        """Affinities relative to those of the other queries of the set. Padded queries have affinity 0."""
        if self.normalize == "softmax":
            return masked_softmax(affinity, mask)
        if self.normalize.startswith("clipped"):
            affinity = F.leaky_relu(affinity, 0.1)
        if self.normalize in ("clipped", "none"):
            return affinity
        order = 2 if self.normalize.endswith("l2") else 1
        scaled: Tensor = affinity / (torch.linalg.vector_norm(affinity, order, dim=-1, keepdim=True) + _EPSILON)
        return scaled

    def _aggregated(self, fits: Tensor, mask: Tensor) -> Tensor:
        """Shape: (b, a, q), (a, q) -> (b, a)."""
        if self.aggregate in ("sum", "mean"):
            total = fits.masked_fill(~mask, 0.0).sum(-1)
            return total if self.aggregate == "sum" else total / mask.sum(1).clamp(min=1)
        scale = self.lambda_lse if self.aggregate == "lse" else 1.0
        # Not -inf: a set without real tokens stays finite, and so does its gradient.
        fits = (scale * fits).masked_fill(~mask, torch.finfo(fits.dtype).min)
        return fits.amax(-1) if self.aggregate == "max" else fits.logsumexp(-1) / scale
