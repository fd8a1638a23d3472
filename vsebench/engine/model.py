"""A system's components wired into one module. The one place where dimensions meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsebench.components.fitter.base import Fitter
from vsebench.components.fusion.base import Fusion
from vsebench.components.head.base import Head
from vsebench.config.schema import ENCODER_SLOTS, Spec, System
from vsebench.core.culprit import described
from vsebench.core.errors import ComponentError, ConfigError
from vsebench.core.registry import (
    ATTENTIONS,
    FITTERS,
    FUSIONS,
    HEADS,
    POOLINGS,
    PROJECTIONS,
    RERANKERS,
    SCORERS,
    registry_of,
)
from vsebench.core.types import Batch, Output, Tokens
from vsebench.ops.masking import masked_mean


class Model(nn.Module):
    """encoders -> attention -> pooling -> projection -> fusion -> head.

    Each modality's pooled vector is projected to the joint dimension d: v, t in R^d. ``Output.embeddings`` are what
    retrieval ranks: they are computed from one modality alone. Where a component lets one modality see another
    (registered ``cross_modal``), they come from the encoder's own tokens through a projection of their own; a vector
    that has seen its partner would carry the match into Recall@k. Of an item without a real token of a modality the
    fusion sees what pooling gives for an empty set or, with ``absent: learned``, a vector that is trained.

    Args:
        system: the resolved components.
        num_classes: C.
        multi_label: whether an item may have several classes.
        vocabulary: word ids of the training split, for the text encoders that want one.
        checkpoints: slot -> file of weights made by ``weights: pretrain``.
        feature_dims: modality -> D of the dataset's precomputed features.

    Attributes:
        whole: makes the rows of this process those of the whole batch, for what the head observes.
    """

    def __init__(
        self,
        system: System,
        *,
        num_classes: int,
        multi_label: bool = False,
        vocabulary: Any = None,
        checkpoints: Mapping[str, Path] | None = None,
        feature_dims: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.system = system
        self.whole: Callable[[Tensor], Tensor] = _unchanged
        self.num_classes = num_classes
        checkpoints = checkpoints or {}
        self.encoders = nn.ModuleDict()
        for modality in system.modalities:
            slot = ENCODER_SLOTS[modality]
            self.encoders[modality] = build_encoder(
                slot,
                getattr(system, slot),
                vocabulary=vocabulary,
                checkpoint=checkpoints.get(slot),
                feature_dim=(feature_dims or {}).get(modality),
                visual_dim=self.encoders["image"].dim_out if "image" in self.encoders else None,
            )
        token_dims = {m: width_of(self.encoders[m]) for m in system.modalities}
        self.attention = ATTENTIONS.build(
            system.attention.name, system.attention.options, dims=token_dims, dim=system.dim
        )
        given = getattr(self.attention, "dims_out", {})
        dims = {m: _promised(self.attention, given.get(m), f"dims_out['{m}']") for m in system.modalities}
        self.pooling = nn.ModuleDict()
        for modality, spec in () if system.scores_alone else system.pooling.items():
            context = {m: d for m, d in dims.items() if m != modality}
            wired = {"modality": modality, "dim": dims[modality], "context": context}
            self.pooling[modality] = POOLINGS.build(spec.name, spec.options, **wired)
        pooled = {m: width_of(pool) for m, pool in self.pooling.items()}
        self.projection = nn.ModuleDict({m: self._projection(width) for m, width in pooled.items()})
        self.dims = {m: pooled[m] if system.projection is None else width_of(p) for m, p in self.projection.items()}
        self.fitter: Fitter | None = None
        if system.fitter is not None:
            seen = {"dims": pooled, "num_classes": num_classes, "multi_label": multi_label}
            self.fitter = FITTERS.build(system.fitter.name, system.fitter.options, **seen)
            self.gives_codes = bool(FITTERS.get(system.fitter.name).facts["codes"])
            self.dims = dict.fromkeys(pooled, width_of(self.fitter))
        self.cross_modal = is_cross_modal(system) or any(_uses_visual(e) for e in self.encoders.values())
        self.own_projection = nn.ModuleDict()
        if self.cross_modal:
            self.own_projection.update({m: nn.Linear(token_dims[m], system.dim) for m in system.modalities})
        self.fusion = self._fusion(token_dims)
        self.dropout = nn.Dropout(system.dropout)
        self.head_reads: tuple[str, ...] = ()
        self.head: nn.Module | None = None
        if system.head is not None:
            joint = self.dims[system.modalities[0]] if self.fusion is None else width_of(self.fusion)
            self.head_reads = HEADS.get(system.head.name).facts["reads"]
            seen = {"dim_in": joint, "dims": dict(self.dims), "num_classes": num_classes, "multi_label": multi_label}
            self.head = HEADS.build(system.head.name, system.head.options, **seen)
        self.scorer = None
        if system.scorer is not None:
            if self.cross_modal:
                raise ConfigError("a scorer of pairs needs text that has not seen an image: visual: false.")
            wired = {"dims": dims, "dim": system.dim}
            self.scorer = SCORERS.build(system.scorer.name, system.scorer.options, **wired)
        rerank = system.reranker
        self.reranker = None if rerank is None else RERANKERS.build(rerank.name, rerank.options)
        # Drawn after all else: the other weights are those of the system without them. Of length 1, where a fusion
        # that normalises has finite gradients; at zero it has none.
        lacking = self.dims if system.absent == "learned" else {}
        self.absent = nn.ParameterDict(
            {m: nn.Parameter(F.normalize(torch.randn(d), dim=0)) for m, d in lacking.items()}
        )

    def _projection(self, dim: int) -> nn.Module:
        """From a pooled vector to v or t in R^d; the pooled vector itself without a projection."""
        spec = self.system.projection
        if spec is None:
            return nn.Identity()
        wired = {"dim": dim, "dim_out": self.system.dim, "dropout": self.system.dropout}
        built: nn.Module = PROJECTIONS.build(spec.name, spec.options, **wired)
        return built

    def _fusion(self, token_dims: Mapping[str, int]) -> nn.Module | None:
        if self.system.fusion is None:
            return None
        name, options = self.system.fusion.name, self.system.fusion.options
        self.fusion_facts = FUSIONS.get(name).facts
        wired = {"dims": self.dims, "dim_out": self.system.dim, "token_dims": dict(token_dims)}
        module: nn.Module = FUSIONS.build(name, options, **wired)
        return module

    @property
    def device(self) -> torch.device:
        """Where its parameters are, or its buffers: a fitter over precomputed features has no parameter."""
        return next((t.device for t in (*self.parameters(), *self.buffers())), torch.device("cpu"))

    @property
    def origins(self) -> dict[str, dict[str, str]]:
        """Where the encoders' weights come from that the hub has: slot -> ``model``, ``commit``."""
        found = {ENCODER_SLOTS[m]: getattr(e, "origin", None) for m, e in self.encoders.items()}
        return {slot: dict(origin) for slot, origin in found.items() if origin}

    @property
    def frozen(self) -> dict[str, nn.Module]:
        """The encoders whose Tokens can be computed once: modality -> module."""
        return {m: e for m, e in self.encoders.items() if e.frozen and not _uses_visual(e)}

    def encode(self, inputs: Mapping[str, Any], present: Mapping[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Raw inputs and precomputed features to Tokens; cached Tokens of frozen encoders pass through, those of frozen
        stages go through the rest of theirs.

        Args:
            present: as :class:`Batch` has it. What stands in the place of an absent item goes into no encoder: batch
                normalisation would mix it into those of the others.
        """
        tokens: dict[str, Tokens] = {}
        for modality, encoder in self.encoders.items():
            raw, here = inputs[modality], (present or {}).get(modality)
            image = tokens.get("image") if _uses_visual(encoder) and not isinstance(raw, Tokens) else None
            if here is not None and not here.any():
                tokens[modality] = _nothing(here, width_of(encoder))
                continue
            visual = None if image is None else masked_mean(image.values, image.mask)
            if here is not None:
                raw, visual = _rows(raw, here), None if visual is None else visual[here]
            found = self.encode_one(modality, raw) if visual is None else encoder(raw, visual=visual)
            tokens[modality] = found if here is None else found.spread(here)
        return tokens

    def encode_one(self, modality: str, raw: Any) -> Tokens:
        """One modality's raw input, cached Tokens or features to Tokens; no other modality is seen."""
        encoder = self.encoders[modality]
        if isinstance(raw, Tokens) and not reads_features(getattr(self.system, ENCODER_SLOTS[modality]), modality):
            return raw if encoder.frozen else cast(Tokens, cast(Any, encoder).after_cut(raw))
        tokens: Tokens = encoder(raw)
        return tokens

    def own_embeddings(
        self, inputs: Mapping[str, Any], tokens: Mapping[str, Tokens], present: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Each modality's embedding (B, d) from that modality alone."""
        found = {}
        for modality, encoder in self.encoders.items():
            alone = tokens[modality]
            if _uses_visual(encoder):
                alone = encoder(inputs[modality])
                here = (present or {}).get(modality)
                alone = alone if here is None else replace(alone, mask=alone.mask & here[:, None])
            found[modality] = self.own_projection[modality](masked_mean(alone.values, alone.mask))
        return found

    def forward(self, batch: Batch, *, keep_attention: bool = False) -> Output:
        """Score a batch. ``keep_attention`` fills ``Output.attention``."""
        tokens = self.encode(batch.inputs, batch.present)
        weights: dict[str, Tensor] | None = {} if keep_attention else None
        attended = self.attention(tokens, weights)
        vectors = {}
        for modality, pool in self.pooling.items():
            context = {m: t for m, t in attended.items() if m != modality}
            vectors[modality] = self.projection[modality](pool(attended[modality], context))
        if self.fitter is not None:
            found = self.fitter(vectors)
            return Output(None, found, vectors, codes=dict(found) if self.gives_codes else None)
        if self.cross_modal:
            embeddings = self.own_embeddings(batch.inputs, tokens, batch.present)
        else:
            embeddings = {m: ranked_by(self, m, v) for m, v in vectors.items()}
        for modality, learned in self.absent.items():
            here, vector = tokens[modality].mask.any(1, keepdim=True), vectors[modality]
            vectors[modality] = torch.where(here, vector, learned.to(vector.dtype))
        joint = self._join(vectors, tokens)
        if self.training and joint is not None and isinstance(self.head, Head) and _observes(self.head):
            with torch.no_grad():
                self.head.observe(self.whole(joint.detach()), self.whole(batch.labels))
        output = Output(None, embeddings, vectors, joint, attention=weights or {})
        if self.scorer is not None:
            output.sides = {m: self.scorer.embed(m, attended[m]) for m in ("image", "text")}
            if self.training:
                output.scores = self.scorer.score(output.sides["image"], output.sides["text"])
        if self.training and isinstance(self.fusion, Fusion) and self.fusion_facts["compares"]:
            output.compared = self.fusion.compare(vectors, _present(tokens))
        if self.head is None:
            return output
        seen: list[Any] = [] if joint is None else [self.dropout(joint)]
        if "vectors" in self.head_reads:
            output.present = _present(tokens)
            seen += [{m: self.dropout(v) for m, v in vectors.items()}, output.present, output.parts]
        output.logits = self.head(*seen)
        return output

    def _join(self, vectors: Mapping[str, Tensor], tokens: Mapping[str, Tokens]) -> Tensor | None:
        if "joint" not in self.head_reads:
            return None
        if self.fusion is None:
            return next(iter(vectors.values()))
        seen: list[Any] = [tokens] if self.fusion_facts["needs_tokens"] else []
        joint: Tensor = self.fusion(vectors, *seen, *([_present(tokens)] if self.fusion_facts["compares"] else []))
        return joint

    def parameter_counts(self) -> dict[str, int]:
        """``total`` and ``trained`` numbers of parameters; a fitter's are all trained, whatever keeps them."""
        trained = sum(p.numel() for p in self.parameters() if p.requires_grad)
        fitted = 0 if self.fitter is None else sum(b.numel() for b in self.fitter.buffers())
        return {"total": fitted + sum(p.numel() for p in self.parameters()), "trained": fitted + trained}


def ranked_by(model: Model, modality: str, vector: Tensor) -> Tensor:
    """Return the vector that retrieval ranks for a modality: its own, or the fusion's transform of it alone."""
    return model.fusion.embed(modality, vector) if isinstance(model.fusion, Fusion) else vector


def _present(tokens: Mapping[str, Tokens]) -> dict[str, Tensor]:
    return {m: t.mask.any(1) for m, t in tokens.items()}


def _observes(head: Head) -> bool:
    return type(head).observe is not Head.observe


def _unchanged(rows: Tensor) -> Tensor:
    return rows


def _rows(raw: Any, here: Tensor) -> Any:
    """Return some items of a raw input or of cached Tokens."""
    return raw[here] if isinstance(raw, Tensor) else raw.take(here)


def _nothing(here: Tensor, dim: int) -> Tokens:
    """Return sets of one masked token, one set per item."""
    return Tokens(torch.zeros(len(here), 1, dim, device=here.device), torch.zeros_like(here)[:, None])


def build_encoder(slot: str, spec: Spec, **wired: Any) -> nn.Module:
    """One encoder of a slot, from its spec."""
    module: nn.Module = registry_of(slot).build(spec.name, spec.options, **wired)
    return module


def pooled_alone(system: System) -> set[str]:
    """Modalities whose tokens go into a fixed pooling and nowhere else: frozen ones can be pooled once.

    Not where attention, a scorer of pairs, another modality's pooling or the fusion sees the tokens.
    """
    sees_tokens = system.fusion is not None and FUSIONS.get(system.fusion.name).facts["needs_tokens"]
    if system.attention.name != "none" or sees_tokens or system.scorer is not None or is_cross_modal(system):
        return set()
    return {m for m, spec in system.pooling.items() if POOLINGS.get(spec.name).facts["fixed"]}


def reads_features(spec: Spec, modality: str) -> bool:
    """Whether an encoder takes the dataset's precomputed features instead of the raw modality."""
    return bool(registry_of(ENCODER_SLOTS[modality]).get(spec.name).facts["reads"] == "features")


def width_of(module: nn.Module) -> int:
    """``dim_out`` of a component.

    Raises: ComponentError where it has none.
    """
    return _promised(module, getattr(module, "dim_out", None), "dim_out, the width of what it returns,")


def _promised(module: nn.Module, width: Any, what: str) -> int:
    if not isinstance(width, Integral) or width < 1:
        raise ComponentError(f"{described(module)} must set {what} to a whole number > 0; it is {width!r}.")
    return int(width)


def is_cross_modal(system: System) -> bool:
    """Whether attention or pooling lets one modality see another."""
    if len(system.modalities) < 2:
        return False
    if ATTENTIONS.get(system.attention.name).facts["cross_modal"]:
        return True
    return any(POOLINGS.get(s.name).facts["cross_modal"] for s in system.pooling.values())


def _uses_visual(encoder: nn.Module) -> bool:
    return bool(getattr(encoder, "uses_visual", False))
