"""Embeddings of one modality alone, for galleries and queries that lack the other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vsebench.components.fusion.base import Fusion
from vsebench.components.scorer.base import Scorer
from vsebench.config.schema import ENCODER_SLOTS
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens
from vsebench.engine.evaluate import autocast
from vsebench.engine.feature_cache import round_tokens
from vsebench.engine.model import Model, ranked_by, reads_features, width_of
from vsebench.ops.masking import masked_mean


@torch.inference_mode()
def embed(model: Model, modality: str, raw: Any) -> Tensor:
    """Compute ``model(batch).embeddings[modality]``, independent of the batch's other modalities.

    An embedding does not depend on them (see :class:`Model`): where one modality lets another see it, embeddings come
    from the encoder's own tokens; elsewhere the other modalities stand there as sets without a real token.

    Args:
        model: in eval mode.
        raw: pixels uint8 (B, 3, H, W), :class:`Words`, or Tokens (cached ones, or the dataset's features).

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
    device = model.device
    with autocast(model.system.train.precision, device):
        tokens = _tokens(model, modality, raw.to(device))
        if model.cross_modal:
            own: Tensor = model.own_projection[modality](masked_mean(tokens.values, tokens.mask))
            return own.float()
        attended = model.attention({**_absent(model, tokens), modality: tokens}, None)
        context = {m: t for m, t in attended.items() if m != modality}
        vector: Tensor = model.projection[modality](model.pooling[modality](attended[modality], context))
        if model.fitter is not None:
            vector = model.fitter({modality: vector})[modality]
        vector = ranked_by(model, modality, vector)
    return vector.float()


def embedding_dim(model: Model, modality: str) -> int:
    """E, the size of what :func:`embed` gives."""
    if model.cross_modal:
        return model.system.dim
    dim = model.dims[modality]
    return model.fusion.embedding_dim(dim) if isinstance(model.fusion, Fusion) else dim


@torch.inference_mode()
def side(model: Model, modality: str, raw: Any) -> Tokens:
    """Compute the pair scorer's inputs of some items: ``model(batch).sides[modality]``.

    Args:
        model: in eval mode, with a scorer.
        raw: as for :func:`embed`.

    Shape: -> float32 Tokens (B, N, d), on the model's device.
    """
    assert isinstance(model.scorer, Scorer), "only a system with a scorer keeps sides"
    device = model.device
    with autocast(model.system.train.precision, device):
        tokens = _tokens(model, modality, raw.to(device))
        attended = model.attention({**_absent(model, tokens), modality: tokens}, None)
        kept = model.scorer.embed(modality, attended[modality])
    return Tokens(kept.values.float(), kept.mask)


def _tokens(model: Model, modality: str, raw: Any) -> Tokens:
    """Compute the encoder's tokens as evaluation sees them: rounded where they are kept."""
    encoder: Any = model.encoders[modality]
    features = reads_features(getattr(model.system, ENCODER_SLOTS[modality]), modality)
    if isinstance(raw, Tokens) and not features:
        return raw if encoder.frozen else encoder.after_cut(raw)  # type: ignore[no-any-return]
    if _kept_at_cut(model, modality):
        device = next(encoder.parameters()).device
        with torch.autocast(device.type, enabled=False):
            kept = round_tokens(encoder.before_cut(raw), model.system.train.feature_dtype)
        return encoder.after_cut(kept)  # type: ignore[no-any-return]
    tokens: Tokens = encoder(raw)
    if not features and _kept_narrow(model, modality):
        return round_tokens(tokens, model.system.train.feature_dtype)
    return tokens


def _kept_narrow(model: Model, modality: str) -> bool:
    """Whether evaluation saw the encoder's tokens rounded, as the cache of frozen features keeps them."""
    return modality in model.frozen and not (modality == "image" and model.system.train.augment is not None)


def _kept_at_cut(model: Model, modality: str) -> bool:
    """Whether evaluation saw what the encoder's frozen stages give rounded, as it is kept."""
    encoder: Any = model.encoders[modality]
    cut = not encoder.frozen and getattr(encoder, "cut", None) is not None
    return cut and not (modality == "image" and model.system.train.augment is not None)


def _absent(model: Model, like: Tokens) -> dict[str, Tokens]:
    """Every modality as a set of one token that is not real, in the order of the model."""
    batch = len(like.mask)
    return {
        m: Tokens(like.values.new_zeros(batch, 1, width_of(e)), like.mask.new_zeros(batch, 1))
        for m, e in model.encoders.items()
    }


@torch.inference_mode()
def embed_with_side(model: Model, modality: str, raw: Any) -> tuple[Tensor, Tokens]:
    """Compute the results of :func:`embed` and :func:`side`, with the encoder run once.

    Args:
        model: in eval mode, with a scorer that ranks again what embeddings found.
        raw: as for :func:`embed`.

    Shape: -> float32 (B, E) and float32 Tokens (B, N, d), on the model's device.
    """
    assert isinstance(model.scorer, Scorer), "only a system with a scorer keeps sides"
    with autocast(model.system.train.precision, model.device):
        tokens = _tokens(model, modality, raw.to(model.device))
        attended = model.attention({**_absent(model, tokens), modality: tokens}, None)
        context = {m: t for m, t in attended.items() if m != modality}
        vector: Tensor = model.projection[modality](model.pooling[modality](attended[modality], context))
        kept = model.scorer.embed(modality, attended[modality])
    return vector.float(), Tokens(kept.values.float(), kept.mask)
