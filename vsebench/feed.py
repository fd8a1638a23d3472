"""Batches for a model: pixels or cached Tokens, word ids or cached Tokens, labels and groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import nn

from vsebench.config.identity import digest
from vsebench.config.schema import ENCODER_SLOTS, Spec, System
from vsebench.data.dataset import Dataset
from vsebench.errors import DataError
from vsebench.features import TokenStore, cached_tokens, round_tokens
from vsebench.model import pooled_alone, reads_features
from vsebench.registry import POOLINGS
from vsebench.types import Batch, Preprocessing, Tokens, Words

#: Decoded pixels of a split are kept in memory up to this many bytes; beyond it they are decoded for each batch.
PIXEL_MEMORY = 2 << 30
ENCODE_BATCH = 64
#: Options (or their beginnings) that do not change a frozen encoder's tokens: its weights have a digest of their own.
_WITHOUT_EFFECT = ("weights", "finetune", "stages", "layers", "freeze_norm", "pretrain_")


class Pixels:
    """Decoded images of some items, uint8 (rows, 3, H, W): kept in memory when they fit, else decoded on demand."""

    def __init__(self, dataset: Dataset, positions: np.ndarray, preprocessing: Preprocessing) -> None:
        self.dataset, self.positions, self.preprocessing = dataset, positions, preprocessing
        height, width = preprocessing.size
        self.kept: np.ndarray | None = None
        if len(positions) * 3 * height * width <= PIXEL_MEMORY:
            self.kept = np.zeros((len(positions), 3, height, width), np.uint8)
            self.ready = np.zeros(len(positions), bool)
        self.pool = ThreadPoolExecutor(max(1, torch.get_num_threads()))

    def take(self, rows: np.ndarray) -> torch.Tensor:
        """Pixels of the rows, uint8 (B, 3, H, W)."""
        if self.kept is None:
            return torch.from_numpy(np.stack(list(self.pool.map(self._decode, rows))))
        todo = np.unique(rows[~self.ready[rows]])
        for row, pixels in zip(todo, self.pool.map(self._decode, todo), strict=True):
            self.kept[row] = pixels
        self.ready[todo] = True
        return torch.from_numpy(self.kept[rows])

    def _decode(self, row: int) -> np.ndarray:
        return self.dataset.image(int(self.positions[row]), self.preprocessing)


class Texts:
    """Word ids of some captions: (rows, longest), cut to the longest of a batch."""

    def __init__(self, texts: Sequence[str], tokenizer: Any) -> None:
        words: Words = tokenizer(list(texts))
        self.ids, self.mask, self.bag = words.ids, words.mask, words.bag
        self.lengths = words.mask.sum(1)
        # Only texts of the greatest length can have been cut.
        longest = np.flatnonzero((self.lengths == self.lengths.max()).numpy()).tolist() if len(texts) else []
        self.truncated: int = tokenizer.truncated([texts[i] for i in longest])

    def take(self, rows: np.ndarray) -> Words:
        """Ids and mask of the rows."""
        index = torch.from_numpy(rows)
        longest = max(1, int(self.lengths[index].max()))
        bag = None if self.bag is None else self.bag[index]
        return Words(self.ids[index, :longest], self.mask[index, :longest], bag)


class Features:
    """Precomputed tokens of some items: read whole when they fit in memory, else for each batch."""

    def __init__(self, dataset: Dataset, positions: np.ndarray, modality: str) -> None:
        self.dataset, self.positions, self.modality = dataset, positions, modality
        self.kept: TokenStore | None = None
        if dataset.features_size(modality, positions) <= PIXEL_MEMORY:
            self.kept = TokenStore(*dataset.features(modality, positions), None, None)

    def take(self, rows: np.ndarray) -> Tokens:
        """Tokens of the rows, float32 (B, N, D), padded to the most tokens of a row."""
        if self.kept is not None:
            return self.kept.take(rows)
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


class Feed:
    """One split of a dataset, or some of its items, as batches for one model.

    Rows are positions within the split. An item may have several captions: training draws one of them per epoch,
    classification reads the first, retrieval all.

    Attributes:
        notes: what a reader of results should know of the inputs, such as how many texts were cut.

    Args:
        encoders: modality -> encoder, already on its device. Frozen ones, and frozen stages of others, are run once,
            through the cache.
        cache: compute frozen Tokens once and keep them; without it they are computed for every batch.
        among: positions in the dataset, of which only those of the split are taken; all of it without them.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        system: System,
        encoders: nn.ModuleDict,
        *,
        cache: bool = True,
        among: np.ndarray | None = None,
    ) -> None:
        self.dataset, self.split, self.system = dataset, split, system
        whole = np.asarray(dataset.splits[split], dtype=np.int64)
        kept = np.ones(len(whole), bool) if among is None else np.isin(whole, among)
        self.positions = whole[kept]
        self.part = None if kept.all() else digest(self.positions.tolist())
        self.labels = torch.from_numpy(np.asarray(dataset.labels)[self.positions])
        self.labels = self.labels.float() if dataset.multi_label else self.labels.long()
        self.groups = torch.from_numpy(np.asarray(dataset.groups)[self.positions].astype(np.int64))
        self.precomputed = {m for m in encoders if reads_features(getattr(system, ENCODER_SLOTS[m]), m)}
        captions = dataset.all_texts(split) if "text" in encoders and "text" not in self.precomputed else []
        captions = [texts for texts, one in zip(captions, kept, strict=False) if one]
        silent = [dataset.ids[p] for p, texts in zip(self.positions, captions, strict=False) if not texts]
        for modality in self.precomputed:
            empty = dataset.feature_counts(modality)[self.positions] == 0
            silent += [dataset.ids[p] for p in self.positions[empty]]
        if silent:
            raise DataError(
                f"{len(silent)} items of the {split} split lack a modality that the system reads.",
                problems=[f"id '{one}'" for one in dict.fromkeys(silent)],
            )
        counts = np.array([len(c) for c in captions], dtype=np.int64)
        if "text" in self.precomputed:
            counts = np.ones(len(self.positions), np.int64)  # one vector, or one set of words, for each item
        self.caption_offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.captions = [text for texts in captions for text in texts]
        self.notes: list[str] = []
        alone = set() if any(getattr(e, "uses_visual", False) for e in encoders.values()) else pooled_alone(system)
        self.sources: dict[str, Pixels | Texts | Features | TokenStore | Pooled] = {}
        self.encoded: dict[str, Any] = {}  # frozen encoders that run for each batch, without the cache
        for modality, module in encoders.items():
            encoder: Any = module
            if modality in self.precomputed:
                self.sources[modality] = Features(dataset, self.positions, modality)
                continue
            raw: Pixels | Texts
            if modality == "image":
                raw = Pixels(dataset, self.positions, encoder.preprocessing)
            else:
                raw = Texts(self.captions, encoder.tokenizer)
                if raw.truncated:
                    self.notes.append(
                        f"{raw.truncated:,} of {len(self.captions):,} {split} texts were cut to max_length"
                    )
            cacheable = first_part(encoder) is not None and not getattr(encoder, "uses_visual", False)
            if modality == "image" and system.train.augment != "none":
                cacheable = False
            if cacheable and cache:
                store = self._store(modality, encoder, raw)
                early = encoder.frozen and modality in alone and len(store) > 0
                self.sources[modality] = Pooled(store, system.pooling[modality], modality) if early else store
            else:
                self.sources[modality] = raw
                if cacheable:
                    self.encoded[modality] = encoder

    def __len__(self) -> int:
        return len(self.positions)

    def batch(self, rows: np.ndarray, captions: np.ndarray | None = None) -> Batch:
        """The rows as a batch. ``captions``: which of its captions each row takes; the first by default."""
        inputs = {modality: self.inputs_of(modality, rows, captions) for modality in self.sources}
        index = torch.from_numpy(rows)
        return Batch(inputs, self.labels[index], torch.from_numpy(self.positions[rows]), self.groups[index])

    def inputs_of(self, modality: str, rows: np.ndarray, captions: np.ndarray | None = None) -> Any:
        """One modality's part of a batch."""
        taken = rows
        if modality == "text":
            taken = self.caption_offsets[rows] + (0 if captions is None else captions)
        found = self.sources[modality].take(taken)
        return self._encode(self.encoded[modality], found) if modality in self.encoded else found

    def draw_captions(self, rows: np.ndarray, seed: int) -> np.ndarray:
        """One caption for each row, by ``seed`` alone."""
        if "text" not in self.sources:
            return np.zeros(len(rows), np.int64)
        counts = self.captions_per_item[rows]
        return (np.random.default_rng(seed).random(len(rows)) * counts).astype(np.int64)

    def text_lengths(self, rows: np.ndarray, captions: np.ndarray | None = None) -> np.ndarray | None:
        """Number of tokens of each row's caption; None where texts are not encoded for each batch."""
        source = self.sources.get("text")
        if not isinstance(source, Texts):
            return None
        found: np.ndarray = source.lengths.numpy()[self.caption_offsets[rows] + (0 if captions is None else captions)]
        return found

    @property
    def captions_per_item(self) -> np.ndarray:
        """Number of captions of each row."""
        return self.caption_offsets[1:] - self.caption_offsets[:-1]

    def _store(self, modality: str, encoder: Any, raw: Pixels | Texts) -> TokenStore:
        spec = getattr(self.system, ENCODER_SLOTS[modality])
        dtype = self.system.train.feature_dtype
        parts = {
            "dataset": self.dataset.fingerprint,
            "split": self.split,
            "encoder": spec.name,
            "options": {k: v for k, v in spec.options.items() if not k.startswith(_WITHOUT_EFFECT)},
            "weights": encoder.weights_digest() if encoder.frozen else encoder.cut_digest(),
            "input": digest(_plain(encoder.preprocessing)) if modality == "image" else encoder.tokenizer.digest,
            "threads": torch.get_num_threads() > 1,
            **({} if self.part is None else {"part": self.part}),
        }
        count = len(self.positions) if modality == "image" else len(self.captions)
        encode = first_part(encoder)
        assert encode is not None, "only what does not change is kept"

        def batches() -> Iterator[Tokens]:
            device = next(iter([*encoder.parameters(), *encoder.buffers()])).device
            with torch.inference_mode():
                for start in range(0, count, ENCODE_BATCH):
                    rows = np.arange(start, min(start + ENCODE_BATCH, count))
                    yield encode(raw.take(rows).to(device)).to("cpu")

        return cached_tokens(parts, batches, dtype)

    def _encode(self, encoder: Any, raw: Any) -> Tokens:
        device = next(iter([*encoder.parameters(), *encoder.buffers()])).device
        encode = first_part(encoder)
        assert encode is not None, "only what does not change is encoded apart"
        with torch.no_grad():
            return round_tokens(encode(raw.to(device)).to("cpu"), self.system.train.feature_dtype)


def first_part(encoder: Any) -> Callable[[Any], Tokens] | None:
    """What of an encoder does not change in training: all of a frozen one, the frozen stages of one that has a cut."""
    if encoder.frozen:
        return encoder  # type: ignore[no-any-return]
    return encoder.before_cut if getattr(encoder, "cut", None) is not None else None


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device."""
    inputs = {m: x.to(device) for m, x in batch.inputs.items()}
    return Batch(inputs, batch.labels.to(device), batch.index.to(device), batch.groups.to(device))


def _plain(preprocessing: Preprocessing) -> dict[str, Any]:
    return {name: getattr(preprocessing, name) for name in Preprocessing.__dataclass_fields__}
