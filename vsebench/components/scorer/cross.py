"""Cross-attention of a pair, then the cosine of what both sides became: the pair form of SA-CMR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsebench.components.scorer._sets import precise
from vsebench.components.scorer.base import Scorer
from vsebench.core.registry import SCORERS
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank, masked_mean, masked_softmax

_OTHER = {"image": "text", "text": "image"}


@SCORERS.register("cross", source="SA-CMR, step 3; methods 6.5, mode pair")
class Cross(Scorer):
    """Let a caption's words and an image's regions attend to each other, and compare the means of both.

        C_t = softmax(H_t H_vᵀ / sqrt(d)) H_v,    C_v = softmax(H_v H_tᵀ / sqrt(d)) H_t
        g_m = mean over real tokens of W_m [H_m; C_m] + b_m   (concat), or of H_m + C_m   (add)
        score = cos(g_v, g_t)

    H is what the system's attention made of the tokens (``self`` in the source). The mean of C_t is the mean of the
    words' weights times H_v, so that C is never formed, which is exact. Computed in float32 at least, under autocast
    too.

    Differs from the source: it names more ways to combine and to pool; these two and the mean leave the mean of C alone
    to be computed per pair.

    Args:
        dims: size of each modality's tokens, D_m (wired).
        dim: d, the joint dimension (wired). Tokens of another size are mapped to it.
        combine: ``concat`` or ``add``.

    Shape: image Tokens (n, N, D_v), text Tokens (m, M, D_t) -> (n, m), in [-1, 1].

    Example:
        >>> one = Tokens(torch.ones(1, 1, 4), torch.ones(1, 1, dtype=torch.bool))
        >>> Cross({"image": 4, "text": 4}, 4, combine="add")(one, one)
        tensor([[1.]])
    """

    def __init__(self, dims: Mapping[str, int], dim: int, *, combine: Literal["concat", "add"] = "concat") -> None:
        super().__init__()
        self.dim = dim
        self.project = nn.ModuleDict({m: nn.Linear(dims[m], dim) for m in _OTHER if dims[m] != dim})
        self.self_parts, self.attended = nn.ModuleDict(), nn.ModuleDict()
        if combine == "concat":
            self.self_parts.update({m: nn.Linear(dim, dim) for m in _OTHER})
            self.attended.update({m: nn.Linear(dim, dim, bias=False) for m in _OTHER})

    def embed(self, modality: str, tokens: Tokens) -> Tokens:
        """H beside what it adds to the other side, W H. Shape: Tokens (B, N, D) -> Tokens (B, N, 2 d)."""
        hidden = blank(tokens.values, tokens.mask)
        if modality in self.project:
            hidden = blank(self.project[modality](hidden), tokens.mask)
        given = self.attended[_OTHER[modality]](hidden) if len(self.attended) else hidden
        return Tokens(torch.cat([precise(hidden), precise(given)], -1), tokens.mask)

    def score(self, images: Tokens, texts: Tokens) -> Tensor:
        """Score all pairs of embedded sets."""
        with torch.autocast(images.values.device.type, enabled=False):
            (regions, region_gives), (words, word_gives) = (precise(t.values).chunk(2, -1) for t in (images, texts))
            sides = (*images.mask.shape, *texts.mask.shape)
            logits = (regions.flatten(0, 1) @ words.flatten(0, 1).T).view(sides) / self.dim**0.5  # (n, N, m, M)
            real_regions, real_words = images.mask[:, :, None, None], texts.mask
            seen = masked_softmax(logits, real_regions, dim=1)  # of each word, over regions
            mean_word = self._mean(seen, real_words, -1)  # (n, N, m)
            text = self._base("text", words, texts.mask) + mean_word.transpose(1, 2) @ region_gives  # (n, m, d)
            seen = masked_softmax(logits, real_words)  # of each region, over words
            mean_region = self._mean(seen, real_regions, 1)  # (n, m, M)
            read = (mean_region.transpose(0, 1) @ word_gives).transpose(0, 1)  # (n, m, d)
            image = self._base("image", regions, images.mask)[:, None] + read
            scores = F.cosine_similarity(image, text, dim=-1, eps=1e-12)
        return scores.masked_fill(~(images.mask.any(1)[:, None] & texts.mask.any(1)), 0.0)

    def weights(self, images: Tokens, texts: Tokens) -> dict[str, Tensor]:
        """Return the softmaxes of each image with the text of its own row, to look at.

        Shape: embedded sets (B, N, 2 d), (B, M, 2 d) -> ``cross/text_to_image`` (B, 1, M, N) and
        ``cross/image_to_text`` (B, 1, N, M).
        """
        with torch.autocast(images.values.device.type, enabled=False):
            regions, words = (precise(t.values).chunk(2, -1)[0] for t in (images, texts))
            logits = words @ regions.transpose(1, 2) / self.dim**0.5  # (B, M, N)
            seen = masked_softmax(logits, images.mask[:, None])
            read = masked_softmax(logits.transpose(1, 2), texts.mask[:, None])
        return {"cross/text_to_image": seen[:, None], "cross/image_to_text": read[:, None]}

    def pair_bytes(self, regions: int, words: int) -> int:
        """Five float32 numbers per region and word, and six vectors of d."""
        return 20 * regions * words + 24 * self.dim

    def _base(self, modality: str, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return an item's own part of g. Shape: (B, N, d), (B, N) -> (B, d)."""
        mean = masked_mean(hidden, mask)
        if modality not in self.self_parts:
            return mean
        layer = cast(nn.Linear, self.self_parts[modality])
        return F.linear(mean, precise(layer.weight), precise(layer.bias))

    def _mean(self, weights: Tensor, mask: Tensor, dim: int) -> Tensor:
        """Mean over the real positions of a dimension."""
        return weights.masked_fill(~mask, 0.0).sum(dim) / mask.sum(dim).clamp(min=1)
