"""Embeddings of one modality alone, for galleries and queries that lack the other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vsebench.components.scorer.base import Scorer
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens
from vsebench.engine.evaluate import autocast
from vsebench.engine.model import Model, ranked_by, width_of
from vsebench.ops.masking import masked_mean


@torch.inference_mode()
def embed(model: Model, modality: str, raw: Any) -> Tensor:
    """Compute ``model(batch).embeddings[modality]``, independent of the batch's other modalities.

    An embedding does not depend on them (see :class:`Model`): where one modality lets another see it, embeddings come
    from the encoder's own tokens; elsewhere the other modalities stand there as sets without a real token.

    Args:
        model: in eval mode.
        modality: of ``raw``.
        raw: pixels uint8 (B, 3, H, W), :class:`TokenIds`, or Tokens (cached ones, or the dataset's features).

    Shape: -> float32 (B, E), on the model's device.

    Raises: KeyError for a modality that the system does not read; ConfigError for a system that ranks pairs and has
    no embeddings.
    """
    if model.system.scores_alone:
        name = model.system.scorer.name if model.system.scorer is not None else ""
        raise ConfigError(
            f"this system has no embeddings: its scorer '{name}' must see every pair. Train it with rerank_top and a "
            "term on embeddings to find candidates by them."
        )
    with autocast(model.system.train.precision, model.device):
        tokens = _tokens(model, modality, raw)
        if model.cross_modal:
            projected: Tensor = model.own_projection[modality](masked_mean(tokens.values, tokens.mask))
            return projected.float()
        return _embedding(model, modality, _attended(model, modality, tokens)).float()


def embedding_dim(model: Model, modality: str) -> int:
    """E, the size of what :func:`embed` gives."""
    if model.cross_modal:
        return model.system.dim
    dim = model.dims[modality]
    return model.fusion.embedding_dim(dim) if model.fusion is not None else dim


@torch.inference_mode()
def pair_inputs(model: Model, modality: str, raw: Any) -> Tokens:
    """Compute the pair scorer's inputs of some items: ``model(batch).sides[modality]``.

    Args:
        model: in eval mode, with a scorer.
        modality: of ``raw``.
        raw: as for :func:`embed`.

    Shape: -> float32 Tokens (B, N, d), on the model's device.
    """
    assert isinstance(model.scorer, Scorer), "only a system with a scorer keeps sides"
    with autocast(model.system.train.precision, model.device):
        encoded = model.scorer.embed(modality, _attended(model, modality, _tokens(model, modality, raw))[modality])
    return Tokens(encoded.values.float(), encoded.mask)


def _tokens(model: Model, modality: str, raw: Any) -> Tokens:
    """Encode as evaluation did."""
    return model.plans[modality].encode(model.encoders[modality], raw.to(model.device))


def _attended(model: Model, modality: str, tokens: Tokens) -> dict[str, Tokens]:
    """Return what attention makes of one modality's tokens beside sets without a real one."""
    attended: dict[str, Tokens] = model.attention({**_absent(model, tokens), modality: tokens}, None)
    return attended


def _embedding(model: Model, modality: str, attended: dict[str, Tokens]) -> Tensor:
    vector = model.vector(modality, attended)
    if model.fitter is not None:
        vector = model.fitter({modality: vector})[modality]
    return ranked_by(model, modality, vector)


def _absent(model: Model, like: Tokens) -> dict[str, Tokens]:
    """Every modality as a set of one token that is not real, in the order of the model."""
    batch = len(like.mask)
    return {
        m: Tokens(like.values.new_zeros(batch, 1, width_of(e)), like.mask.new_zeros(batch, 1))
        for m, e in model.encoders.items()
    }


@torch.inference_mode()
def embed_with_pair_inputs(model: Model, modality: str, raw: Any) -> tuple[Tensor, Tokens]:
    """Compute the results of :func:`embed` and :func:`side`, with the encoder run once.

    Args:
        model: in eval mode, with a scorer that ranks again what embeddings found.
        modality: of ``raw``.
        raw: as for :func:`embed`.

    Shape: -> float32 (B, E) and float32 Tokens (B, N, d), on the model's device.
    """
    assert isinstance(model.scorer, Scorer), "only a system with a scorer keeps sides"
    with autocast(model.system.train.precision, model.device):
        attended = _attended(model, modality, _tokens(model, modality, raw))
        vector, encoded = _embedding(model, modality, attended), model.scorer.embed(modality, attended[modality])
    return vector.float(), Tokens(encoded.values.float(), encoded.mask)
