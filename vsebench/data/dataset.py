"""Reads a dataset file: read-only, lazily, by any number of processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vsebench.core.errors import DataError, Place
from vsebench.core.types import Preprocessing
from vsebench.data.content import FAULTS, Content
from vsebench.data.layout import Relevance, Tables, read_tables
from vsebench.data.pixels import decode
from vsebench.data.seal import AGAIN, has_seal, verify
from vsebench.data.sound import load_sound, sound_info


class Dataset:
    """A dataset file.

    The file is opened on first use in each process and never shared across a fork; the object can be pickled. Its
    tables are compared with its seal when it is opened, an item's image, sound and features when they are read.

    Args:
        path: the HDF5 file.
        sealed: False opens a file without a seal too, as ``vsebench data check`` does.

    Attributes:
        name, title, fingerprint, label_names, multi_label, relevance, provenance: as written.
        ids: names of the items.
        labels: int64 (n,), or uint8 (n, K).
        groups: int64 (n,).
        splits: ``train``, ``val``, ``test``, ``rest`` -> sorted positions; only those that have items.
        sets: other named sets -> sorted positions, such as ``query`` and ``gallery``.
        slices: category fields that metrics are given by too.
        feature_dims: modality -> D of the precomputed features; empty without them.
        has_answers: whether any item has annotators' answers.

    Raises: DataError when the file is missing, not a dataset, of another format, or not what was built.
    """

    def __init__(self, path: Path | str, *, sealed: bool = True) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise DataError("no such dataset file.", place=Place(str(path)))
        self._content = Content(self.path, verify(self.path) if sealed or has_seal(self.path) else {})
        try:
            self._take(read_tables(self._content.file()))
        except FAULTS as error:
            self.close()
            raise DataError(f"not a whole vsebench dataset file ({error}). {AGAIN}", place=Place(str(path))) from None
        sums = {name: len(values) for name, values in self._content.sums.items()}
        if sums and sums != dict.fromkeys(self.payloads, len(self)):
            raise DataError(f"its seal is of other items. {AGAIN}", place=Place(str(path)))

    @classmethod
    def open(cls, path: Path | str, *, sealed: bool = True) -> Dataset:
        """Open a file."""
        return cls(path, sealed=sealed)

    def _take(self, tables: Tables) -> None:
        meta = tables.meta
        self.name, self.title, self.fingerprint = meta.name, meta.title, meta.fingerprint
        self.label_names, self.multi_label = meta.label_names, meta.multi_label
        self.relevance: Relevance = meta.relevance
        self.provenance = meta.provenance
        self.ids, self.labels, self.groups = tables.ids, tables.labels, tables.groups
        self.splits, self.sets = tables.splits, tables.sets
        self._offsets, self._feature_offsets = tables.offsets, tables.feature_offsets
        self.feature_dims, self.slices = tables.feature_dims, tables.slices
        self.has_answers, self._has_landmarks = "answer_offsets" in tables.offsets, tables.has_landmarks

    @property
    def payloads(self) -> list[str]:
        """Names of the arrays whose items have sums in the seal."""
        raw = [
            name
            for name, offsets in (("bytes", "byte_offsets"), ("audio", "audio_offsets"))
            if offsets in self._offsets
        ]
        return [*raw, *(f"features/{modality}/values" for modality in self.feature_dims)]

    @property
    def is_sealed(self) -> bool:
        """Whether the file has a seal."""
        return bool(self._content.sums)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def num_classes(self) -> int:
        """K, the number of labels; 0 for unlabelled data."""
        return len(self.label_names)

    def close(self) -> None:
        """Close this process's handle; it opens again on use."""
        self._content.close()

    def image_bytes(self, position: int) -> bytes | None:
        """Return the encoded image as it came, or None.

        Raises: DataError when its bytes are not those that were written.
        """
        return self._payload("bytes", "byte_offsets", position)

    def _payload(self, name: str, offsets: str, position: int) -> bytes | None:
        start, end = self._offsets[offsets][position : position + 2]
        if end == start:
            return None
        data = self._content.read(name, start, end).tobytes()
        self._content.compare(name, position, self.ids[position], data)
        return data

    def _texts_of(self, data: bytes, at: np.ndarray) -> list[str]:
        try:
            return [data[a:b].decode() for a, b in zip(at[:-1].tolist(), at[1:].tolist(), strict=True)]
        except UnicodeDecodeError:
            raise DataError(f"its texts are not UTF-8. {AGAIN}", place=Place(str(self.path))) from None

    def _json_of(self, data: bytes, position: int, what: str) -> dict[str, Any]:
        try:
            plain = json.loads(data) if data else {}
            if isinstance(plain, dict):
                return plain
        except (ValueError, RecursionError):
            pass
        raise DataError(f"item '{self.ids[position]}': its {what} are not JSON. {AGAIN}", place=Place(str(self.path)))

    def image(self, position: int, preprocessing: Preprocessing) -> np.ndarray:
        """Read an image, decoded and fitted, as uint8 (3, H, W).

        Raises: DataError when the item has no image or it cannot be decoded.
        """
        return self._decoded(position, "image", self.image_bytes(position), lambda data: decode(data, preprocessing))

    def texts(self, position: int) -> list[str]:
        """All texts of an item."""
        first, last = self._offsets["item_texts"][position : position + 2]
        if first == last:
            return []
        offsets = self._offsets["text_offsets"][first : last + 1]
        data = self._content.read("texts", offsets[0], offsets[-1]).tobytes()
        return self._texts_of(data, offsets - offsets[0])

    def all_texts(self, split: str | None = None) -> list[list[str]]:
        """Read the texts of every item of a split, or of all."""
        positions = np.arange(len(self)) if split is None else self.splits[split]
        offsets, items = self._offsets["text_offsets"], self._offsets["item_texts"]
        texts = self._texts_of(self._content.read("texts", 0, offsets[-1]).tobytes(), offsets)
        return [texts[items[p] : items[p + 1]] for p in positions]

    def lacks(self, modality: str, positions: np.ndarray, *, features: bool = False) -> np.ndarray:
        """Return which items have none of a modality, by the file's tables; a sound without a sample counts as one.

        Args:
            modality: that is looked for.
            positions: int64 (n,), of the items.
            features: of the precomputed ones instead of the modality itself.

        Shape: (n,) -> bool (n,)
        """
        if features:
            return np.asarray(self.feature_counts(modality)[positions] == 0)
        name = {"image": "byte_offsets", "text": "item_texts", "audio": "audio_offsets"}[modality]
        if name not in self._offsets:
            return np.ones(len(positions), bool)
        return np.asarray(np.diff(self._offsets[name])[positions] == 0)

    def has(self, modality: str) -> bool:
        """Return whether any item has that modality, raw or as precomputed features."""
        return modality in self.feature_dims or self.has_raw(modality)

    def has_raw(self, modality: str) -> bool:
        """Return whether any item has an image, a text or a sound itself."""
        raw = {"image": "byte_offsets", "text": "text_offsets", "audio": "audio_offsets"}[modality]
        return raw in self._offsets and bool(self._offsets[raw][-1] > 0)

    def audio_bytes(self, position: int) -> bytes | None:
        """Return the encoded sound as it came, or None."""
        if "audio_offsets" not in self._offsets:
            return None
        return self._payload("audio", "audio_offsets", position)

    def audio(self, position: int, sample_rate: int) -> np.ndarray:
        """Return the sound in mono at ``sample_rate`` Hz, float32 (T,).

        Raises: DataError when the item has no sound or it cannot be decoded.
        """
        return self._decoded(position, "audio", self.audio_bytes(position), lambda data: load_sound(data, sample_rate))

    def _decoded(
        self, position: int, what: str, data: bytes | None, decoder: Callable[[bytes], np.ndarray]
    ) -> np.ndarray:
        place = Place(str(self.path))
        if data is None:
            raise DataError(f"item '{self.ids[position]}' has no {what}.", place=place)
        try:
            return decoder(data)
        except OSError as error:
            raise DataError(f"item '{self.ids[position]}': {error}", place=place) from None

    def sound_seconds(self, positions: np.ndarray) -> np.ndarray:
        """Length of each item's sound by its header, float64 (n,) in seconds; 0 where it has none, or an empty one.

        Raises: DataError that names every sound whose header cannot be read.
        """
        result, problems = np.zeros(len(positions)), []
        for row, position in enumerate(positions):
            data = self.audio_bytes(int(position))
            if data is None:
                continue
            try:
                result[row] = sound_info(data).seconds
            except OSError as error:
                problems.append(f"item '{self.ids[position]}': {error}")
        if problems:
            message = f"{len(problems)} of {len(positions):,} sounds cannot be read."
            raise DataError(message, problems=problems, place=Place(str(self.path)))
        return result

    def has_image(self, positions: np.ndarray) -> np.ndarray:
        """Return which items have an image itself, bool (n,)."""
        offsets = self._offsets["byte_offsets"]
        result: np.ndarray = offsets[np.asarray(positions) + 1] > offsets[positions]
        return result

    def features(self, modality: str, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Precomputed tokens of some items, one item after the other.

        Returns: float16 or float32 (tokens, D), and int64 (items + 1,) where each item's tokens begin.

        Raises: KeyError for a modality without features; DataError when they are not those that were written.
        """
        offsets, name = self._feature_offsets[modality], f"features/{modality}/values"
        positions = np.asarray(positions)
        values, at = self._content.rows(name, offsets[positions], offsets[positions + 1])
        for row, position in enumerate(positions.tolist()):
            if at[row] < at[row + 1]:
                self._content.compare(name, position, self.ids[position], values[at[row] : at[row + 1]])
        return values, at

    def feature_counts(self, modality: str) -> np.ndarray:
        """Return the number of precomputed tokens of every item, int64 (n,); zeros for a modality without features."""
        if modality not in self._feature_offsets:
            return np.zeros(len(self), np.int64)
        return np.diff(self._feature_offsets[modality])

    def features_size(self, modality: str, positions: np.ndarray) -> int:
        """Bytes of the precomputed tokens of some items."""
        width = self._content.array(f"features/{modality}/values").dtype.itemsize * self.feature_dims[modality]
        return int(self.feature_counts(modality)[positions].sum()) * int(width)

    def item_features(self, modality: str, position: int) -> np.ndarray:
        """Precomputed tokens of one item (N, D); N is 0 where it has none."""
        return self.features(modality, np.array([position]))[0]

    def attributes(self, position: int) -> dict[str, str]:
        """Names and values that the dataset says of an item."""
        start, end = self._offsets["attribute_offsets"][position : position + 2]
        return self._json_of(self._content.read("attributes", start, end).tobytes(), position, "attributes")

    def answers(self, positions: np.ndarray) -> list[dict[str, int]]:
        """Read the annotators' answers of some items, with the number of annotators for each; empty where there are
        none.
        """
        if not self.has_answers or not len(positions):
            return [{} for _ in positions]
        starts, ends = (self._offsets["answer_offsets"][np.asarray(positions) + k] for k in (0, 1))
        first = int(starts.min())
        data = self._content.read("answers", first, int(ends.max())).tobytes()
        parts = [data[a - first : b - first] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        return [self._json_of(part, int(p), "answers") for p, part in zip(positions, parts, strict=True)]

    def landmarks(self, position: int) -> np.ndarray | None:
        """float32 (L, 3): x, y in pixels, visible; None where the dataset or the item has none."""
        if not self._has_landmarks:
            return None
        marks: np.ndarray = self._content.read("landmarks", position, position + 1)[0]
        return None if np.isnan(marks).all() else marks

    def boxes(self, position: int) -> np.ndarray | None:
        """float32 (M, 4): x0, y0, x1, y1 in pixels; None where there are none."""
        start, end = self._offsets["box_offsets"][position : position + 2]
        if start == end:
            return None
        return np.frombuffer(self._content.read("boxes", start, end).tobytes(), np.float32).reshape(-1, 4)

    def describe(self) -> dict[str, Any]:
        """Describe the dataset for results and boards, as plain data."""
        counts = np.diff(self._offsets["item_texts"])
        return {
            "name": self.name,
            "title": self.title,
            "fingerprint": self.fingerprint,
            "splits": {name: len(rows) for name, rows in self.splits.items()},
            "captions": {name: int(counts[rows].sum()) for name, rows in self.splits.items()},
            "sets": {name: len(rows) for name, rows in self.sets.items()},
            "features": dict(self.feature_dims),
            "num_classes": self.num_classes,
            "multi_label": self.multi_label,
            "relevance": self.relevance,
            "split_rule": self.provenance.get("split_rule", ""),
            "majority": {name: self._majority(rows) for name, rows in self.splits.items()} if self.num_classes else {},
            "ceilings": self.provenance.get("ceilings", {}),
            **({"slices": {name: list(values) for name, values in self.slices.values.items()}} if self.slices else {}),
        }

    def _majority(self, rows: np.ndarray) -> float:
        labels = self.labels[rows]
        if labels.ndim > 1:
            return float(labels.mean(0).max())
        common = np.bincount(self.labels[self.splits.get("train", rows)], minlength=self.num_classes).argmax()
        return float(np.mean(labels == common))
