"""Where a feed's batches come from: pixels, word ids, sounds and features of some items, decoded or read on demand."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from vsebench.config.schema import Spec
from vsebench.core.registry import POOLINGS
from vsebench.core.types import AudioPreprocessing, Preprocessing, TokenIds, Tokens, Waveforms
from vsebench.data.dataset import Dataset
from vsebench.data.sound import highpass
from vsebench.engine.feature_cache import TokenStore

#: Decoded pixels of a split, and its decoded sounds, are kept in memory up to this many bytes each; beyond it they are
#: decoded for each batch.
PIXEL_MEMORY = 2 << 30
ENCODE_BATCH = 64


class Pixels:
    """Decoded images of some items, uint8 (rows, 3, H, W): kept in memory when they fit, else decoded on demand. Black
    where an item has none."""

    def __init__(self, dataset: Dataset, positions: np.ndarray, preprocessing: Preprocessing) -> None:
        self.dataset, self.positions, self.preprocessing = dataset, positions, preprocessing
        self.present = dataset.has_image(positions)
        height, width = preprocessing.size
        self.cache: np.ndarray | None = None
        if len(positions) * 3 * height * width <= PIXEL_MEMORY:
            self.cache = np.zeros((len(positions), 3, height, width), np.uint8)
            self.ready = np.zeros(len(positions), bool)
        self.pool = ThreadPoolExecutor(max(1, torch.get_num_threads()))

    def take(self, rows: np.ndarray) -> torch.Tensor:
        """Pixels of the rows, uint8 (B, 3, H, W)."""
        if self.cache is None:
            return torch.from_numpy(np.stack(list(self.pool.map(self._decode, rows))))
        todo = np.unique(rows[~self.ready[rows]])
        for row, pixels in zip(todo, self.pool.map(self._decode, todo), strict=True):
            self.cache[row] = pixels
        self.ready[todo] = True
        return torch.from_numpy(self.cache[rows])

    def _decode(self, row: int) -> np.ndarray:
        if not self.present[row]:
            return np.zeros((3, *self.preprocessing.size), np.uint8)
        return self.dataset.image(int(self.positions[row]), self.preprocessing)


class Texts:
    """Word ids of some captions: (rows, longest), cut to the longest of a batch.

    Attributes:
        truncated: number of captions that are cut.
        unknown: number of captions of whose words a pretrained tokenizer knows none.
    """

    def __init__(self, texts: Sequence[str], tokenizer: Any) -> None:
        words: TokenIds = tokenizer(list(texts))
        self.ids, self.mask, self.bag = words.ids, words.mask, words.bag
        self.lengths = words.mask.sum(1)
        # Only texts of the greatest length can have been cut.
        longest = np.flatnonzero((self.lengths == self.lengths.max()).numpy()).tolist() if len(texts) else []
        self.truncated: int = tokenizer.truncated([texts[i] for i in longest])
        count = getattr(tokenizer, "unknown", None)
        self.unknown: int = count(words) if count is not None and len(texts) else 0

    def take(self, rows: np.ndarray) -> TokenIds:
        """Ids and mask of the rows."""
        index = torch.from_numpy(rows)
        longest = max(1, int(self.lengths[index].max()))
        bag = None if self.bag is None else self.bag[index]
        return TokenIds(self.ids[index, :longest], self.mask[index, :longest], bag)


class Sounds:
    """Decoded sounds of some items: kept in memory when they fit, else decoded on demand.

    Args:
        seconds: length of each item's sound, float64 (rows,), as :meth:`Dataset.sound_seconds` says; of an item with 0
            nothing is read.

    Attributes:
        cut: number of sounds that are longer than ``sampling.max_seconds``.
    """

    def __init__(
        self, dataset: Dataset, positions: np.ndarray, sampling: AudioPreprocessing, seconds: np.ndarray
    ) -> None:
        self.dataset, self.positions, self.sampling, self.seconds = dataset, positions, sampling, seconds
        self.cut = int((seconds > sampling.max_seconds).sum())
        samples = np.minimum(seconds, sampling.max_seconds).sum() * sampling.sample_rate
        self.cache: dict[int, np.ndarray] | None = {} if 4 * samples <= PIXEL_MEMORY else None
        self.pool = ThreadPoolExecutor(max(1, torch.get_num_threads()))

    def take(self, rows: np.ndarray) -> Waveforms:
        """Sounds of the rows, float32 (B, T), padded with zeros to the longest of them, which may have no sample."""
        if self.cache is None:
            results = list(self.pool.map(self._decode, rows))
        else:
            todo = [row for row in np.unique(rows).tolist() if row not in self.cache]
            self.cache.update(zip(todo, self.pool.map(self._decode, todo), strict=True))
            results = [self.cache[int(row)] for row in rows]
        values = np.zeros((len(rows), max((len(sound) for sound in results), default=0)), np.float32)
        for row, sound in zip(values, results, strict=True):
            row[: len(sound)] = sound
        return Waveforms(torch.from_numpy(values), torch.tensor([len(sound) for sound in results]))

    def _decode(self, row: int) -> np.ndarray:
        if not self.seconds[row]:
            return np.zeros(0, np.float32)
        return prepared(self.dataset.audio(int(self.positions[row]), self.sampling.sample_rate), self.sampling)


class Features:
    """Precomputed tokens of some items: read whole when they fit in memory, else for each batch."""

    def __init__(self, dataset: Dataset, positions: np.ndarray, modality: str) -> None:
        self.dataset, self.positions, self.modality = dataset, positions, modality
        self.cache: TokenStore | None = None
        if dataset.features_size(modality, positions) <= PIXEL_MEMORY:
            self.cache = TokenStore(*dataset.features(modality, positions), None, None)

    def take(self, rows: np.ndarray) -> Tokens:
        """Tokens of the rows, float32 (B, N, D), padded to the most tokens of a row."""
        if self.cache is not None:
            return self.cache.take(rows)
        values, offsets = self.dataset.features(self.modality, self.positions[rows])
        return TokenStore(values, offsets, None, None).take(np.arange(len(rows)))


class Pooled:
    """Tokens of a store, each row's pooled to one: an epoch then reads N times less."""

    def __init__(self, store: TokenStore, spec: Spec, modality: str) -> None:
        pool = POOLINGS.build(spec.name, spec.options, modality=modality, dim=store.dim, context={})
        self.values = torch.empty(len(store), store.dim)
        self.present = torch.ones(len(store), dtype=torch.bool)
        with torch.inference_mode():
            for start in range(0, len(store), ENCODE_BATCH):
                rows = np.arange(start, min(start + ENCODE_BATCH, len(store)))
                tokens = store.take(rows)
                self.values[rows], self.present[rows] = pool(tokens, {}), tokens.mask.any(1)

    def take(self, rows: np.ndarray) -> Tokens:
        """One token for each row, float32 (B, 1, D); not a real one where the row has none."""
        chosen = torch.from_numpy(rows)
        return Tokens(self.values[chosen][:, None], self.present[chosen][:, None])


def prepared(samples: np.ndarray, sampling: AudioPreprocessing) -> np.ndarray:
    """Cut and filter a mono sound that has the sample rate already. Shape: (T,) -> float32 (T',)."""
    samples = samples[: round(sampling.max_seconds * sampling.sample_rate)]
    return samples if sampling.highpass is None else highpass(samples, sampling.sample_rate, sampling.highpass)
