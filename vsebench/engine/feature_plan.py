"""Which part of an encoder's work is done once, beforehand: one rule for training, evaluation, search and measurements.

What is computed once is kept in half precision (``train.feature_dtype``), so the rest of the model has seen it rounded,
whether it was kept or not. Whoever encodes an item later must round at the same place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from vsebench.components.encoder.base import Encoder, Encoders
from vsebench.config.schema import ENCODER_SLOTS, Spec, System
from vsebench.core.registry import ATTENTIONS, FUSIONS, POOLINGS, registry_of
from vsebench.core.types import Tokens
from vsebench.engine.feature_cache import round_tokens

#: ``features``: the dataset's own are the input. ``raw``: nothing is computed once. ``tokens``: the tokens of a frozen
#: encoder. ``stages``: what the frozen stages give of an encoder that trains in part.
Mode = Literal["features", "raw", "tokens", "stages"]


@dataclass(frozen=True)
class FeaturePlan:
    """What of one modality is computed once, and how it is kept.

    Args:
        modality: its name.
        mode: the part that is computed once.
        dtype: ``fp16`` or ``fp32``, to which that part is rounded.
        pooling: of tokens that go into a fixed pooling and nowhere else, which are kept pooled; None keeps them all.
    """

    modality: str
    mode: Mode
    dtype: str
    pooling: Spec | None = None

    @property
    def once(self) -> bool:
        """Whether a part of the encoder's work is done once."""
        return self.mode in ("tokens", "stages")

    def encode_first(self, encoder: Encoder, raw: Any) -> Tokens:
        """Compute the part that is done once, in float32 whatever the run's precision. Not rounded yet."""
        encode = encoder.frozen_part
        assert self.once, f"nothing of {self.modality} is computed once"
        assert encode is not None, "only what does not change is computed once"
        with torch.autocast(encoder.device.type, enabled=False):
            return encode(raw)

    def encode(self, encoder: Encoder, raw: Any) -> Tokens:
        """Encode as evaluation did. ``raw``: the raw input, the dataset's features, or what was computed once."""
        if isinstance(raw, Tokens) and self.mode != "features":
            return encoder.rest(raw)
        if self.once:
            return encoder.rest(round_tokens(self.encode_first(encoder, raw), self.dtype))
        tokens: Tokens = encoder(raw)
        return tokens


def feature_plans(system: System, encoders: Encoders) -> dict[str, FeaturePlan]:
    """Decide for every modality what is computed once."""
    visual = any(encoder.uses_visual for encoder in encoders.values())
    alone = set() if visual else pooled_alone(system)
    plans = {}
    for modality, encoder in encoders.items():
        mode = _mode(system, modality, encoder)
        pooling = system.pooling[modality] if mode == "tokens" and modality in alone else None
        plans[modality] = FeaturePlan(modality, mode, system.train.feature_dtype, pooling)
    return plans


def _mode(system: System, modality: str, encoder: Encoder) -> Mode:
    if reads_features(system.encoder(modality), modality):
        return "features"
    augmented = modality == "image" and system.train.augment is not None
    if augmented or encoder.uses_visual or encoder.frozen_part is None:
        return "raw"
    return "tokens" if encoder.frozen else "stages"


def pooled_alone(system: System) -> set[str]:
    """Modalities whose tokens go into a fixed pooling and nowhere else: frozen ones can be pooled once.

    Not where attention, a scorer of pairs, another modality's pooling or the fusion sees the tokens.
    """
    sees_tokens = system.fusion is not None and FUSIONS.get(system.fusion.name).facts["needs_tokens"]
    if system.attention.name != "none" or sees_tokens or system.scorer is not None or is_cross_modal(system):
        return set()
    return {m for m, spec in system.pooling.items() if POOLINGS.get(spec.name).facts["fixed"]}


def reads_features(spec: Spec, modality: str) -> bool:
    """Return whether an encoder takes the dataset's precomputed features instead of the raw modality."""
    return bool(registry_of(ENCODER_SLOTS[modality]).get(spec.name).facts["reads"] == "features")


def is_cross_modal(system: System) -> bool:
    """Return whether attention or pooling lets one modality see another."""
    if len(system.modalities) < 2:
        return False
    if ATTENTIONS.get(system.attention.name).facts["cross_modal"]:
        return True
    return any(POOLINGS.get(s.name).facts["cross_modal"] for s in system.pooling.values())
