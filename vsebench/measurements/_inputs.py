"""A split's inputs with one modality changed: taken from other items, damaged, or left out.

Each function gives a feed like the one it is given, which stays as it was. What is damaged goes through frozen encoders
anew and is kept in memory alone: the cache of frozen features never sees it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vsebench.components.audio_encoder.base import AudioEncoder
from vsebench.components.corruption.base import generator_of
from vsebench.components.encoder.base import Encoders
from vsebench.components.image_encoder.base import ImageEncoder
from vsebench.components.text_encoder.base import TextEncoder
from vsebench.core.registry import CORRUPTIONS
from vsebench.core.types import Tokens, Waveforms
from vsebench.engine.encode_once import encoding
from vsebench.engine.feature_cache import TokenStore, digest_parts, tokens_in_memory
from vsebench.engine.inputs import Features, Pixels, Pooled, Sounds, Texts
from vsebench.engine.loader import Loader

#: Items whose features say how far each dimension spreads.
SPREAD_ITEMS = 2_000
#: What frozen encoders made of damaged splits is kept up to this many bytes, for the next run with such an encoder.
KEPT_BYTES = 256 << 20


@dataclass(frozen=True)
class Damage:
    """What is done to a modality: the name of a corruption, its strength, and the seed of all draws."""

    kind: str
    strength: float
    seed: int = 0


@dataclass(frozen=True)
class Permuted:
    """Another row's input in the place of each row's.

    Args:
        source: of the inputs themselves.
        order: int64 (rows,), whose input stands in a row's place.
    """

    source: Any
    order: np.ndarray

    def take(self, rows: np.ndarray) -> Any:
        """Return the inputs of some rows."""
        return self.source.take(self.order[rows])


def without(loader: Loader, modalities: Collection[str]) -> Loader:
    """Return the split as if no item had these modalities."""
    changed = copy.copy(loader)
    changed.missing = {**loader.missing, **{m: np.ones(len(loader), bool) for m in modalities}}
    return changed


def shuffled(loader: Loader, modality: str, seed: int) -> Loader:
    """Return the split with one modality of other items. Items that lack it still do, and nobody gets it from them.

    For what is decided of the first caption only: further captions stay where they are.
    """
    present = np.flatnonzero(~loader.missing[modality]) if modality in loader.missing else np.arange(len(loader))
    generator = generator_of(seed, 0, f"shuffle {modality}", 1.0)
    donors = np.arange(len(loader))
    donors[present] = present[derangement(loader.groups.numpy()[present], generator)]
    changed, source = copy.copy(loader), loader.sources[modality]
    order = donors
    if modality == "text":
        order = np.arange(loader.caption_offsets[-1])
        order[loader.caption_offsets[:-1]] = loader.caption_offsets[donors]
    changed.sources = {**loader.sources, modality: _reordered(source, order)}
    return changed


def derangement(groups: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw a random order in which no item has its own place, nor one of its group's where that is possible.

    Groups stand in a random order, the items of a group at random within it; each item gets that of the item which
    stands as many places further on as the largest group has items. Where one group holds more than half of all
    items, it is half of them.

    Args:
        groups: int64 (n,).
        generator: of the order.

    Shape: -> int64 (n,), a permutation; of one item the item itself.
    """
    count = len(groups)
    if count < 2:
        return np.arange(count)
    _, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    rank = generator.permutation(len(sizes))[inverse]
    standing = np.lexsort((generator.random(count), rank))
    result = np.empty(count, np.int64)
    result[standing] = np.roll(standing, -min(int(sizes.max()), count // 2))
    return result


class Damager:
    """Damages one split for one model.

    Args:
        loader: of the split.
        encoders: modality -> encoder, as the feed was made with.
    """

    def __init__(self, loader: Loader, encoders: Encoders) -> None:
        self.loader, self.encoders = loader, encoders
        self.clean: dict[str, Any] = {}

    def damaged(self, modality: str, damage: Damage) -> Loader:
        """Return the split with every item's input of one modality damaged."""
        changed, source = copy.copy(self.loader), self.loader.sources[modality]
        if isinstance(source, Features):
            result: Any = CorruptedFeatures(source, damage)
        elif isinstance(source, TokenStore | Pooled):
            result = _kept(self._key(modality, damage), lambda: self._encoded(modality, damage))
        else:
            result = self._raw(modality, damage)
        changed.sources = {**self.loader.sources, modality: result}
        return changed

    def _raw(self, modality: str, damage: Damage) -> Any:
        """Corrupt the inputs, before any encoder."""
        loader, encoder = self.loader, self.encoders[modality]
        if isinstance(encoder, TextEncoder):
            return Texts(_damaged_texts(loader, damage), encoder.tokenizer)
        if modality not in self.clean:  # decoded once for all strengths
            inputs = loader.sources[modality]
            if isinstance(inputs, Pixels | Sounds):
                self.clean[modality] = inputs
            elif isinstance(encoder, ImageEncoder):
                self.clean[modality] = Pixels(loader.dataset, loader.positions, encoder.preprocessing)
            else:
                assert isinstance(encoder, AudioEncoder), "no other modality is read"
                self.clean[modality] = Sounds(loader.dataset, loader.positions, encoder.sampling, loader.seconds)
        return (CorruptedPixels if modality == "image" else CorruptedSounds)(self.clean[modality], damage)

    def _encoded(self, modality: str, damage: Damage) -> TokenStore | Pooled:
        """Encode corrupted inputs with a frozen encoder, or its frozen part, as the feature cache would: the same
        batches, the same rounding.
        """
        loader, raw = self.loader, self._raw(modality, damage)
        plan, deterministic = loader.plans[modality], loader.system.train.deterministic
        missing = loader.lacking_rows(modality)
        with encoding(plan, self.encoders[modality], raw, missing, deterministic=deterministic) as batches:
            return loader.stored(modality, tokens_in_memory(batches(), plan.dtype))

    def _key(self, modality: str, damage: Damage) -> str:
        """Of what a damaged split is after a frozen encoder: what it depends on."""
        encoder, spec, plan = self.encoders[modality], self.loader.system.encoder(modality), self.loader.plans[modality]
        parts = {
            "dataset": self.loader.dataset.fingerprint,
            "positions": self.loader.positions.tolist(),
            "encoder": [modality, spec.name, spec.options],
            "weights": encoder.frozen_digest(),
            "input": encoder.input_digest(),
            "damage": [damage.kind, damage.strength, damage.seed],
            "pooled": None if plan.pooling is None else plan.pooling.model_dump(mode="json"),
            "dtype": plan.dtype,
        }
        return digest_parts(parts)


_MEMORY: dict[str, TokenStore | Pooled] = {}


def _kept(key: str, make: Callable[[], TokenStore | Pooled]) -> TokenStore | Pooled:
    """Keep what several runs with one frozen encoder share in this process's memory; the oldest is dropped first."""
    if key not in _MEMORY:
        _MEMORY[key] = make()
        while len(_MEMORY) > 1 and sum(map(_size, _MEMORY.values())) > KEPT_BYTES:
            del _MEMORY[next(iter(_MEMORY))]
    return _MEMORY[key]


def _size(selected: TokenStore | Pooled) -> int:
    return int(selected.values.nbytes)


def _damaged_texts(loader: Loader, damage: Damage) -> list[str]:
    change = CORRUPTIONS.build(damage.kind).text
    owners = np.repeat(np.arange(len(loader)), loader.captions_per_item)
    parts = np.arange(len(owners)) - loader.caption_offsets[owners]
    drawn = (_drawn(damage, loader.positions[row], int(part)) for row, part in zip(owners, parts, strict=True))
    return [change(text, *one) for text, one in zip(loader.captions, drawn, strict=True)]


class CorruptedPixels:
    """Pictures that are damaged once they have the size that the encoder wants."""

    def __init__(self, source: Pixels, damage: Damage) -> None:
        self.source, self.damage = source, damage

    def take(self, rows: np.ndarray) -> torch.Tensor:
        """Pixels of the rows, uint8 (B, 3, H, W)."""
        change = CORRUPTIONS.build(self.damage.kind).image
        clean, positions = self.source.take(rows).numpy(), self.source.positions
        results = [change(clean[i], *_drawn(self.damage, positions[row])) for i, row in enumerate(rows)]
        return torch.from_numpy(np.stack(results))


class CorruptedSounds:
    """Sounds that are changed over their real length, as the encoder hears them: resampled, cut and filtered."""

    def __init__(self, source: Sounds, damage: Damage) -> None:
        self.source, self.damage = source, damage

    def take(self, rows: np.ndarray) -> Waveforms:
        """Sounds of the rows, float32 (B, T)."""
        clean, change = self.source.take(rows), CORRUPTIONS.build(self.damage.kind).audio
        values = clean.values.numpy()
        for i, (row, length) in enumerate(zip(rows, clean.lengths.tolist(), strict=True)):
            drawn = _drawn(self.damage, self.source.positions[row])
            values[i, :length] = change(values[i, :length], *drawn)
        return Waveforms(torch.from_numpy(values), clean.lengths)


class CorruptedFeatures:
    """Precomputed features, changed with regard to each dimension's spread over (some of) the split's items."""

    def __init__(self, source: Features, damage: Damage) -> None:
        self.source, self.damage = source, damage
        some = np.unique(np.linspace(0, len(source.positions) - 1, SPREAD_ITEMS).astype(np.int64))
        values, _ = source.dataset.features(source.modality, source.positions[some])
        self.std = values.astype(np.float64).std(0)

    def take(self, rows: np.ndarray) -> Tokens:
        """Tokens of the rows, float32 (B, N, D)."""
        clean, change = self.source.take(rows), CORRUPTIONS.build(self.damage.kind).features
        values, counts = clean.values.numpy().copy(), clean.mask.sum(1).tolist()
        for i, (row, count) in enumerate(zip(rows, counts, strict=True)):
            strength, generator = _drawn(self.damage, self.source.positions[row])
            values[i, :count] = change(values[i, :count], strength, self.std, generator)
        return Tokens(torch.from_numpy(values), clean.mask, clean.final, clean.grid)


def _drawn(damage: Damage, position: int, part: int = 0) -> tuple[float, np.random.Generator]:
    return damage.strength, generator_of(damage.seed, int(position), damage.kind, damage.strength, part)


def _reordered(source: Any, order: np.ndarray) -> Any:
    """Return the source in another order; texts stay texts, so that batches are still sorted by length."""
    if not isinstance(source, Texts):
        return Permuted(source, order)
    result, index = copy.copy(source), torch.from_numpy(order)
    result.ids, result.mask, result.lengths = source.ids[index], source.mask[index], source.lengths[index]
    result.bag = None if source.bag is None else source.bag[index]
    return result
