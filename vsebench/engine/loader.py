"""Batches for a model: pixels, word ids and sounds, or their cached Tokens; labels and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from vsebench.components.audio_encoder.base import AudioEncoder
from vsebench.components.encoder.base import Encoder, Encoders
from vsebench.components.image_encoder.base import ImageEncoder
from vsebench.components.text_encoder.base import TextEncoder
from vsebench.config.absent import why_all_need
from vsebench.config.code_files import component_digest
from vsebench.config.schema import ENCODER_SLOTS, System
from vsebench.core.digests import digest
from vsebench.core.errors import ConfigError, DataError
from vsebench.core.types import MODALITIES, Batch
from vsebench.data.dataset import Dataset
from vsebench.engine.circumstances import circumstances
from vsebench.engine.encode_once import encoding
from vsebench.engine.feature_cache import TokenStore, cached_tokens, round_tokens
from vsebench.engine.feature_plan import FeaturePlan, feature_plans
from vsebench.engine.inputs import Features, Pixels, Pooled, Sounds, Texts
from vsebench.engine.placebo import other_items

AnySource = Pixels | Texts | Sounds | Features | TokenStore | Pooled
#: Options (or their beginnings) that do not change a frozen encoder's tokens: its weights have a digest of their own.
_WITHOUT_EFFECT = ("weights", "finetune", "stages", "layers", "freeze_norm", "pretrain_")


class Loader:
    """One split of a dataset, or some of its items, as batches for one model.

    Rows are positions within the split. An item may have several captions: training draws one of them per epoch,
    classification reads the first, retrieval all.

    Attributes:
        notes: what a reader of results should know of the inputs, such as how many texts were cut.
        read_from: modality -> int64 (rows,), the item that each row is read with: itself, except in a placebo.
        missing: modality -> bool (rows,), True where an item lacks it, of the modalities that some item lacks.

    Args:
        encoders: modality -> encoder, already on its device. Frozen ones, and frozen stages of others, are run once,
            through the cache.
        cache: compute frozen Tokens once and keep them; without it they are computed for every batch.
        among: positions in the dataset, of which only those of the split are taken; all of it without them.
        plans: the model's, where ``encoders`` are not all of its encoders: what one modality's tokens are for depends
            on the others.

    Raises: DataError that names the items without a modality where the system does not say what to make of them, or
        the sounds whose headers cannot be read.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        system: System,
        encoders: Encoders,
        *,
        cache: bool = True,
        among: np.ndarray | None = None,
        plans: Mapping[str, FeaturePlan] | None = None,
    ) -> None:
        self.dataset, self.split, self.system = dataset, split, system
        self.notes: list[str] = []
        self.plans = feature_plans(system, encoders) if plans is None else {m: plans[m] for m in encoders}
        self.precomputed = {modality for modality, plan in self.plans.items() if plan.mode == "features"}
        self._choose(among)
        captions = self._captions()
        heard = "audio" in self.plans and "audio" not in self.precomputed
        self.seconds = dataset.sound_seconds(self.read_from["audio"]) if heard else np.zeros(0)
        lacks = {modality: self._lacks(modality, captions) for modality in self.plans}
        self.missing = {modality: rows for modality, rows in lacks.items() if rows.any()}
        self._refuse_incomplete()
        self._number(captions)
        self.sources: dict[str, AnySource] = {}
        self.encoded: dict[str, Encoder] = {}  # whose part that is done once is done for each batch, without the cache
        for modality, encoder in encoders.items():
            self.sources[modality] = self._source(modality, encoder, cache)
            if self.plans[modality].once and not cache:
                self.encoded[modality] = encoder

    def _choose(self, among: np.ndarray | None) -> None:
        """Set the rows, their labels and their groups."""
        whole = np.asarray(self.dataset.splits[self.split], dtype=np.int64)
        self.chosen = np.ones(len(whole), bool) if among is None else np.isin(whole, among)
        self.positions = whole[self.chosen]
        self.read_from = dict.fromkeys(MODALITIES, self.positions)
        placebo = self.system.placebo
        if placebo is not None:
            self.notes.append(f"{self.split}: each item is read with the {placebo.modality} of another (placebo)")
            self.read_from[placebo.modality] = other_items(self.dataset, self.split, placebo)[self.chosen]
        self.part = None if self.chosen.all() else digest(self.positions.tolist())
        labels = torch.from_numpy(np.asarray(self.dataset.labels)[self.positions])
        self.labels = labels.float() if self.dataset.multi_label else labels.long()
        self.groups = torch.from_numpy(np.asarray(self.dataset.groups)[self.positions].astype(np.int64))

    def _captions(self) -> list[Sequence[str]]:
        """Return each row's texts; nothing where no encoder reads them."""
        if "text" not in self.plans or "text" in self.precomputed:
            return []
        split = self.dataset.splits[self.split]
        texts = dict(zip(np.asarray(split).tolist(), self.dataset.all_texts(self.split), strict=True))
        return [texts[position] for position in self.read_from["text"].tolist()]

    def _number(self, captions: Sequence[Sequence[str]]) -> None:
        """Set the captions one after the other, and where each row's begin."""
        captions = [texts or [""] for texts in captions]
        counts = np.array([len(texts) for texts in captions], dtype=np.int64)
        if "text" in self.precomputed:
            counts = np.ones(len(self.positions), np.int64)  # one vector, or one set of words, for each item
        self.caption_offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.captions = [text for texts in captions for text in texts]

    def _source(self, modality: str, encoder: Encoder, cache: bool) -> AnySource:
        """Open what a modality's part of a batch is read from."""
        if modality in self.precomputed:
            return Features(self.dataset, self.read_from[modality], modality)
        raw = self._raw(modality, encoder)
        return (
            self.stored(modality, self._store(modality, encoder, raw)) if self.plans[modality].once and cache else raw
        )

    def stored(self, modality: str, store: TokenStore) -> TokenStore | Pooled:
        """Read from a store, or from its tokens pooled, as the plan says."""
        pooling = self.plans[modality].pooling
        return store if pooling is None or not len(store) else Pooled(store, pooling, modality)

    def _lacks(self, modality: str, captions: Sequence[Sequence[str]]) -> np.ndarray:
        """Return which rows have none of a modality; a sound without a sample is none."""
        if modality in self.precomputed:
            result: np.ndarray = self.dataset.feature_counts(modality)[self.read_from[modality]] == 0
        elif modality == "text":
            result = np.array([not texts for texts in captions], bool)
        else:
            result = ~self.dataset.has_image(self.read_from["image"]) if modality == "image" else self.seconds == 0
        return result

    def _refuse_incomplete(self) -> None:
        """Raise DataError of items without a modality, unless the system says what to make of them."""
        for modality, lacks in self.missing.items():
            why = why_all_need(self.system, modality)
            if why is not None:
                raise DataError(
                    f"{lacks.sum()} items of the {self.split} split lack a modality that the system reads: they have "
                    f"no {modality}, and {why}.",
                    problems=[f"id '{self.dataset.ids[p]}'" for p in self.positions[lacks]],
                )

    def _raw(self, modality: str, encoder: Encoder) -> Pixels | Texts | Sounds:
        if isinstance(encoder, ImageEncoder):
            return Pixels(self.dataset, self.read_from["image"], encoder.preprocessing)
        if isinstance(encoder, AudioEncoder):
            sounds = Sounds(self.dataset, self.read_from["audio"], encoder.sampling, self.seconds)
            cut = f"sounds were cut to {encoder.sampling.max_seconds:g} s"
            self._note(sounds.cut, len(self), cut)
            return sounds
        assert isinstance(encoder, TextEncoder), "no other modality is read"
        texts = Texts(self.captions, encoder.tokenizer)
        self._note(texts.truncated, len(self.captions), "texts were cut to max_length")
        if self.split == "train" and texts.unknown and texts.unknown == sum(bool(t.strip()) for t in self.captions):
            raise ConfigError(
                f"the text encoder's tokenizer knows no word of any training text, such as '{self.captions[0]}': it "
                "would read the same of them all. Choose a model of the texts' language."
            )
        self._note(texts.unknown, len(self.captions), "texts have no word that the tokenizer knows")
        return texts

    def _note(self, count: int, total: int, note: str) -> None:
        if count:
            self.notes.append(f"{count:,} of {total:,} {self.split} {note}")

    def __len__(self) -> int:
        return len(self.positions)

    def batch(self, rows: np.ndarray, captions: np.ndarray | None = None) -> Batch:
        """Return the rows as a batch. ``captions``: which of its captions each row takes; the first by default."""
        inputs = {modality: self.inputs_of(modality, rows, captions) for modality in self.sources}
        index = torch.from_numpy(rows)
        lacks = {m: torch.from_numpy(missing[rows]) for m, missing in self.missing.items()}
        present = {m: ~missing for m, missing in lacks.items() if missing.any()}
        positions = torch.from_numpy(self.positions[rows])
        return Batch(inputs, self.labels[index], positions, self.groups[index], present)

    def inputs_of(self, modality: str, rows: np.ndarray, captions: np.ndarray | None = None) -> Any:
        """One modality's part of a batch."""
        taken = rows
        if modality == "text":
            taken = self.caption_offsets[rows] + (0 if captions is None else captions)
        inputs = self.sources[modality].take(taken)
        if modality not in self.encoded:
            return inputs
        encoder, plan = self.encoded[modality], self.plans[modality]
        with torch.no_grad():
            return round_tokens(plan.encode_first(encoder, inputs.to(encoder.device)).to("cpu"), plan.dtype)

    def draw_captions(self, rows: np.ndarray, seed: int) -> np.ndarray:
        """One caption for each row, by ``seed`` alone."""
        if "text" not in self.sources:
            return np.zeros(len(rows), np.int64)
        counts = self.captions_per_item[rows]
        drawn: np.ndarray = (np.random.default_rng(seed).random(len(rows)) * counts).astype(np.int64)
        return drawn

    def text_lengths(self, rows: np.ndarray, captions: np.ndarray | None = None) -> np.ndarray | None:
        """Return the number of tokens of each row's caption; None where texts are not encoded for each batch."""
        source = self.sources.get("text")
        if not isinstance(source, Texts):
            return None
        result: np.ndarray = source.lengths.numpy()[self.caption_offsets[rows] + (0 if captions is None else captions)]
        return result

    @property
    def captions_per_item(self) -> np.ndarray:
        """Number of captions of each row."""
        return self.caption_offsets[1:] - self.caption_offsets[:-1]

    def lacking_rows(self, modality: str) -> np.ndarray:
        """Return which rows of a modality's source lack it: bool (items,), of texts (captions,)."""
        missing = self.missing.get(modality, np.zeros(len(self), bool))
        return np.repeat(missing, self.captions_per_item) if modality == "text" else missing

    def _store(self, modality: str, encoder: Encoder, raw: Pixels | Texts | Sounds) -> TokenStore:
        spec, plan, train = self.system.encoder(modality), self.plans[modality], self.system.train
        items = self.read_from[modality]
        parts = {
            "dataset": self.dataset.fingerprint,
            "split": self.split,
            "encoder": spec.name,
            "options": {k: v for k, v in spec.options.items() if not k.startswith(_WITHOUT_EFFECT)},
            "weights": encoder.frozen_digest(),
            "input": encoder.input_digest(),
            **({} if self.part is None else {"part": self.part}),
            **({} if items is self.positions else {"placebo": digest(items.tolist())}),
        }
        code = component_digest(ENCODER_SLOTS[modality], spec.name, "vsebench.engine.loader")
        with encoding(plan, encoder, raw, self.lacking_rows(modality), deterministic=train.deterministic) as batches:
            return cached_tokens({**parts, **circumstances(encoder.device, code)}, batches, plan.dtype)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move the batch to a device."""
    inputs = {m: x.to(device) for m, x in batch.inputs.items()}
    present = {m: x.to(device) for m, x in batch.present.items()}
    return Batch(inputs, batch.labels.to(device), batch.positions.to(device), batch.groups.to(device), present)
