"""Attention between documents (AMIR): a text asks, images and sounds of all candidates answer."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from vsebench.components.fusion.base import Fusion
from vsebench.core.registry import FUSIONS
from vsebench.core.types import DocumentAttention
from vsebench.ops.masking import masked_softmax

ASKS = "text"


@FUSIONS.register("amir", source="AMIR, its adaptors, projections and joint representation; methods 6.1", compares=True)
class AMIR(Fusion):
    """Weigh images and sounds by how well they answer the text, compared with those of other documents.

        h^b = E_b x^b                                            b one of text, image, audio; x^b its descriptor
        s_i = W_a h_i^text,  t_j^b = W_b h_j^b                   queries and keys in one shared space
        α_ij^b = softmax_j(⟨s_i, t_j^b⟩ / τ)                     over the documents j that have modality b
        pair:        H_i = U [h_i^text; n α_ii^image h_i^image; n α_ii^audio h_i^audio]
        aggregated:  H_i = U [h_i^text; Σ_j α_ij^image h_j^image; Σ_j α_ij^audio h_j^audio]

    n is the number of documents that j runs over, so that a document whose keys are as good an answer as the average
    has the weight 1. In training j runs over the batch. In evaluation it runs over the document itself and the last
    ``candidates`` - 1 training documents that had the modality, kept with the weights: what is said of a document does
    not depend on the others that are evaluated with it, nor on their order.

    What a document lacks is masked, never filled in: nobody attends to it, and its own part of H is zero (aggregated:
    what its text gathers of others). A document without text asks nothing: its own keys count as they are, α = 1. A
    system without text has neither queries nor shared projections, and H = U [h^image; h^audio].

    What retrieval ranks are s of texts and t of images, each from one modality alone.

    Differs from the source: it gives no formula for a document's class (methods 6.1); here the pair
    of a document with itself decides, because the aggregated form sees a document's own image only as far as its text
    tells it from 63 others. Candidates in evaluation are training documents, not the list that is ranked; before the
    first batch they are random.

    Args:
        dims: size of each modality's descriptor, C_b (wired).
        dim_out: C, size of queries and keys before the shared space (wired).
        form: ``pair`` or ``aggregated``.
        dim_shared: B, size of the shared space, > 0; null for 2 C. The source wants C < B < A.
        dim_joint: A, size of H, > 0; null for 4 C. The source wants it to exceed the sum of the modalities' C.
        temperature: τ > 0; null for √B. The source has none: 1.
        rescale: whether α is multiplied by n in the pair form; the source's formula has no n.
        candidates: how many documents j runs over in evaluation, > 1; the batch's size suits.

    Shape: {m: (B, C_m)}, present {m: bool (B,)} -> (B, A).

    Example:
        >>> AMIR({"image": 6, "text": 5}, 4).dim_out
        16
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        dim_out: int,
        *,
        form: Literal["pair", "aggregated"] = "pair",
        dim_shared: Annotated[int, Gt(0)] | None = None,
        dim_joint: Annotated[int, Gt(0)] | None = None,
        temperature: Annotated[float, Gt(0)] | None = None,
        rescale: bool = True,
        candidates: Annotated[int, Ge(2)] = 64,
    ) -> None:
        super().__init__()
        shared, joint = dim_shared or 2 * dim_out, dim_joint or 4 * dim_out
        if not dim_out < shared < joint or joint <= dim_out * len(dims):
            warnings.warn(
                f"fusion 'amir': sizes {dim_out} (query and key), {shared} (shared), {joint} (joint) do not grow as in "
                "its source, or the joint one is not larger than all queries and keys together.",
                stacklevel=2,
            )
        self.dim_out, self.dim_shared = joint, shared
        self.form, self.rescale = form, rescale
        self.temperature = math.sqrt(shared) if temperature is None else temperature
        self.asks = ASKS in dims
        self.keys = tuple(m for m in dims if m != ASKS) if self.asks else ()
        self.adaptors = nn.ModuleDict({m: nn.Linear(d, dim_out, bias=False) for m, d in dims.items()})
        if self.asks:
            self.query = nn.Linear(dim_out, shared, bias=False)
            self.key = nn.Linear(dim_out, shared, bias=False)
        for modality in self.keys:
            self.register_buffer(f"kept_{modality}", torch.randn(candidates - 1, dims[modality]))
        self.join = nn.Linear(dim_out * len(dims), joint, bias=False)

    def forward(self, vectors: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:  # type: ignore[override]
        """Fuse."""
        adapted = self._adapted(vectors, present)
        parts = [self._read(m, adapted, present) if m in self.keys else current for m, current in adapted.items()]
        if self.training:
            self._keep(vectors, present)
        joint: Tensor = self.join(torch.cat(parts, -1))
        return joint

    def compare(self, vectors: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> DocumentAttention | None:
        """Return queries and keys of a batch's documents; None in a system without text."""
        if not self.asks:
            return None
        adapted = self._adapted(vectors, present)
        return DocumentAttention(
            query=self.query(adapted[ASKS]),
            asks=present[ASKS],
            keys={m: self.key(adapted[m]) for m in self.keys},
            has={m: present[m] for m in self.keys},
            matrices={"query": self.query.weight, "key": self.key.weight},
            temperature=self.temperature,
        )

    def embed(self, modality: str, vector: Tensor) -> Tensor:
        """s of a text, t of an image or a sound."""
        if not self.asks:
            return vector
        result: Tensor = (self.query if modality == ASKS else self.key)(self.adaptors[modality](vector))
        return result

    def embedding_dim(self, dim: int) -> int:
        """B, or the descriptor's own size in a system without text."""
        return self.dim_shared if self.asks else dim

    def _adapted(self, vectors: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """h of every modality, zeros where a document lacks it."""
        clean = {m: vectors[m].masked_fill(~present[m][:, None], 0.0) for m in self.adaptors}
        return {m: adaptor(clean[m]) for m, adaptor in self.adaptors.items()}

    def _read(self, modality: str, adapted: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """Return a key modality's part of H. Shape: -> (B, C)."""
        vectors, here, asks = adapted[modality], present[modality][:, None], present[ASKS][:, None]
        query, key = self.query(adapted[ASKS]), self.key(vectors)
        if self.training:
            others, logits, allowed = vectors, query @ key.T, here.T & asks
        else:
            others = self.adaptors[modality](getattr(self, f"kept_{modality}"))
            logits = torch.cat([(query * key).sum(-1, keepdim=True), query @ self.key(others).T], -1)
            allowed = torch.cat([here, here.new_ones(len(here), len(others))], -1) & asks
        weights = masked_softmax(logits / self.temperature, allowed)  # (B, B), or (B, 1 + kept): itself comes first
        itself = weights.diagonal()[:, None] if self.training else weights[:, :1]
        if self.form == "aggregated":
            read = weights @ others if self.training else itself * vectors + weights[:, 1:] @ others
        else:
            read = itself * (allowed.sum(1, keepdim=True) if self.rescale else 1) * vectors
        return torch.where(asks, read, vectors)

    @torch.no_grad()
    def _keep(self, vectors: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> None:
        """Put the batch's documents in the place of the oldest candidates."""
        for modality in self.keys:
            selected: Tensor = getattr(self, f"kept_{modality}")
            selected.copy_(torch.cat([selected, vectors[modality][present[modality]].to(selected)])[-len(selected) :])
