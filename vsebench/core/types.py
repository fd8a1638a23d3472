"""The few types that everything speaks. Torch is named here for type checkers only, never imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

#: The modality names, in the order in which they are listed, concatenated and shown.
MODALITIES = ("image", "text", "audio")
#: The gallery of an experiment whose queries are ranked against their own split.
OWN_SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Tokens:
    """A modality as a set of vectors: regions of a feature map, patches, words, frames.

    Args:
        values: float (B, N, D).
        mask: bool (B, N), True where a token is real. Values at False positions have no meaning.
        final: (B, D), the encoder's own summary where it has one that is not a token (a recurrent network's
            final state, both directions). Attention that changes the tokens drops it.
        grid: (h, w) when the last h·w tokens lie on a grid, row-major; tokens before them are prefix tokens
            such as a ViT's class token.
    """

    values: Tensor
    mask: Tensor
    final: Tensor | None = None
    grid: tuple[int, int] | None = None

    @property
    def dim(self) -> int:
        """D, the size of one token."""
        return int(self.values.shape[-1])

    def with_values(self, values: Tensor) -> Tokens:
        """Return the same set with other vectors; ``final`` no longer describes them and is dropped."""
        return replace(self, values=values, final=None)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Tokens:
        """Move to a device; floating parts to ``dtype`` as well."""
        final = None if self.final is None else self.final.to(device, dtype)
        return Tokens(self.values.to(device, dtype), self.mask.to(device), final, self.grid)

    def take(self, rows: Tensor) -> Tokens:
        """Return some of the items; ``rows`` are positions, or bool (B,)."""
        return Tokens(self.values[rows], self.mask[rows], None if self.final is None else self.final[rows], self.grid)

    def scatter(self, present: Tensor) -> Tokens:
        """Return the sets of the present items among those that are absent, which have no real token. Inverse of
        ``take``.
        """
        whole = [self._spread(part, present) for part in (self.values, self.mask)]
        return Tokens(whole[0], whole[1], None if self.final is None else self._spread(self.final, present), self.grid)

    @staticmethod
    def _spread(part: Tensor, present: Tensor) -> Tensor:
        whole = part.new_zeros(len(present), *part.shape[1:])
        whole[present] = part
        return whole


@dataclass(frozen=True, slots=True)
class TokenIds:
    """Raw text input.

    Args:
        ids: int64 (B, N).
        mask: bool (B, N), True where a word is real; real words come first.
        bag: float (B, V), a weighted bag of words, from the tokenizers that make one.
    """

    ids: Tensor
    mask: Tensor
    bag: Tensor | None = None

    def to(self, device: torch.device | str) -> TokenIds:
        """Move to a device."""
        bag = None if self.bag is None else self.bag.to(device)
        return TokenIds(self.ids.to(device), self.mask.to(device), bag)

    def take(self, rows: Tensor) -> TokenIds:
        """Return some of the texts; ``rows`` are positions, or bool (B,)."""
        return TokenIds(self.ids[rows], self.mask[rows], None if self.bag is None else self.bag[rows])


@dataclass(frozen=True, slots=True)
class Waveforms:
    """Raw audio input: mono sounds of one sample rate.

    Args:
        values: float32 (B, T). Values from ``lengths`` on have no meaning.
        lengths: int64 (B,), number of samples of each sound; 0 where there is none.
    """

    values: Tensor
    lengths: Tensor

    def to(self, device: torch.device | str) -> Waveforms:
        """Move to a device."""
        return Waveforms(self.values.to(device), self.lengths.to(device))

    def take(self, rows: Tensor) -> Waveforms:
        """Return some of the sounds; ``rows`` are positions, or bool (B,)."""
        return Waveforms(self.values[rows], self.lengths[rows])


@dataclass(frozen=True, slots=True)
class Batch:
    """What the model and the objectives see of some items.

    Args:
        inputs: modality name → raw input: image pixels uint8 (B, 3, H, W), text :class:`TokenIds`, or the cached
            :class:`Tokens` of a frozen encoder, audio :class:`Waveforms`.
        labels: int64 (B,) class numbers, or float (B, K) zeros and ones for multi-label data.
        positions: int64 (B,), the items' positions in the dataset file.
        groups: int64 (B,), equal for items that show the same thing (views of one product); items of one group
            are not negatives of each other.
        present: modality → bool (B,), False where an item lacks it, of the modalities that some item of the batch
            lacks. What stands in ``inputs`` there has no meaning.
    """

    inputs: Mapping[str, Any]
    labels: Tensor
    positions: Tensor
    groups: Tensor
    present: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.positions.shape[0])


@dataclass(frozen=True, slots=True)
class DocumentAttention:
    """How a fusion compares the documents of a batch with each other.

    Args:
        query: (B, S), what each document asks by.
        asks: bool (B,), False where a document has nothing to ask by.
        keys: modality → (B, S), what may answer.
        has: modality → bool (B,), False where a document lacks it.
        matrices: name → (S, C), the projections that made queries and keys.
        temperature: divides the inner products of queries and keys in the softmax over the documents.
    """

    query: Tensor
    asks: Tensor
    keys: Mapping[str, Tensor]
    has: Mapping[str, Tensor]
    matrices: Mapping[str, Tensor]
    temperature: float


@dataclass(slots=True)
class Output:
    """What a model says of a batch. Parts that a system does not have are None or empty.

    Args:
        logits: (B, C).
        embeddings: modality → (B, E), each computed from that modality alone, so that they can be ranked.
        vectors: modality → (B, D_m), what fusion saw (may have seen the other modality).
        joint: (B, D), the fused vector.
        codes: modality → (B, bits).
        pair_inputs: modality → Tokens, what a pairwise scorer keeps of each item.
        scores: (B, B), a pairwise scorer's scores of every image with every text; in training only.
        attention: name → weights; filled only when asked for.
        parts: name → (B, C), the logits of the classifiers that a head combines: one per modality, and ``joint``.
        present: modality → bool (B,), False where an item has no real token of it; given with ``parts``.
        document_attention: how the fusion compared the batch's documents, where it does; in training only.
    """

    logits: Tensor | None = None
    embeddings: dict[str, Tensor] = field(default_factory=dict)
    vectors: dict[str, Tensor] = field(default_factory=dict)
    joint: Tensor | None = None
    codes: dict[str, Tensor] | None = None
    pair_inputs: dict[str, Tokens] = field(default_factory=dict)
    scores: Tensor | None = None
    attention: dict[str, Tensor] = field(default_factory=dict)
    parts: dict[str, Tensor] = field(default_factory=dict)
    present: dict[str, Tensor] = field(default_factory=dict)
    document_attention: DocumentAttention | None = None


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How an image encoder wants its pixels.

    Args:
        size: (H, W) in pixels.
        mean, std: per channel, for pixels in [0, 1]. Applied inside the encoder, on the device.
        interpolation: ``bilinear``, ``bicubic`` or ``nearest``.
        fit: ``stretch`` (resize both sides), ``crop`` (resize the short side, cut the centre) or ``pad``
            (resize the long side, pad with the edge's mean colour).
        share: of the short side that ``crop`` cuts, in (0, 1], as weights were evaluated (timm's ``crop_pct``).
    """

    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    fit: str = "stretch"
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class AudioPreprocessing:
    """How an audio encoder wants its sounds.

    Args:
        sample_rate: in Hz.
        max_seconds: samples after it are cut.
        highpass: in Hz; what lies below is damped before the encoder sees it. None leaves it.
    """

    sample_rate: int = 16_000
    max_seconds: float = 10.0
    highpass: float | None = None


