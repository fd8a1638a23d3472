"""Batches for a model: pixels, word ids and sounds, or their cached Tokens; labels and groups."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from vsebench.config.absent import why_all_need
from vsebench.config.code_files import component_digest
from vsebench.config.schema import ENCODER_SLOTS, System
from vsebench.core.digests import digest
from vsebench.core.errors import ConfigError, DataError
from vsebench.core.types import Batch, Preprocessing, Sampling, Tokens
from vsebench.data.dataset import Dataset
from vsebench.engine.circumstances import circumstances
from vsebench.engine.feature_cache import TokenStore, cached_tokens, round_tokens
from vsebench.engine.inputs import ENCODE_BATCH, Features, Pixels, Pooled, Sounds, Texts
from vsebench.engine.model import pooled_alone, reads_features
from vsebench.ops.process_state import fixed_state

A = TypeVar("A")
B = TypeVar("B")
#: Options (or their beginnings) that do not change a frozen encoder's tokens: its weights have a digest of their own.
_WITHOUT_EFFECT = ("weights", "finetune", "stages", "layers", "freeze_norm", "pretrain_")


class Feed:
    """One split of a dataset, or some of its items, as batches for one model.

    Rows are positions within the split. An item may have several captions: training draws one of them per epoch,
    classification reads the first, retrieval all.

    Attributes:
        notes: what a reader of results should know of the inputs, such as how many texts were cut.
        lacking: modality -> bool (rows,), True where an item lacks it, of the modalities that some item lacks.

    Args:
        encoders: modality -> encoder, already on its device. Frozen ones, and frozen stages of others, are run once,
            through the cache.
        cache: compute frozen Tokens once and keep them; without it they are computed for every batch.
        among: positions in the dataset, of which only those of the split are taken; all of it without them.

    Raises: DataError that names the items without a modality where the system does not say what to make of them, or
        the sounds whose headers cannot be read.
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
        heard = "audio" in encoders and "audio" not in self.precomputed
        self.seconds = dataset.sound_seconds(self.positions) if heard else np.zeros(0)
        lacks = {m: self._lacks(m, captions) for m in encoders}
        self.lacking = {m: found for m, found in lacks.items() if found.any()}
        self._refuse_incomplete()
        captions = [texts or [""] for texts in captions]
        counts = np.array([len(c) for c in captions], dtype=np.int64)
        if "text" in self.precomputed:
            counts = np.ones(len(self.positions), np.int64)  # one vector, or one set of words, for each item
        self.caption_offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.captions = [text for texts in captions for text in texts]
        self.notes: list[str] = []
        alone = set() if any(getattr(e, "uses_visual", False) for e in encoders.values()) else pooled_alone(system)
        self.sources: dict[str, Pixels | Texts | Sounds | Features | TokenStore | Pooled] = {}
        self.encoded: dict[str, Any] = {}  # frozen encoders that run for each batch, without the cache
        for modality, module in encoders.items():
            encoder: Any = module
            if modality in self.precomputed:
                self.sources[modality] = Features(dataset, self.positions, modality)
                continue
            raw = self._raw(modality, encoder)
            cacheable = first_part(encoder) is not None and not getattr(encoder, "uses_visual", False)
            if modality == "image" and system.train.augment is not None:
                cacheable = False
            if cacheable and cache:
                store = self._store(modality, encoder, raw)
                early = encoder.frozen and modality in alone and len(store) > 0
                self.sources[modality] = Pooled(store, system.pooling[modality], modality) if early else store
            else:
                self.sources[modality] = raw
                if cacheable:
                    self.encoded[modality] = encoder

    def _lacks(self, modality: str, captions: Sequence[Sequence[str]]) -> np.ndarray:
        """Which rows have none of a modality; a sound without a sample is none."""
        if modality in self.precomputed:
            found: np.ndarray = self.dataset.feature_counts(modality)[self.positions] == 0
        elif modality == "text":
            found = np.array([not texts for texts in captions], bool)
        else:
            found = ~self.dataset.has_image(self.positions) if modality == "image" else self.seconds == 0
        return found

    def _refuse_incomplete(self) -> None:
        """Raise DataError of items without a modality, unless the system says what to make of them."""
        for modality, lacks in self.lacking.items():
            why = why_all_need(self.system, modality)
            if why is not None:
                raise DataError(
                    f"{lacks.sum()} items of the {self.split} split lack a modality that the system reads: they have "
                    f"no {modality}, and {why}.",
                    problems=[f"id '{self.dataset.ids[p]}'" for p in self.positions[lacks]],
                )

    def _raw(self, modality: str, encoder: Any) -> Pixels | Texts | Sounds:
        if modality == "image":
            return Pixels(self.dataset, self.positions, encoder.preprocessing)
        if modality == "audio":
            sounds = Sounds(self.dataset, self.positions, encoder.sampling, self.seconds)
            cut = f"sounds were cut to {encoder.sampling.max_seconds:g} s"
            self._note(sounds.cut, len(self), cut)
            return sounds
        texts = Texts(self.captions, encoder.tokenizer)
        self._note(texts.truncated, len(self.captions), "texts were cut to max_length")
        if self.split == "train" and texts.unknown and texts.unknown == sum(bool(t.strip()) for t in self.captions):
            raise ConfigError(
                f"the text encoder's tokenizer knows no word of any training text, such as '{self.captions[0]}': it "
                "would read the same of them all. Choose a model of the texts' language."
            )
        self._note(texts.unknown, len(self.captions), "texts have no word that the tokenizer knows")
        return texts

    def _note(self, count: int, total: int, said: str) -> None:
        if count:
            self.notes.append(f"{count:,} of {total:,} {self.split} {said}")

    def __len__(self) -> int:
        return len(self.positions)

    def batch(self, rows: np.ndarray, captions: np.ndarray | None = None) -> Batch:
        """Return the rows as a batch. ``captions``: which of its captions each row takes; the first by default."""
        inputs = {modality: self.inputs_of(modality, rows, captions) for modality in self.sources}
        index = torch.from_numpy(rows)
        lacks = {m: torch.from_numpy(lacking[rows]) for m, lacking in self.lacking.items()}
        present = {m: ~lacking for m, lacking in lacks.items() if lacking.any()}
        positions = torch.from_numpy(self.positions[rows])
        return Batch(inputs, self.labels[index], positions, self.groups[index], present)

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
        """Return the number of tokens of each row's caption; None where texts are not encoded for each batch."""
        source = self.sources.get("text")
        if not isinstance(source, Texts):
            return None
        found: np.ndarray = source.lengths.numpy()[self.caption_offsets[rows] + (0 if captions is None else captions)]
        return found

    @property
    def captions_per_item(self) -> np.ndarray:
        """Number of captions of each row."""
        return self.caption_offsets[1:] - self.caption_offsets[:-1]

    def _store(self, modality: str, encoder: Any, raw: Pixels | Texts | Sounds) -> TokenStore:
        slot = ENCODER_SLOTS[modality]
        spec = getattr(self.system, slot)
        device = _device_of(encoder)
        parts = {
            "dataset": self.dataset.fingerprint,
            "split": self.split,
            "encoder": spec.name,
            "options": {k: v for k, v in spec.options.items() if not k.startswith(_WITHOUT_EFFECT)},
            "weights": encoder.weights_digest() if encoder.frozen else encoder.cut_digest(),
            "input": _input_digest(modality, encoder),
            **({} if self.part is None else {"part": self.part}),
        }
        count = len(self.captions) if modality == "text" else len(self.positions)
        lacking = self.lacking.get(modality)
        if lacking is not None and modality == "text":
            lacking = np.repeat(lacking, self.captions_per_item)
        encode = first_part(encoder)
        assert encode is not None, "only what does not change is kept"

        def encoded(part: tuple[np.ndarray, Any]) -> Tokens:
            rows, inputs = part
            with torch.inference_mode():
                tokens = encode(inputs.to(device)).to("cpu")
            return tokens if lacking is None else _without(tokens, lacking[rows])

        def inputs() -> Iterator[tuple[np.ndarray, Any]]:
            for start in range(0, count, ENCODE_BATCH):
                rows = np.arange(start, min(start + ENCODE_BATCH, count))
                yield rows, raw.take(rows)

        # The same state whatever the run and the command: a sweep, a measurement and a search share what is kept. On a
        # processor each batch is computed by one thread, several batches at a time.
        threads = torch.get_num_threads() if device.type == "cpu" else 1
        flags = {"deterministic": self.system.train.deterministic, "warn_only": device.type == "cuda"}
        with fixed_state(seed=0, threads=1 if device.type == "cpu" else None, **flags):
            parts |= circumstances(device, component_digest(slot, spec.name, "vsebench.engine.loader"))
            return cached_tokens(parts, lambda: in_order(encoded, inputs(), threads), self.system.train.feature_dtype)

    def _encode(self, encoder: Any, raw: Any) -> Tokens:
        device = _device_of(encoder)
        encode = first_part(encoder)
        assert encode is not None, "only what does not change is encoded apart"
        with torch.no_grad():
            return round_tokens(encode(raw.to(device)).to("cpu"), self.system.train.feature_dtype)


