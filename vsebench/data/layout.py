"""What a dataset file must hold, checked in one place when it is opened.

Layout (format 1), HDF5:
    bytes          uint8, all encoded images one after the other, chunked;  byte_offsets int64 (n + 1,)
    texts          uint8, UTF-8 of all texts one after the other;  text_offsets int64 (texts + 1,)
    item_texts     int64 (n + 1,): where each item's texts begin
    ids            uint8 + id_offsets;  groups int64 (n,);  labels int64 (n,) or uint8 (n, K);  split int8 (n,)
    audio          uint8 + audio_offsets, encoded sounds: where given
    features       <modality>/values float16 or float32 (tokens, D), <modality>/offsets int64 (n + 1,): where given
    sets           <name> int64 positions: where given;  answers (JSON, text -> annotators) + answer_offsets: likewise
    slices         values (JSON, field -> its values), codes int32 (n, fields), -1 for none: where given
    landmarks      float32 (n, L, 3), boxes float32 + box_offsets, attributes (JSON) + attribute_offsets: where given
    meta           format, name, title, label_names, multi_label, relevance, provenance, fingerprint (JSON)
Behind it stands a seal: :mod:`vsebench.data.seal`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import h5py
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vsebench.data.item import SPLITS
from vsebench.ops.slices import Slices

FORMAT = 1
Relevance = Literal["item", "group", "label"]
BOX_BYTES = 16  # four float32
#: Offsets -> the bytes that they divide, and whether every file has them.
STREAMS = {
    "byte_offsets": ("bytes", True),
    "text_offsets": ("texts", True),
    "box_offsets": ("boxes", True),
    "attribute_offsets": ("attributes", True),
    "id_offsets": ("ids", True),
    "audio_offsets": ("audio", False),
    "answer_offsets": ("answers", False),
}


class Meta(BaseModel):
    """What the file says of itself."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    format: int
    name: str
    title: str
    multi_label: bool
    relevance: Relevance
    label_names: list[str]
    provenance: dict[str, Any]
    fingerprint: str = Field(pattern="^[0-9a-f]{16}$")


@dataclass(frozen=True)
class Tables:
    """Everything of a dataset file but the content of its items.

    Args:
        meta: names, protocol, provenance, fingerprint.
        ids: of the items.
        labels: int64 (n,), or uint8 (n, K).
        groups: int64 (n,).
        splits, sets: name -> sorted positions, int64; of splits those that have items.
        offsets: name -> int64 (n + 1,), or (texts + 1,) for ``text_offsets``; those that the file has.
        feature_offsets: modality -> int64 (n + 1,).
        feature_dims: modality -> D.
        has_landmarks: whether there is an array of them.
        slices: named category fields.
    """

    meta: Meta
    ids: list[str]
    labels: np.ndarray
    groups: np.ndarray
    splits: dict[str, np.ndarray]
    sets: dict[str, np.ndarray]
    offsets: dict[str, np.ndarray]
    feature_offsets: dict[str, np.ndarray]
    feature_dims: dict[str, int]
    has_landmarks: bool
    slices: Slices


class LayoutError(ValueError):
    """A dataset file does not hold what it must."""


def read_tables(file: h5py.File) -> Tables:
    """Read and check the tables of an open file.

    Raises: LayoutError that says what is missing or of another form; what h5py raises for a damaged file.
    """
    meta = _meta(file)
    offsets = {}
    for name, (content, always) in STREAMS.items():
        if name in file or content in file or always:
            offsets[name] = _offsets(file, name, len(_part(file, content, "u1", 1)))
    count = len(offsets["id_offsets"]) - 1
    offsets["item_texts"] = _offsets(file, "item_texts", len(offsets["text_offsets"]) - 1)
    for name, values in offsets.items():
        if name != "text_offsets":
            _expect(len(values) == count + 1, name, f"{len(values) - 1} items, there are {count}")
    _expect(not (offsets["box_offsets"] % BOX_BYTES).any(), "box_offsets", "a box that is not four numbers")
    if "landmarks" in file:
        shape = _part(file, "landmarks", "f4", 3).shape
        _expect(shape[0] == count and shape[2] == 3, "landmarks", f"the shape {shape}")
    features = _features(file, count)
    return Tables(
        meta,
        _ids(file, offsets.pop("id_offsets")),
        _labels(file, meta, count),
        _column(file, "groups", "i8", count),
        _splits(file, count),
        _sets(file, count),
        offsets,
        {modality: at for modality, (at, _) in features.items()},
        {modality: dim for modality, (_, dim) in features.items()},
        "landmarks" in file,
        _slices(file, count),
    )


def _expect(right: bool, name: str, wrong: str) -> None:
    if not right:
        raise LayoutError(f"'{name}' has {wrong}")


def _part(file: h5py.File, name: str, kinds: str, dimensions: int) -> h5py.Dataset:
    """Return a dataset of one of some types, that lies in this file and is as large on disk as its header states."""
    parts = name.split("/")
    for k in range(1, len(parts) + 1):
        link = file.get("/".join(parts[:k]), getlink=True)
        if link is None:
            raise LayoutError(f"there is no '{name}'")
        _expect(isinstance(link, h5py.HardLink), name, "a link to another place")
    part = file[name]
    if not isinstance(part, h5py.Dataset):
        raise LayoutError(f"'{name}' is not an array")
    known = [np.dtype(kind) for kind in kinds.split()]
    _expect(part.dtype in known, name, f"the type {part.dtype}")
    _expect(part.shape is not None and part.ndim == dimensions, name, f"the shape {part.shape}")
    _expect(not part.is_virtual and part.external is None, name, "its values in another file")
    size = part.size * part.dtype.itemsize
    _expect(part.id.get_storage_size() >= size, name, f"{size:,} bytes, but fewer in the file")
    return part


