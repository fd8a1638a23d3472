"""Pairwise scorers: image and caption are seen together, so there is no vector to index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from vsebench.components.scorer._sets import by_size, extents, rows_of
from vsebench.core.types import Tokens

#: Working memory of a block of pairs, in bytes, unless told otherwise: on a CPU near the size of its cache.
BUDGET = {"cpu": 16 * 2**20}
BUDGET_ELSEWHERE = 2**30


class Scorer(nn.Module):
    """Score each image against each caption.

    Constructed with the wired ``dims`` {"image": D_v, "text": D_t}, sizes of the tokens, and ``dim``, the joint
    dimension. What an item's side of a pair needs is computed once by :meth:`embed`; :meth:`score` sees both sides.

    Shape: image Tokens (n, N, D_v), text Tokens (m, M, D_t) -> (n, m). Padding never changes a score; where either side
    has no real token the score is 0.
    """

    def embed(self, modality: str, tokens: Tokens) -> Tokens:
        """Convert one side of a pair to the form that is scored; done once per item.

        Shape: Tokens (B, N, D) -> Tokens (B, N, d).
        """
        raise NotImplementedError(type(self).__name__)

    def score(self, images: Tokens, texts: Tokens) -> Tensor:
        """Score all pairs of embedded sets at once, for training. Shape: (n, N, d), (m, M, d) -> (n, m)."""
        raise NotImplementedError(type(self).__name__)

    def pair_bytes(self, regions: int, words: int) -> int:
        """Working memory of :meth:`score` without gradients, in bytes per pair of sets of these sizes."""
        raise NotImplementedError(type(self).__name__)

    def forward(self, images: Tokens, texts: Tokens) -> Tensor:
        """Embed both sides and score all pairs."""
        return self.score(self.embed("image", images), self.embed("text", texts))

    def score_all(
        self, images: Tokens, texts: Tokens, *, budget: int | None = None, device: torch.device | str | None = None
    ) -> Tensor:
        """Score all pairs of embedded sets in blocks, without gradients.

        Args:
            images: embedded sets of images.
            texts: embedded sets of texts.
            budget: working memory of a block, in bytes, beside the sets and the result; default 16 MiB on a CPU,
                1 GiB on an accelerator.
            device: where blocks are computed; default where the images are. The sets may lie elsewhere.

        Shape: (n, N, d), (m, M, d) -> float32 (n, m), where the images are.
        """
        result = torch.zeros(len(images.values), len(texts.values), device=images.values.device)
        for rows, columns, block in self.blocks(images, texts, budget=budget, device=device):
            result[rows[:, None], columns] = block.to(result)
        return result

    def blocks(
        self, images: Tokens, texts: Tokens, *, budget: int | None = None, device: torch.device | str | None = None
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield the scores block by block: rows, columns and their scores. Every pair comes once.

        Sets of similar size share a block and are cut to its longest, so that little padding is computed. A block has
        at least one pair, however small the budget.

        Raises: ValueError if ``budget`` is not > 0.
        """
        place = torch.device(images.values.device if device is None else device)
        budget = BUDGET.get(place.type, BUDGET_ELSEWHERE) if budget is None else budget
        if budget <= 0:
            raise ValueError(f"budget must be > 0 bytes; got {budget}.")
        regions, words = extents(images.mask), extents(texts.mask)
        row_order, column_order = by_size(regions), by_size(words)
        first_row = 0
        while first_row < len(row_order) and len(column_order):
            tall = int(regions[row_order[first_row]])
            rows = row_order[first_row : first_row + self._height(tall, int(words[column_order[0]]), budget)]
            left = rows_of(images, rows, tall, place)
            first_row, first_column = first_row + len(rows), 0
            while first_column < len(column_order):
                wide = int(words[column_order[first_column]])
                width = max(1, budget // (len(rows) * self.pair_bytes(tall, wide)))
                columns = column_order[first_column : first_column + width]
                right = rows_of(texts, columns, wide, place)
                first_column += len(columns)
                with torch.inference_mode():
                    block = self.score(left, right)
                yield rows, columns, block

    def _height(self, regions: int, words: int, budget: int) -> int:
        """Images of a block that has about as many regions as words: the cheapest shape of a matrix product."""
        pairs = budget / self.pair_bytes(regions, words)
        return max(1, int(min(pairs, (pairs * words / regions) ** 0.5)))

    def score_candidates(
        self,
        images: Tokens,
        texts: Tokens,
        candidates: Tensor,
        *,
        queries: Literal["image", "text"],
        budget: int | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Score each query with its own few candidates, to re-rank what a dual encoder found.

        Args:
            images: embedded sets of images.
            texts: embedded sets of texts.
            candidates: for each query, rows of the other modality.
            queries: which side they are on.
            budget: as for :meth:`score_all`.
            device: as for :meth:`score_all`.

        Shape: (n, N, d), (m, M, d), int64 (Q, K) -> float32 (Q, K); Q is n for images, m for texts.

        Raises: ValueError if there is not one row of candidates per query.
        """
        requested, ranked_gallery = (images, texts) if queries == "image" else (texts, images)
        if len(candidates) != len(requested.values):
            raise ValueError(f"{len(candidates)} rows of candidates for {len(requested.values)} {queries} queries.")
        result = torch.zeros(candidates.shape, device=images.values.device)
        for query, rows in enumerate(candidates):
            one = Tokens(requested.values[query : query + 1], requested.mask[query : query + 1])
            few = Tokens(ranked_gallery.values[rows], ranked_gallery.mask[rows])
            pair = (one, few) if queries == "image" else (few, one)
            result[query] = self.score_all(*pair, budget=budget, device=device).flatten()
        return result
