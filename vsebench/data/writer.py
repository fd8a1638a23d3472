"""Writes a dataset file: one pass, flat memory, nothing under the final name until it is whole.

The file's layout is in :mod:`vsebench.data.layout`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from vsebench.core.errors import DataError
from vsebench.core.files import make_folder, sync, writing
from vsebench.data._partial import abandon, create, remove_orphans
from vsebench.data.fingerprint import content_digest, item_digest
from vsebench.data.item import SPLITS, Item
from vsebench.data.layout import FORMAT, Relevance
from vsebench.data.seal import PAYLOADS, SUM, seal
from vsebench.data.splits import FRACTIONS, make_splits
from vsebench.data.streams import ByteStream, RowStream
from vsebench.ops.slices import Slices


class Arrangement(NamedTuple):
    """What all items together decide.

    Args:
        labels: int64 (n,), or uint8 (n, K) for multi-label data; zeros where there are none.
        names: of the K classes; empty without labels.
        groups: int64 (n,).
        split: int8 (n,), positions in :data:`SPLITS`.
    """

    labels: np.ndarray
    names: list[str]
    groups: np.ndarray
    split: np.ndarray


class DatasetWriter:
    """Write items to a dataset file.

    Args:
        path: the final name; it appears when the ``with`` block ends without an exception.
        name, title: how results and boards call it.
        label_names: names in the order of class numbers; None collects them from the items' labels, sorted.
        multi_label: labels are tuples.
        relevance: what counts as a match in retrieval: ``item`` (its own captions), ``group``, or ``label`` (a shared
            label).
        provenance: where it comes from, as plain data.
        fractions, seed: of the splits, where items carry none.
        val_share: where items carry splits but none is ``val``, this share of ``train`` becomes it, stratified, whole
            groups; None leaves the data without.

    Raises: DataError at the end: no items, some with and some without split or label, an unknown split or label, an
    id twice; DataError at once for features that are not finite, or of another width than those before, and for an
    answer of less than one annotator.

    Example:
        >>> with DatasetWriter(path, name="demo", title="Demo") as writer:  # doctest: +SKIP
        ...     writer.add(Item("a", png, ("a red shirt",), "shirt"))
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        title: str,
        label_names: Sequence[str] | None = None,
        multi_label: bool = False,
        relevance: Relevance = "item",
        provenance: Mapping[str, Any] | None = None,
        fractions: Mapping[str, float] = FRACTIONS,
        seed: int = 0,
        val_share: float | None = None,
    ) -> None:
        self.path = Path(path)
        self.partial = self.path.with_name(f".{self.path.name}.partial-{os.getpid()}")
        self.meta: dict[str, Any] = {
            "format": FORMAT,
            "name": name,
            "title": title,
            "multi_label": multi_label,
            "relevance": relevance,
        }
        self.provenance = dict(provenance or {})
        self.label_names = list(label_names) if label_names is not None else None
        self.fractions, self.seed, self.val_share = fractions, seed, val_share
        names = ("ids", "labels", "split", "group", "landmarks", "digest", "sets", "slices")
        self.columns: dict[str, list[Any]] = {k: [] for k in names}
        self.tokens: dict[str, RowStream] = {}
        self.streams: dict[str, ByteStream] = {}

    def __enter__(self) -> DatasetWriter:
        make_folder(self.path.parent)
        remove_orphans(self.path)
        with writing(self.path):
            self.file = create(self.partial)
        self.streams = {
            "bytes": ByteStream(self.file, "bytes", "byte_offsets"),
            "texts": ByteStream(self.file, "texts", "text_offsets"),
            "boxes": ByteStream(self.file, "boxes", "box_offsets"),
            "attributes": ByteStream(self.file, "attributes", "attribute_offsets"),
            "audio": ByteStream(self.file, "audio", "audio_offsets"),
            "answers": ByteStream(self.file, "answers", "answer_offsets"),
        }
        self.item_texts = [0]
        self.more_texts: dict[int, list[str]] = {}
        self.arrangement: Arrangement | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with writing(self.path):
                if error is not None:
                    raise error  # named as the disk's, where it is
                self._finish()
                self.file.flush()  # a disk that takes no more is noticed here, not by HDF5 when it closes
                self.file.close()
                seal(self.partial, self._sums())
                sync(self.partial)
                os.replace(self.partial, self.path)
        finally:
            abandon(self.file)
            self.partial.unlink(missing_ok=True)

    def _sums(self) -> dict[str, np.ndarray]:
        """Of every item's image, sound and features."""
        sums = {name: self.streams[name].sums for name in PAYLOADS if name == "bytes" or self.streams[name].offsets[-1]}
        sums |= {f"{rows.name}/values": rows.sums for rows in self.tokens.values()}
        return {name: np.frombuffer(values, np.uint8).reshape(-1, SUM) for name, values in sums.items()}

    def add(self, item: Item) -> None:
        """Append an item."""
        self.streams["bytes"].append(item.image or b"")
        for text in item.texts:
            self.streams["texts"].append(text.encode())
        self.item_texts.append(self.item_texts[-1] + len(item.texts))
        boxes = b"" if item.boxes is None else np.asarray(item.boxes, np.float32).tobytes()
        self.streams["boxes"].append(boxes)
        attributes = json.dumps(dict(item.attributes or {}), sort_keys=True, ensure_ascii=False)
        self.streams["attributes"].append(attributes.encode())
        self.streams["audio"].append(item.audio or b"")
        answers = answers_text(item.id, item.answers)
        self.streams["answers"].append(answers.encode())
        self._add_features(item)
        for key, value in (("ids", item.id), ("labels", item.label), ("split", item.split)):
            self.columns[key].append(value)
        self.columns["sets"].append(tuple(sorted(item.sets)))
        self.columns["slices"].append(dict(item.slices or {}))
        self.columns["group"].append(item.id if item.group is None else item.group)
        marks = None if item.landmarks is None else np.asarray(item.landmarks, np.float32)
        self.columns["landmarks"].append(marks)
        rest = (item.audio or b"", item.features or {}, answers)
        self.columns["digest"].append(
            item_digest(item.id, item.image or b"", item.texts, boxes, attributes, marks, *rest)
        )

    def _add_features(self, item: Item) -> None:
        for modality, values in (item.features or {}).items():
            if modality not in self.tokens:
                self.tokens[modality] = RowStream(self.file, modality, values, before=len(self))
            self.tokens[modality].append(item.id, values)
        for modality, rows in self.tokens.items():
            if modality not in (item.features or {}):
                rows.skip()

    def add_texts(self, position: int, texts: Sequence[str]) -> None:
        """Give an item that was added before further texts, after its own."""
        self.more_texts.setdefault(position, []).extend(texts)

    def has_texts(self, position: int) -> bool:
        """Return whether an item that was added has a text."""
        return self.item_texts[position + 1] > self.item_texts[position] or bool(self.more_texts.get(position))

    def set_sizes(self) -> dict[str, int]:
        """Return the number of items of each named set so far."""
        return {name: len(positions) for name, positions in self._sets().items()}

    def drop_set(self, name: str) -> None:
        """Forget a named set; its items stay."""
        self.columns["sets"] = [tuple(n for n in names if n != name) for names in self.columns["sets"]]

    def __len__(self) -> int:
        return len(self.columns["ids"])

    def arranged(self) -> Arrangement:
        """Labels, groups and splits of the items that were added; those made by rule are made here.

        Raises: DataError as the end of the block does.
        """
        if self.arrangement is not None and len(self.arrangement.split) == len(self):
            return self.arrangement
        if not len(self):
            raise DataError(f"dataset '{self.meta['name']}' has no items.")
        ids = self.columns["ids"]
        if len(set(ids)) != len(ids):
            seen: set[str] = set()
            twice = [i for i in ids if i in seen or seen.add(i)]  # type: ignore[func-returns-value]
            raise DataError(f"{len(twice)} ids stand twice.", problems=[f"id '{i}'" for i in dict.fromkeys(twice)])
        labels, names = self._labels()
        _, groups = np.unique(np.array(self.columns["group"], dtype=object).astype(str), return_inverse=True)
        self.arrangement = Arrangement(labels, names, groups, self._split(labels, groups))
        return self.arrangement

    def _finish(self) -> None:
        labels, names, groups, split = self.arranged()
        if self.more_texts:
            self._insert_texts()
        for name, stream in self.streams.items():
            stream.close()
            if name in ("audio", "answers") and stream.offsets[-1] == 0:
                del self.file[name], self.file[stream.offsets_name]
        for rows in self.tokens.values():
            rows.close()
        sets = self._sets()
        for name, positions in sets.items():
            self.file[f"sets/{name}"] = positions
        self._slices()
        self.file["item_texts"] = np.asarray(self.item_texts, np.int64)
        ids_stream = ByteStream(self.file, "ids", "id_offsets")
        for one in self.columns["ids"]:
            ids_stream.append(one.encode())
        ids_stream.close()
        self.file["groups"] = groups.astype(np.int64)
        self.file["labels"] = labels
        self.file["split"] = split
        self._landmarks()
        self.meta["label_names"] = names
        fingerprint = content_digest(self.meta, self.columns["digest"], labels, split, groups, sets)
        self.meta |= {"provenance": self.provenance, "fingerprint": fingerprint}
        for key, value in self.meta.items():
            # A long JSON text does not fit an HDF5 attribute (64 KiB): it is a dataset of bytes.
            self.file[f"meta/{key}"] = np.frombuffer(json.dumps(value, ensure_ascii=False).encode(), np.uint8)

    def _insert_texts(self) -> None:
        """Write the texts once more, with those that items were given later, and digest these items again."""
        before, counts = self.streams["texts"].parts(), np.diff(self.item_texts).tolist()
        after = ByteStream(self.file, "inserted", "text_offsets")
        self.item_texts = [0]
        for i in range(len(self)):
            texts = [*islice(before, counts[i]), *(text.encode() for text in self.more_texts.get(i, ()))]
            for text in texts:
                after.append(text)
            self.item_texts.append(self.item_texts[-1] + len(texts))
            if i in self.more_texts:
                self.columns["digest"][i] = self._digest(i, [text.decode() for text in texts])
        after.flush()
        del self.file["texts"]
        self.file.move("inserted", "texts")
        self.streams["texts"] = after

    def _digest(self, i: int, texts: Sequence[str]) -> bytes:
        parts = {name: self.streams[name].get(i) for name in ("bytes", "boxes", "attributes", "audio", "answers")}
        return item_digest(
            self.columns["ids"][i],
            parts["bytes"],
            texts,
            parts["boxes"],
            parts["attributes"].decode(),
            self.columns["landmarks"][i],
            parts["audio"],
            {modality: rows.get(i) for modality, rows in self.tokens.items()},
            parts["answers"].decode(),
        )

    def _sets(self) -> dict[str, np.ndarray]:
        results: dict[str, list[int]] = {}
        for position, names in enumerate(self.columns["sets"]):
            for name in names:
                results.setdefault(name, []).append(position)
        return {name: np.asarray(positions, np.int64) for name, positions in sorted(results.items())}

    def _labels(self) -> tuple[np.ndarray, list[str]]:
        multi = self.meta["multi_label"]
        missing = [i for i, v in zip(self.columns["ids"], self.columns["labels"], strict=True) if v is None]
        if len(missing) == len(self):
            return np.zeros(len(self), np.int64), list(self.label_names or [])
        if missing:
            raise DataError(
                f"{len(missing)} of {len(self)} items have no label.", problems=[f"id '{i}'" for i in missing]
            )
        rows = [tuple(v) if isinstance(v, tuple | list) else (v,) for v in self.columns["labels"]]
        names = _label_names(rows) if self.label_names is None else self.label_names
        numbers = self._numbered(rows, names)
        if not multi:
            return np.array([row[0] for row in numbers], np.int64), names
        matrix = np.zeros((len(rows), len(names)), np.uint8)
        for i, row in enumerate(numbers):
            matrix[i, row] = 1
        return matrix, names

    def _numbered(self, rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> list[list[int]]:
        """Return each item's labels as class numbers.

        Raises: DataError of labels that do not exist, and of items with several where one is right.
        """
        number = {name: i for i, name in enumerate(names)}
        problems, numbers = [], []
        for item, row in zip(self.columns["ids"], rows, strict=True):
            classes = [v if isinstance(v, int) else number.get(v, -1) for v in row]
            wrong = [v for v, k in zip(row, classes, strict=True) if not 0 <= k < len(names)]
            problems += [f"id '{item}': label {v!r}" for v in wrong]
            if not self.meta["multi_label"] and len(classes) != 1:
                problems.append(f"id '{item}' has {len(classes)} labels, but the dataset is single-label")
            numbers.append(classes)
        if problems:
            raise DataError(f"labels that do not exist. Known: {', '.join(names[:20])}.", problems=problems)
        return numbers

    def _split(self, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
        given = self.columns["split"]
        missing = [i for i, s in zip(self.columns["ids"], given, strict=True) if s is None]
        if len(missing) == len(given):
            split = np.full(len(given), -1, np.int8)
            for name, positions in make_splits(labels, groups, fractions=self.fractions, seed=self.seed).items():
                split[positions] = SPLITS.index(name)
            shares = "/".join(f"{100 * v:g}" for v in self.fractions.values())
            self.provenance["split_rule"] = (
                f"{shares} {'/'.join(self.fractions)}, stratified, whole groups, seed {self.seed}"
            )
            return split
        if missing:
            raise DataError(
                f"{len(missing)} of {len(given)} items have no split.", problems=[f"id '{i}'" for i in missing]
            )
        unknown = [f"id '{i}': '{s}'" for i, s in zip(self.columns["ids"], given, strict=True) if s not in SPLITS]
        if unknown:
            raise DataError(f"unknown splits. Known: {', '.join(SPLITS)}.", problems=unknown)
        split = np.array([SPLITS.index(s) for s in given], np.int8)
        rule = "the dataset's own"
        if self.val_share is not None and "val" not in given and "train" in given:
            train = np.flatnonzero(split == SPLITS.index("train"))
            parts = {"train": 1 - self.val_share, "val": self.val_share}
            made = make_splits(labels[train], groups[train], fractions=parts, seed=self.seed)
            split[train[made["val"]]] = SPLITS.index("val")
            rule += f", but for val: {100 * self.val_share:g} % of train, stratified, whole groups, seed {self.seed}"
        self.provenance.setdefault("split_rule", rule)
        return split

    def _slices(self) -> None:
        """Write the slices. They are no part of the fingerprint: naming them changes no item."""
        try:
            slices = Slices.of(self.columns["slices"])
        except ValueError as error:
            raise DataError(f"{error}.") from None
        if slices:
            self.file["slices/values"] = np.frombuffer(json.dumps(slices.values, ensure_ascii=False).encode(), np.uint8)
            self.file["slices/codes"] = slices.codes

    def _landmarks(self) -> None:
        marks = self.columns["landmarks"]
        present = [m for m in marks if m is not None]
        if not present:
            return
        if len({m.shape for m in present}) > 1:
            raise DataError("items have different numbers of landmarks.")
        empty = np.full(present[0].shape, np.nan, np.float32)
        self.file["landmarks"] = np.stack([empty if m is None else m for m in marks])


def _label_names(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return the names of the classes that occur, sorted; of classes that are numbers alone, all up to the largest."""
    named = {v for row in rows for v in row if isinstance(v, str)}
    numbered = [v for row in rows for v in row if isinstance(v, int)]
    return sorted(named) if named else [str(v) for v in range(max(numbered, default=-1) + 1)]


def answers_text(one: str, answers: Mapping[str, int] | None) -> str:
    """Answers and how many annotators gave each, as they are stored; empty for none."""
    wrong = [f"'{a}': {n}" for a, n in (answers or {}).items() if n < 1]
    if wrong:
        raise DataError(f"id '{one}': an answer needs at least one annotator. Got {', '.join(wrong)}.")
    return json.dumps(dict(answers), sort_keys=True, ensure_ascii=False) if answers else ""