def _column(file: h5py.File, name: str, kind: str, count: int) -> np.ndarray:
    values: np.ndarray = _part(file, name, kind, 1)[:]
    _expect(len(values) == count, name, f"{len(values)} values for {count} items")
    return values


def _offsets(file: h5py.File, name: str, total: int) -> np.ndarray:
    """Return where pieces of ``total`` values begin, and the end of the last."""
    at: np.ndarray = _part(file, name, "i8", 1)[:]
    whole = len(at) > 0 and at[0] == 0 and at[-1] == total and bool((at[1:] >= at[:-1]).all())
    _expect(whole, name, f"offsets that do not divide {total} values in order")
    return at


def _meta(file: h5py.File) -> Meta:
    if not isinstance(file.get("meta"), h5py.Group):
        raise LayoutError("there is no 'meta'")
    plain = {}
    for key in file["meta"]:
        try:
            plain[key] = json.loads(bytes(_part(file, f"meta/{key}", "u1", 1)[:]))
        except (ValueError, RecursionError) as error:
            raise error if isinstance(error, LayoutError) else LayoutError(f"'meta/{key}' is not JSON") from None
    if plain.get("format", FORMAT) != FORMAT:
        raise LayoutError(f"its format is {plain['format']!r}, this version reads {FORMAT}")
    try:
        return Meta.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        raise LayoutError(f"'meta/{'/'.join(map(str, first['loc']))}': {first['msg'].lower()}") from None


def _ids(file: h5py.File, at: np.ndarray) -> list[str]:
    data = bytes(file["ids"][:])
    try:
        ids = [data[a:b].decode() for a, b in zip(at[:-1], at[1:], strict=True)]
    except UnicodeDecodeError:
        raise LayoutError("'ids' has bytes that are not UTF-8") from None
    _expect(len(ids) > 0, "ids", "no item")
    _expect(len(set(ids)) == len(ids), "ids", "the same id twice")
    return ids


def _labels(file: h5py.File, meta: Meta, count: int) -> np.ndarray:
    classes = len(meta.label_names)
    multi = meta.multi_label and isinstance(file.get("labels"), h5py.Dataset) and file["labels"].ndim == 2
    labels: np.ndarray = _part(file, "labels", "u1" if multi else "i8", 2 if multi else 1)[:]
    _expect(len(labels) == count, "labels", f"{len(labels)} rows for {count} items")
    if multi:
        _expect(labels.shape[1] == classes, "labels", f"{labels.shape[1]} columns for {classes} classes")
        _expect(bool((labels <= 1).all()), "labels", "values that are neither 0 nor 1")
    else:
        right = bool(((labels >= 0) & (labels < max(1, classes))).all())
        _expect(right, "labels", f"numbers that are not of its {classes} classes")
    return labels


def _splits(file: h5py.File, count: int) -> dict[str, np.ndarray]:
    split = _column(file, "split", "i1", count)
    _expect(
        bool(((split >= 0) & (split < len(SPLITS))).all()), "split", f"numbers that are not from 0 to {len(SPLITS) - 1}"
    )
    present = {name: np.flatnonzero(split == i).astype(np.int64) for i, name in enumerate(SPLITS)}
    return {name: rows for name, rows in present.items() if len(rows)}


def _sets(file: h5py.File, count: int) -> dict[str, np.ndarray]:
    sets = {}
    for name in _names(file, "sets"):
        rows = _part(file, f"sets/{name}", "i8", 1)[:]
        right = bool((rows[1:] > rows[:-1]).all()) and (not len(rows) or (rows[0] >= 0 and rows[-1] < count))
        _expect(right, f"sets/{name}", "positions that are not of items, in order")
        sets[name] = rows
    return sets


def _features(file: h5py.File, count: int) -> dict[str, tuple[np.ndarray, int]]:
    features = {}
    for modality in _names(file, "features"):
        values = _part(file, f"features/{modality}/values", "f2 f4", 2)
        at = _offsets(file, f"features/{modality}/offsets", len(values))
        _expect(len(at) == count + 1, f"features/{modality}/offsets", f"{len(at) - 1} items, there are {count}")
        features[modality] = (at, int(values.shape[1]))
    return features


def _slices(file: h5py.File, count: int) -> Slices:
    if not _names(file, "slices"):
        return Slices()
    codes = _part(file, "slices/codes", "i4", 2)[:]
    _expect(len(codes) == count, "slices/codes", f"{len(codes)} rows for {count} items")
    try:
        return Slices.parse(bytes(_part(file, "slices/values", "u1", 1)[:]), codes)
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, LayoutError) else LayoutError(f"'slices': {error}") from None


def _names(file: h5py.File, group: str) -> list[str]:
    if group not in file:
        return []
    if not isinstance(file[group], h5py.Group) or not isinstance(file.get(group, getlink=True), h5py.HardLink):
        raise LayoutError(f"'{group}' is not a group")
    return list(file[group])
