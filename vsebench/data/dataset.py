"""Reads a dataset file: read-only, lazily, by any number of processes."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vsebench.data.item import SPLITS
from vsebench.data.pixels import decode
from vsebench.data.writer import FORMAT, item_digest
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
        splits: ``train``, ``val``, ``test`` -> sorted positions; only those that have items.

    Raises: DataError when the file is missing, not a dataset, of another format, or damaged.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._file: h5py.File | None = None
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
        self.relevance: str = meta["relevance"]
        self.provenance: dict[str, Any] = meta["provenance"]
        self.labels: np.ndarray = file["labels"][:]
        self.groups: np.ndarray = file["groups"][:]
        split = file["split"][:]
        present = {name: np.flatnonzero(split == i).astype(np.int64) for i, name in enumerate(SPLITS)}
        self.splits: dict[str, np.ndarray] = {name: rows for name, rows in present.items() if len(rows)}
        self.ids: list[str] = [p.decode() for p in _pieces(file, "ids", "id_offsets")]
        self._offsets = {k: file[k][:] for k in ("byte_offsets", "text_offsets", "item_texts", "box_offsets")}
        self._attribute_offsets = file["attribute_offsets"][:]

    def _open(self) -> h5py.File:
        if self._file is None or self._owner != os.getpid():
            # A handle inherited through a fork shares its file position with the parent: open a new one.
            self._file = h5py.File(self.path, "r")
            self._owner = os.getpid()
        return self._file

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_owner": -1}

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def num_classes(self) -> int:
        """K, the number of labels."""
        return len(self.label_names)

    def close(self) -> None:
        """Close this process's handle; it opens again on use."""
        if self._file is not None and self._owner == os.getpid():
            self._file.close()
        self._file = None

    def image_bytes(self, position: int) -> bytes | None:
        """The encoded image as it came, or None."""
        start, end = self._offsets["byte_offsets"][position : position + 2]
        return bytes(self._open()["bytes"][start:end]) if end > start else None

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
        data = bytes(self._open()["texts"][offsets[0] : offsets[-1]])
        at = offsets - offsets[0]
        return [data[a:b].decode() for a, b in zip(at[:-1], at[1:], strict=True)]

    def all_texts(self, split: str | None = None) -> list[list[str]]:
        """The texts of every item of a split, or of all; one read."""
        positions = np.arange(len(self)) if split is None else self.splits[split]
        data = bytes(self._open()["texts"][:])
        offsets, items = self._offsets["text_offsets"], self._offsets["item_texts"]
        return [[data[offsets[t] : offsets[t + 1]].decode() for t in range(items[p], items[p + 1])] for p in positions]

    def attributes(self, position: int) -> dict[str, str]:
        """Names and values that the dataset says of an item."""
        start, end = self._attribute_offsets[position : position + 2]
        found: dict[str, str] = json.loads(bytes(self._open()["attributes"][start:end]))
        return found

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
        return np.frombuffer(bytes(self._open()["boxes"][start:end]), np.float32).reshape(-1, 4)

    def describe(self) -> dict[str, Any]:
        """What results and boards say of it, as plain data."""
        counts = np.diff(self._offsets["item_texts"])
        return {
            "name": self.name,
            "title": self.title,
            "fingerprint": self.fingerprint,
            "splits": {name: len(rows) for name, rows in self.splits.items()},
            "captions": {name: int(counts[rows].sum()) for name, rows in self.splits.items()},
            "num_classes": self.num_classes,
            "multi_label": self.multi_label,
            "relevance": self.relevance,
            "split_rule": self.provenance.get("split_rule", ""),
            "majority": {name: self._majority(rows) for name, rows in self.splits.items()},
            "ceilings": self.provenance.get("ceilings", {}),
        }

    def _majority(self, rows: np.ndarray) -> float:
        labels = self.labels[rows]
        if labels.ndim > 1:
            return float(labels.mean(0).max())
        common = np.bincount(self.labels[self.splits.get("train", rows)], minlength=self.num_classes).argmax()
        return float(np.mean(labels == common))

    def check(self) -> list[str]:
        """Everything that is wrong with the file, a line each; empty when it is sound.

        The fingerprint is computed again from the content, every image decoded, every split looked at.
        """
        problems = self._check_splits()
        digest = hashlib.sha256()
        order = {"names": self.label_names, "multi_label": self.multi_label, "relevance": self.relevance}
        digest.update(json.dumps(order, sort_keys=True, ensure_ascii=False).encode())
        split = np.full(len(self), -1, np.int8)
        for name, rows in self.splits.items():
            split[rows] = SPLITS.index(name)
        file = self._open()
        for i, one in enumerate(self.ids):
            image, texts = self.image_bytes(i), self.texts(i)
            boxes = self.boxes(i)
            start, end = self._attribute_offsets[i : i + 2]
            marks = self.landmarks(i)
            said = bytes(file["attributes"][start:end]).decode()
            packed = b"" if boxes is None else boxes.tobytes()
            digest.update(item_digest(one, image or b"", texts, packed, said, marks))
            digest.update(self.labels[i].tobytes() + bytes([int(split[i])]) + int(self.groups[i]).to_bytes(8, "little"))
            problems += _check_item(one, image, texts)
        if digest.hexdigest()[:16] != self.fingerprint:
            problems.append("the content does not match the fingerprint: the file was changed or damaged")
        return problems

    def _check_splits(self) -> list[str]:
        problems = [f"there is no {name} split" for name in SPLITS if name not in self.splits]
        covered = sum(len(rows) for rows in self.splits.values())
        if covered != len(self):
            problems.append(f"{len(self) - covered} items are in no split")
        for name, rows in self.splits.items():
            if not self.multi_label and len(np.unique(self.labels[rows])) < 2:
                problems.append(f"the {name} split has a single class")
        split_groups = {name: set(self.groups[rows].tolist()) for name, rows in self.splits.items()}
        names = list(split_groups)
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                common = len(split_groups[a] & split_groups[b])
                if common:
                    problems.append(f"{common} groups are in {a} and in {b}")
        return problems


def _check_item(one: str, image: bytes | None, texts: Sequence[str]) -> list[str]:
    from PIL import Image

    problems = [f"id '{one}': empty text" for text in texts if not text.strip()]
    if image is not None:
        try:
            with Image.open(io.BytesIO(image)) as picture:
                picture.load()
        except Exception as error:  # Pillow raises many kinds for damaged files
            problems.append(f"id '{one}': image cannot be decoded ({error})")
    return problems


def _pieces(file: h5py.File, name: str, offsets: str) -> list[bytes]:
    data, at = bytes(file[name][:]), file[offsets][:]
    return [data[a:b] for a, b in zip(at[:-1], at[1:], strict=True)]
