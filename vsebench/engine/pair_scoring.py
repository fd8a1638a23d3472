"""Ranks by a scorer of pairs: of a whole gallery, or of the first few that embeddings found."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch

from vsebench.components.scorer.base import Scorer
from vsebench.core.types import Tokens
from vsebench.engine.model import Model
from vsebench.ops.ranking import ScoreRows, similarity_rows

#: A matrix of scores that is larger lies in a temporary file.
MEMORY = 1 << 29
#: Queries whose candidates are looked for at a time.
ROWS = 256


def score_pairs(scorer: Scorer, images: Tokens, texts: Tokens, *, device: torch.device) -> np.ndarray:
    """Score every image with every text, in blocks. Shape: (n, …), (m, …) -> float32 (n, m)."""
    shape = (len(images.values), len(texts.values))
    if 4 * shape[0] * shape[1] <= MEMORY:
        result = np.zeros(shape, np.float32)
    else:
        with tempfile.NamedTemporaryFile() as file:  # the mapping keeps it until it is no longer used
            result = np.memmap(file, np.float32, "w+", shape=shape)
    for rows, columns, block in scorer.blocks(images, texts, device=device):
        result[rows.numpy()[:, None], columns.numpy()] = block.float().cpu().numpy()
    return result


def first_of(rows_of: ScoreRows, queries: int, count: int) -> np.ndarray:
    """Each query's ``count`` best in the gallery, best first; equal scores in the gallery's order.

    Shape: int64 (queries, count)
    """
    results = []
    for start in range(0, queries, ROWS):
        scores = rows_of(slice(start, start + ROWS))
        results.append(np.argsort(-scores, axis=1, kind="stable")[:, :count])
    return np.concatenate(results)


def ranking_of(
    model: Model,
    embeddings: Mapping[str, np.ndarray],
    sides: Mapping[str, Tokens],
    *,
    device: torch.device,
    ranked_gallery: tuple[Mapping[str, np.ndarray], Mapping[str, Tokens]] | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Score a split with the model's pair scorer: all pairs or, with ``rerank_top``, the candidates.

    Args:
        model: with a pair scorer, in eval mode.
        embeddings: modality -> float32 (n, E), of the split.
        sides: modality -> the scorer's inputs, of the split.
        device: where pairs are scored.
        ranked_gallery: embeddings and sides of what the split is ranked against, where that is not the split.

    Returns: direction -> scores (queries, gallery); direction -> candidates (Q, K) and their scores (Q, K). Of a split
    against itself ``i2t`` has the scores of both directions. Both are empty for a model without a scorer.
    """
    scorer, top = model.scorer, model.system.rerank_top
    if scorer is None or not sides:
        return {}, {}
    vectors, others = (embeddings, sides) if ranked_gallery is None else ranked_gallery
    if top is None:
        scored = {"i2t": score_pairs(scorer, sides["image"], others["text"], device=device)}
        if ranked_gallery is not None:
            scored["t2i"] = score_pairs(scorer, others["image"], sides["text"], device=device).T
        return scored, {}
    results = {}
    directions: list[tuple[str, Literal["image", "text"], str]] = [("i2t", "image", "text"), ("t2i", "text", "image")]
    for direction, requested, answers in directions:
        rows = similarity_rows(embeddings[requested], vectors[answers], model.system.similarity)
        first = first_of(rows, len(embeddings[requested]), min(top, len(vectors[answers])))
        pair = {requested: sides[requested], answers: others[answers]}
        again = scorer.score_candidates(
            pair["image"], pair["text"], torch.from_numpy(first), queries=requested, device=device
        )
        results[direction] = (first, again.cpu().numpy())
    return {}, results


def said_of(model: Model) -> str:
    """Return how a model ranks, in words."""
    by = f"{'codes' if model.system.similarity == 'hamming' else 'embeddings'} ({model.system.similarity})"
    if model.system.scorer is None:
        return by
    name = model.system.scorer.name
    return f"pairs ({name})" if model.system.rerank_top is None else f"{by}, first {model.system.rerank_top} by {name}"