def in_order(function: Callable[[A], B], arguments: Iterable[A], threads: int) -> Iterator[B]:
    """Yield the function of each argument in their order, computed by several threads, few of them in advance."""
    if threads == 1:
        yield from map(function, arguments)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[B]] = deque()
        for argument in arguments:
            waiting.append(pool.submit(function, argument))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def first_part(encoder: Any) -> Callable[[Any], Tokens] | None:
    """Return the part of an encoder that training does not change: all of a frozen one, or the frozen stages before a
    cut.
    """
    if encoder.frozen:
        return encoder  # type: ignore[no-any-return]
    return encoder.before_cut if getattr(encoder, "cut", None) is not None else None


def _device_of(encoder: nn.Module) -> torch.device:
    return next(iter([*encoder.parameters(), *encoder.buffers()])).device


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move the batch to a device."""
    inputs = {m: x.to(device) for m, x in batch.inputs.items()}
    present = {m: x.to(device) for m, x in batch.present.items()}
    return Batch(inputs, batch.labels.to(device), batch.index.to(device), batch.groups.to(device), present)


def _without(tokens: Tokens, lacking: np.ndarray) -> Tokens:
    """Mask the tokens of items that lack the modality."""
    present = torch.from_numpy(~lacking)
    return tokens.take(present).spread(present)


def _input_digest(modality: str, encoder: Any) -> str:
    if modality == "text":
        return str(encoder.tokenizer.digest)
    said: Preprocessing | Sampling = encoder.preprocessing if modality == "image" else encoder.sampling
    return digest({name: getattr(said, name) for name in type(said).__dataclass_fields__})
