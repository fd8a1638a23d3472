"""Queries as a search answers them: one raw item against a gallery that is prepared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vsebench.core.types import Tokens
from vsebench.engine.embed import embed, embed_with_pair_inputs, pair_inputs
from vsebench.engine.model import Model
from vsebench.measurements._items import Items, tiled
from vsebench.ops.ranking import Direction

#: Items of the gallery, and how many of them a query finds.
GALLERY, FOUND = 1_000, 10
_SIDES: Mapping[Direction, tuple[Literal["image", "text"], str]] = {"i2t": ("image", "text"), "t2i": ("text", "image")}


def embedding(model: Model, modality: str, raw: Any) -> Any:
    """Encode raw items of one modality for a search: embeddings, or sets where a scorer sees every pair."""
    return pair_inputs(model, modality, raw) if model.system.scores_alone else embed(model, modality, raw)


class Search:
    """Queries of a system that ranks, against a gallery of 1,000 prepared items: the drawn ones, again and again.

    Similarities of embeddings are one matrix product, with codes as with other vectors (an index of packed codes needs
    less). A scorer of pairs sees the query with every item, or with the first ``rerank_top`` that embeddings found.
    """

    def __init__(self, model: Model, items: Items) -> None:
        self.model, self.items = model, items
        self.vectors: dict[str, Tensor] = {}
        self.sides: dict[str, Tokens] = {}
        for modality in ("image", "text"):
            raw = items.raw(modality, items.rows)
            if not model.system.scores_alone:
                self.vectors[modality] = self._comparable(tiled(embed(model, modality, raw), GALLERY))
            if model.scorer is not None:
                self.sides[modality] = tiled(pair_inputs(model, modality, raw), GALLERY)

    def ask(self, direction: Direction, rows: np.ndarray) -> Tensor:
        """Positions in the gallery of what some raw queries find. Shape: rows (b,) -> int64 (b, 10)."""
        modality, other = _SIDES[direction]
        raw = self.items.raw(modality, rows)
        scorer = self.model.scorer
        if scorer is None:
            scores = self._comparable(embed(self.model, modality, raw)) @ self.vectors[other].T
            return scores.topk(FOUND).indices
        if self.model.system.scores_alone:
            encoded = pair_inputs(self.model, modality, raw)
            pair = {modality: encoded, other: self.sides[other]}
            scores = scorer.score_all(pair["image"], pair["text"], device=self.model.device)
            return (scores if modality == "image" else scores.T).topk(FOUND).indices
        vector, encoded = embed_with_pair_inputs(self.model, modality, raw)
        first = self._comparable(vector) @ self.vectors[other].T
        few = first.topk(min(self.model.system.rerank_top or FOUND, GALLERY)).indices
        pair = {modality: encoded, other: self.sides[other]}
        again = scorer.score_candidates(pair["image"], pair["text"], few, queries=modality, device=self.model.device)
        return few.gather(1, again.topk(min(FOUND, few.shape[1])).indices)

    def pairs(self, count: int) -> Tensor:
        """Scores of one prepared image with some prepared texts. Shape: -> (1, count)"""
        scorer = self.model.scorer
        assert scorer is not None
        first = torch.arange(count, device=self.model.device)
        with torch.inference_mode():
            return scorer.score(self.sides["image"].take(first[:1]), self.sides["text"].take(first))

    def _comparable(self, vectors: Tensor) -> Tensor:
        return F.normalize(vectors, dim=-1) if self.model.system.similarity == "cosine" else vectors
