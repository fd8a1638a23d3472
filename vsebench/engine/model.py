"""A system's components wired into one module. The one place where dimensions meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsebench.components.attention.base import Attention
from vsebench.components.encoder.base import Encoder, Encoders
from vsebench.components.fitter.base import Fitter
from vsebench.components.fusion.base import Fusion
from vsebench.components.head.base import Head
from vsebench.components.reranker.base import Reranker
from vsebench.components.scorer.base import Scorer
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
    Registry,
    registry_of,
)
from vsebench.core.types import Batch, Output, Tokens
from vsebench.engine.feature_plan import feature_plans, is_cross_modal
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
        classes = {"num_classes": num_classes, "multi_label": multi_label}
        # Each part draws its weights from torch's generator: their order is a part of what a seed means.
        self.encoders = self._encoders(vocabulary, checkpoints or {}, feature_dims or {})
        self.plans = feature_plans(system, self.encoders)
        token_dims = {m: width_of(e) for m, e in self.encoders.items()}
        self.attention: Attention = built(ATTENTIONS, system.attention, dims=token_dims, dim=system.dim)
        dims = self._attended_dims()
        self.pooling = self._poolings(dims)
        pooled = {m: width_of(pool) for m, pool in self.pooling.items()}
        self.projection = nn.ModuleDict({m: self._projection(width) for m, width in pooled.items()})
        self.dims = {m: pooled[m] if system.projection is None else width_of(p) for m, p in self.projection.items()}
        self.fitter: Fitter | None = None
        if system.fitter is not None:
            self.fitter = built(FITTERS, system.fitter, dims=pooled, **classes)
            self.gives_codes = bool(FITTERS.get(system.fitter.name).facts["codes"])
            self.dims = dict.fromkeys(pooled, width_of(self.fitter))
        self.cross_modal = is_cross_modal(system) or any(e.uses_visual for e in self.encoders.values())
        seen = token_dims if self.cross_modal else {}
        self.own_projection = nn.ModuleDict({m: nn.Linear(width, system.dim) for m, width in seen.items()})
        self.fusion: Fusion | None = None
        if system.fusion is not None:
            self.fusion_facts = FUSIONS.get(system.fusion.name).facts
            wired = {"dims": self.dims, "dim_out": system.dim, "token_dims": token_dims}
            self.fusion = built(FUSIONS, system.fusion, **wired)
        self.dropout = nn.Dropout(system.dropout)
        self.head_reads: tuple[str, ...] = ()
        self.head: Head | None = None
        if system.head is not None:
            joint = self.dims[system.modalities[0]] if self.fusion is None else width_of(self.fusion)
            self.head_reads = HEADS.get(system.head.name).facts["reads"]
            self.head = built(HEADS, system.head, dim_in=joint, dims=dict(self.dims), **classes)
        if system.scorer is not None and self.cross_modal:
            raise ConfigError("a scorer of pairs needs text that has not seen an image: visual: false.")
        scorer, reranker = system.scorer, system.reranker
        self.scorer: Scorer | None = None if scorer is None else built(SCORERS, scorer, dims=dims, dim=system.dim)
        self.reranker: Reranker | None = None if reranker is None else built(RERANKERS, reranker)
        # Drawn after all else: the other weights are those of the system without them. Of length 1, where a fusion
        # that normalises has finite gradients; at zero it has none.
        missing = self.dims if system.absent == "learned" else {}
        self.absent = nn.ParameterDict(
            {m: nn.Parameter(F.normalize(torch.randn(d), dim=0)) for m, d in missing.items()}
        )

    def _encoders(self, vocabulary: Any, checkpoints: Mapping[str, Path], feature_dims: Mapping[str, int]) -> Encoders:
        encoders = Encoders()
        for modality in self.system.modalities:
            encoder = built(
                registry_of(ENCODER_SLOTS[modality]),
                self.system.encoder(modality),
                vocabulary=vocabulary,
                checkpoint=checkpoints.get(ENCODER_SLOTS[modality]),
                feature_dim=feature_dims.get(modality),
                visual_dim=encoders["image"].dim_out if "image" in encoders else None,
            )
            if not isinstance(encoder, Encoder):
                raise ComponentError(
                    f"{described(encoder)} must be a subclass of vsebench.{modality.capitalize()}Encoder, which says "
                    "what of it is computed once."
                )
            encoders[modality] = encoder
        return encoders

    def _attended_dims(self) -> dict[str, int]:
        """Sizes of the tokens after attention."""
        dims = getattr(self.attention, "dims_out", {})
        return {m: _promised(self.attention, dims.get(m), f"dims_out['{m}']") for m in self.system.modalities}

    def _poolings(self, dims: Mapping[str, int]) -> nn.ModuleDict:
        poolings = nn.ModuleDict()
        for modality, spec in () if self.system.scores_alone else self.system.pooling.items():
            context = {m: d for m, d in dims.items() if m != modality}
            poolings[modality] = built(POOLINGS, spec, modality=modality, dim=dims[modality], context=context)
        return poolings

    def _projection(self, dim: int) -> nn.Module:
        """From a pooled vector to v or t in R^d; the pooled vector itself without a projection."""
        spec = self.system.projection
        if spec is None:
            return nn.Identity()
        projection: nn.Module = built(PROJECTIONS, spec, dim=dim, dim_out=self.system.dim, dropout=self.system.dropout)
        return projection

    @property
    def device(self) -> torch.device:
        """Where its parameters are, or its buffers: a fitter over precomputed features has no parameter."""
        return next((t.device for t in (*self.parameters(), *self.buffers())), torch.device("cpu"))

    @property
    def origins(self) -> dict[str, dict[str, str]]:
        """Where the encoders' weights come from that the hub has: slot -> ``model``, ``commit``."""
        return {ENCODER_SLOTS[m]: dict(e.origin) for m, e in self.encoders.items() if e.origin}

    @property
    def frozen(self) -> dict[str, Encoder]:
        """The encoders whose Tokens can be computed once: modality -> module."""
        return {m: e for m, e in self.encoders.items() if e.frozen and not e.uses_visual}

    def encode(self, inputs: Mapping[str, Any], present: Mapping[str, Tensor] | None = None) -> dict[str, Tokens]:
        """Raw inputs and precomputed features to Tokens; cached Tokens of frozen encoders pass through, those of frozen
        stages go through the rest of theirs.

        Args:
            inputs: modality -> raw inputs, features or cached Tokens.
            present: as :class:`Batch` has it. What stands in the place of an absent item goes into no encoder: batch
                normalisation would mix it into those of the others.
        """
        tokens: dict[str, Tokens] = {}
        for modality, encoder in self.encoders.items():
            raw, here = inputs[modality], (present or {}).get(modality)
            image = tokens.get("image") if encoder.uses_visual and not isinstance(raw, Tokens) else None
            if here is not None and not here.any():
                tokens[modality] = _nothing(here, width_of(encoder))
                continue
            visual = None if image is None else masked_mean(image.values, image.mask)
            if here is not None:
                raw, visual = _rows(raw, here), None if visual is None else visual[here]
            result = self.encode_one(modality, raw) if visual is None else encoder(raw, visual=visual)
            tokens[modality] = result if here is None else result.scatter(here)
        return tokens

    def encode_one(self, modality: str, raw: Any) -> Tokens:
        """One modality's raw input, cached Tokens or features to Tokens; no other modality is seen."""
        encoder = self.encoders[modality]
        keep = isinstance(raw, Tokens) and self.plans[modality].mode != "features"
        tokens: Tokens = encoder.rest(raw) if keep else encoder(raw)
        return tokens

    def own_embeddings(
        self, inputs: Mapping[str, Any], tokens: Mapping[str, Tokens], present: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Each modality's embedding (B, d) from that modality alone."""
        results = {}
        for modality, encoder in self.encoders.items():
            alone = tokens[modality]
            if encoder.uses_visual:
                alone = encoder(inputs[modality])
                here = (present or {}).get(modality)
                alone = alone if here is None else replace(alone, mask=alone.mask & here[:, None])
            results[modality] = self.own_projection[modality](masked_mean(alone.values, alone.mask))
        return results

    def vector(self, modality: str, attended: Mapping[str, Tokens]) -> Tensor:
        """Pool and project one modality's tokens. Shape: -> (B, D_m)."""
        context = {m: t for m, t in attended.items() if m != modality}
        vector: Tensor = self.projection[modality](self.pooling[modality](attended[modality], context))
        return vector

    def forward(self, batch: Batch, *, keep_attention: bool = False) -> Output:
        """Score a batch. ``keep_attention`` fills ``Output.attention``."""
        tokens = self.encode(batch.inputs, batch.present)
        weights: dict[str, Tensor] | None = {} if keep_attention else None
        attended = self.attention(tokens, weights)
        vectors = {modality: self.vector(modality, attended) for modality in self.pooling}
        if self.fitter is not None:
            embeddings = self.fitter(vectors)
            return Output(None, embeddings, vectors, codes=dict(embeddings) if self.gives_codes else None)
        if self.cross_modal:
            embeddings = self.own_embeddings(batch.inputs, tokens, batch.present)
        else:
            embeddings = {m: ranked_by(self, m, v) for m, v in vectors.items()}
        self._fill_absent(vectors, tokens)
        joint = self._join(vectors, tokens)
        self._observe(joint, batch.labels)
        output = Output(None, embeddings, vectors, joint, attention=weights or {})
        self._score_pairs(output, attended)
        if self.training and self.fusion is not None and self.fusion_facts["compares"]:
            output.document_attention = self.fusion.compare(vectors, _present(tokens))
        self._classify(output, tokens)
        return output

    def _fill_absent(self, vectors: dict[str, Tensor], tokens: Mapping[str, Tokens]) -> None:
        """Put the learned vectors in the place of those of sets without a real token."""
        for modality, learned in self.absent.items():
            here, vector = tokens[modality].mask.any(1, keepdim=True), vectors[modality]
            vectors[modality] = torch.where(here, vector, learned.to(vector.dtype))

    def _observe(self, joint: Tensor | None, labels: Tensor) -> None:
        """Show a head that keeps statistics the training items of all processes."""
        observes = self.head is not None and type(self.head).observe is not Head.observe
        if self.training and joint is not None and self.head is not None and observes:
            with torch.no_grad():
                self.head.observe(self.whole(joint.detach()), self.whole(labels))

    def _score_pairs(self, output: Output, attended: Mapping[str, Tokens]) -> None:
        if self.scorer is None:
            return
        output.pair_inputs = {m: self.scorer.embed(m, attended[m]) for m in ("image", "text")}
        if self.training:
            output.scores = self.scorer.score(output.pair_inputs["image"], output.pair_inputs["text"])

    def _classify(self, output: Output, tokens: Mapping[str, Tokens]) -> None:
        if self.head is None:
            return
        seen: list[Any] = [] if output.joint is None else [self.dropout(output.joint)]
        if "vectors" in self.head_reads:
            output.present = _present(tokens)
            seen += [{m: self.dropout(v) for m, v in output.vectors.items()}, output.present, output.parts]
        output.logits = self.head(*seen)

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
    return vector if model.fusion is None else model.fusion.embed(modality, vector)


def _present(tokens: Mapping[str, Tokens]) -> dict[str, Tensor]:
    return {m: t.mask.any(1) for m, t in tokens.items()}


def _unchanged(rows: Tensor) -> Tensor:
    return rows


def _rows(raw: Any, here: Tensor) -> Any:
    """Return some items of a raw input or of cached Tokens."""
    return raw[here] if isinstance(raw, Tensor) else raw.take(here)


def _nothing(here: Tensor, dim: int) -> Tokens:
    """Return sets of one masked token, one set per item."""
    return Tokens(torch.zeros(len(here), 1, dim, device=here.device), torch.zeros_like(here)[:, None])


def built(registry: Registry, spec: Spec, **wired: Any) -> Any:
    """Build a component from its spec."""
    return registry.build(spec.name, spec.options, **wired)


def width_of(module: nn.Module) -> int:
    """``dim_out`` of a component.

    Raises: ComponentError where it has none.
    """
    return _promised(module, getattr(module, "dim_out", None), "dim_out, the width of what it returns,")


def _promised(module: nn.Module, width: Any, what: str) -> int:
    if not isinstance(width, Integral) or width < 1:
        raise ComponentError(f"{described(module)} must set {what} to a whole number > 0; it is {width!r}.")
    return int(width)
