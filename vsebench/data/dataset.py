"""Reads a dataset file: read-only, lazily, by any number of processes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vsebench.data.item import SPLITS
from vsebench.data.pixels import decode
from vsebench.data.sound import load_sound, sound_info
from vsebench.data.writer import FORMAT, Relevance
from vsebench.errors import DataError, Place
from vsebench.types import Preprocessing


class Dataset:
    """A dataset file.

    The file is opened on first use in each process and never shared across a fork; the object can be pickled.

    Args:
        path: the HDF5 file.

    Attributes:
        name, title, fingerprint, label_names, multi_label, relevance, provenance: as written.
        ids: names of the items.
        labels: int64 (n,), or uint8 (n, K).
        groups: int64 (n,).
        splits: ``train``, ``val``, ``test``, ``rest`` -> sorted positions; only those that have items.
        sets: other named sets -> sorted positions, such as ``query`` and ``gallery``.
        feature_dims: modality -> D of the precomputed features; empty without them.
        has_answers: whether any item has annotators' answers.

    Raises: DataError when the file is missing, not a dataset, of another format, or damaged.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._file: h5py.File | None = None
        self._handles: dict[str, h5py.Dataset] = {}
        self._owner = -1
        if not self.path.is_file():
            raise DataError("no such dataset file.", place=Place(str(path)))
        try:
            self._read_tables()
        except DataError:
            raise
        except (OSError, KeyError, ValueError, IndexError) as error:
            raise DataError(
                f"not a whole vsebench dataset file ({error}). Build it again with 'vsebench data build'.",
                place=Place(str(path)),
            ) from None

    @classmethod
    def open(cls, path: Path | str) -> Dataset:
        """Open a file."""
        return cls(path)

    def _read_tables(self) -> None:
        file = self._open()
        meta = {key: json.loads(bytes(file[f"meta/{key}"][:])) for key in file["meta"]}
        if meta["format"] != FORMAT:
            raise DataError(
                f"dataset format {meta['format']}; this version reads {FORMAT}. Build it again.",
                place=Place(str(self.path)),
            )
        self.name: str = meta["name"]
        self.title: str = meta["title"]
        self.fingerprint: str = meta["fingerprint"]
        self.label_names: list[str] = meta["label_names"]
        self.multi_label: bool = meta["multi_label"]
        self.relevance: Relevance = meta["relevance"]
        self.provenance: dict[str, Any] = meta["provenance"]
        self.labels: np.ndarray = file["labels"][:]
        self.groups: np.ndarray = file["groups"][:]
        split = file["split"][:]
        present = {name: np.flatnonzero(split == i).astype(np.int64) for i, name in enumerate(SPLITS)}
        self.splits: dict[str, np.ndarray] = {name: rows for name, rows in present.items() if len(rows)}
        self.ids: list[str] = [p.decode() for p in _pieces(file, "ids", "id_offsets")]
        self.sets: dict[str, np.ndarray] = {name: file["sets"][name][:] for name in file.get("sets", ())}
        self._offsets = {k: file[k][:] for k in ("byte_offsets", "text_offsets", "item_texts", "box_offsets")}
        self._offsets |= {k: file[k][:] for k in ("audio_offsets", "answer_offsets") if k in file}
        self.has_answers = "answer_offsets" in self._offsets
        found = file.get("features", {})
        self.feature_dims: dict[str, int] = {m: int(found[m]["values"].shape[1]) for m in found}
        self._feature_offsets = {m: found[m]["offsets"][:] for m in found}
        self._attribute_offsets = file["attribute_offsets"][:]

    def _open(self) -> h5py.File:
        if self._file is None or self._owner != os.getpid():
            # A handle inherited through a fork shares its file position with the parent: open a new one.
            # Without HDF5's chunk cache a small image is read by itself, not with the whole chunk around it.
            self._file = h5py.File(self.path, "r", rdcc_nbytes=0)
            self._owner = os.getpid()
            self._handles = {}
        return self._file

    def _stored(self, name: str) -> h5py.Dataset:
        """A dataset of the file; looking one up by name takes longer than reading a small image from it."""
        file = self._open()
        if name not in self._handles:
            self._handles[name] = file[name]
        return self._handles[name]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_handles": {}, "_owner": -1}

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def num_classes(self) -> int:
        """K, the number of labels; 0 for unlabelled data."""
        return len(self.label_names)

    def close(self) -> None:
        """Close this process's handle; it opens again on use."""
        if self._file is not None and self._owner == os.getpid():
            self._file.close()
        self._file = None

    def image_bytes(self, position: int) -> bytes | None:
        """The encoded image as it came, or None."""
        start, end = self._offsets["byte_offsets"][position : position + 2]
        return bytes(self._stored("bytes")[start:end]) if end > start else None

    def image(self, position: int, preprocessing: Preprocessing) -> np.ndarray:
        """Decoded and fitted pixels, uint8 (3, H, W).

        Raises: DataError when the item has no image or it cannot be decoded.
        """
        data = self.image_bytes(position)
        if data is None:
            raise DataError(f"item '{self.ids[position]}' has no image.", place=Place(str(self.path)))
        try:
            return decode(data, preprocessing)
        except OSError as error:
            raise DataError(f"item '{self.ids[position]}': {error}", place=Place(str(self.path))) from None

    def texts(self, position: int) -> list[str]:
        """All texts of an item."""
        first, last = self._offsets["item_texts"][position : position + 2]
        if first == last:
            return []
        offsets = self._offsets["text_offsets"][first : last + 1]
        data = bytes(self._stored("texts")[offsets[0] : offsets[-1]])
        at = offsets - offsets[0]
        return [data[a:b].decode() for a, b in zip(at[:-1], at[1:], strict=True)]

    def all_texts(self, split: str | None = None) -> list[list[str]]:
        """The texts of every item of a split, or of all; one read."""
        positions = np.arange(len(self)) if split is None else self.splits[split]
        data = bytes(self._stored("texts")[:])
        offsets, items = self._offsets["text_offsets"], self._offsets["item_texts"]
        return [[data[offsets[t] : offsets[t + 1]].decode() for t in range(items[p], items[p + 1])] for p in positions]

    def has(self, modality: str) -> bool:
        """Whether any item has that modality, raw or as precomputed features."""
        return modality in self.feature_dims or self.has_raw(modality)

    def has_raw(self, modality: str) -> bool:
        """Whether any item has an image, a text or a sound itself."""
        raw = {"image": "byte_offsets", "text": "text_offsets", "audio": "audio_offsets"}[modality]
        return raw in self._offsets and bool(self._offsets[raw][-1] > 0)

    def audio_bytes(self, position: int) -> bytes | None:
        """The encoded sound as it came, or None."""
        if "audio_offsets" not in self._offsets:
            return None
        start, end = self._offsets["audio_offsets"][position : position + 2]
        return bytes(self._stored("audio")[start:end]) if end > start else None

    def audio(self, position: int, sample_rate: int) -> np.ndarray:
        """The sound in mono at ``sample_rate`` Hz, float32 (T,).

        Raises: DataError when the item has no sound or it cannot be decoded.
        """
        data = self.audio_bytes(position)
        if data is None:
            raise DataError(f"item '{self.ids[position]}' has no audio.", place=Place(str(self.path)))
        try:
            return load_sound(data, sample_rate)
        except OSError as error:
            raise DataError(f"item '{self.ids[position]}': {error}", place=Place(str(self.path))) from None

    def sound_seconds(self, positions: np.ndarray) -> np.ndarray:
        """Length of each item's sound by its header, float64 (n,) in seconds; 0 where it has none, or an empty one.

        Raises: DataError that names every sound whose header cannot be read.
        """
        found, problems = np.zeros(len(positions)), []
        for row, position in enumerate(positions):
            data = self.audio_bytes(int(position))
            if data is None:
                continue
            try:
                found[row] = sound_info(data).seconds
            except OSError as error:
                problems.append(f"item '{self.ids[position]}': {error}")
        if problems:
            said = f"{len(problems)} of {len(positions):,} sounds cannot be read."
            raise DataError(said, problems=problems, place=Place(str(self.path)))
        return found

    def has_image(self, positions: np.ndarray) -> np.ndarray:
        """Which items have an image itself, bool (n,)."""
        offsets = self._offsets["byte_offsets"]
        found: np.ndarray = offsets[np.asarray(positions) + 1] > offsets[positions]
        return found

    def features(self, modality: str, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Precomputed tokens of some items, one item after the other.

        Returns: float16 or float32 (tokens, D), and int64 (items + 1,) where each item's tokens begin.

        Raises: KeyError for a modality without features.
        """
        offsets = self._feature_offsets[modality]
        values = self._stored(f"features/{modality}/values")
        starts, ends = offsets[positions], offsets[np.asarray(positions) + 1]
        at = np.concatenate([[0], np.cumsum(ends - starts)]).astype(np.int64)
        if len(positions) and ends[-1] - starts[0] == at[-1] and (starts[1:] == ends[:-1]).all():
            return values[starts[0] : ends[-1]], at  # neighbours in the file: one read
        out = np.empty((int(at[-1]), values.shape[1]), values.dtype)
        for row in np.argsort(starts, kind="stable"):  # in the file's order: each chunk is read once
            if ends[row] > starts[row]:
                values.read_direct(out, np.s_[starts[row] : ends[row]], np.s_[at[row] : at[row + 1]])
        return out, at

    def feature_counts(self, modality: str) -> np.ndarray:
        """Number of precomputed tokens of every item, int64 (n,); zeros for a modality without features."""
        if modality not in self._feature_offsets:
            return np.zeros(len(self), np.int64)
        return np.diff(self._feature_offsets[modality])

    def features_size(self, modality: str, positions: np.ndarray) -> int:
        """Bytes of the precomputed tokens of some items."""
        width = self._stored(f"features/{modality}/values").dtype.itemsize * self.feature_dims[modality]
        return int(self.feature_counts(modality)[positions].sum()) * int(width)

    def item_features(self, modality: str, position: int) -> np.ndarray:
        """Precomputed tokens of one item (N, D); N is 0 where it has none."""
        return self.features(modality, np.array([position]))[0]

    def attributes(self, position: int) -> dict[str, str]:
        """Names and values that the dataset says of an item."""
        start, end = self._attribute_offsets[position : position + 2]
        found: dict[str, str] = json.loads(bytes(self._stored("attributes")[start:end]))
        return found

    def answers(self, positions: np.ndarray) -> list[dict[str, int]]:
        """What the annotators of some items answered -> how many of them; one read. Empty where there are none."""
        if not self.has_answers or not len(positions):
            return [{} for _ in positions]
        starts, ends = (self._offsets["answer_offsets"][np.asarray(positions) + k] for k in (0, 1))
        first = int(starts.min())
        data = bytes(self._stored("answers")[first : int(ends.max())])
        parts = [data[a - first : b - first] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        return [json.loads(part) if part else {} for part in parts]

    def landmarks(self, position: int) -> np.ndarray | None:
        """float32 (L, 3): x, y in pixels, visible; None where the dataset or the item has none."""
        file = self._open()
        if "landmarks" not in file:
            return None
        marks: np.ndarray = file["landmarks"][position]
        return None if np.isnan(marks).all() else marks

    def boxes(self, position: int) -> np.ndarray | None:
        """float32 (M, 4): x0, y0, x1, y1 in pixels; None where there are none."""
        start, end = self._offsets["box_offsets"][position : position + 2]
        if start == end:
            return None
        return np.frombuffer(bytes(self._stored("boxes")[start:end]), np.float32).reshape(-1, 4)

    def describe(self) -> dict[str, Any]:
        """What results and boards say of it, as plain data."""
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
        }

    def _majority(self, rows: np.ndarray) -> float:
        labels = self.labels[rows]
        if labels.ndim > 1:
            return float(labels.mean(0).max())
        common = np.bincount(self.labels[self.splits.get("train", rows)], minlength=self.num_classes).argmax()
        return float(np.mean(labels == common))


def _pieces(file: h5py.File, name: str, offsets: str) -> list[bytes]:
    data, at = bytes(file[name][:]), file[offsets][:]
    return [data[a:b] for a, b in zip(at[:-1], at[1:], strict=True)]