@dataclass(frozen=True)
class Result:
    """One run that ended, as plain data that goes to JSON and comes back equal.

    ``metrics`` has full keys: ``val/accuracy``, ``test/i2t/recall@10``. Sizes in items, times in seconds.
    """

    run_id: str
    experiment: str
    system: str
    seed: int
    status: str  # "finished" | "failed" | "pruned" (stopped early: metrics has its best validation value only)
    config: Mapping[str, Any]
    dataset: Mapping[str, Any]  # name, title, fingerprint, splits {name: size}, num_classes, …
    metrics: Mapping[str, float] = field(default_factory=dict)
    metric_versions: Mapping[str, int] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)  # total, trained
    train_s: float = 0.0  # its epochs, validation included
    other_s: float = 0.0  # building, encoding, evaluating; of a continued run, the last time
    epochs: int = 0
    best_epoch: int = 0
    test_evaluations: int = 0
    ranking: Mapping[str, Any] = field(default_factory=dict)  # by: in words; ms_per_query of test
    curves: Mapping[str, Any] = field(default_factory=dict)  # of test's codes, by direction: lookup, topn
    versions: Mapping[str, str] = field(default_factory=dict)
    hub: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # slot -> model, commit: what the hub gave
    hardware: Mapping[str, Any] = field(default_factory=dict)
    commit: str | None = None
    code: str = ""  # digest of the code that made it: a check, no part of the id
    finished_at: str = ""
    notes: Sequence[str] = ()
    error: str | None = None
