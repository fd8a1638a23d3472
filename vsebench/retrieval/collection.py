"""A gallery on disk: vectors, items, index and the model that made them, in one folder that can be moved.

manifest.json   what it is, of which run, with a digest of every other file
vectors.npy     float32 (n, D), unit length
items.jsonl     a line per vector: id, caption, where its picture is
index/          what the index keeps besides the vectors
run/            the run's files and pretrained weights, so that queries are embedded as the gallery was
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import vsebench
from vsebench.components.index.base import Index
from vsebench.core.errors import DataError, Place, VsebenchError
from vsebench.core.files import file_digest, replacing_folder
from vsebench.core.plugins import refusing_unknown
from vsebench.core.registry import INDEXES
from vsebench.runs.schemas.base import check_depth, check_form
from vsebench.runs.schemas.gallery import GalleryManifest, Item

FORMAT = 1
MANIFEST, VECTORS, ITEMS, INDEX, RUN = "manifest.json", "vectors.npy", "items.jsonl", "index", "run"
SIDES, OFFSETS = "sides.npy", "sides-offsets.npy"


@dataclass(frozen=True)
class Sides:
    """What a scorer of pairs keeps of a gallery's items: the tokens of all of them, one item's after the other's.

    Args:
        values: float32 (all tokens, d), may be a memory map.
        offsets: int64 (n + 1,), where each item's begin.
    """

    values: np.ndarray
    offsets: np.ndarray

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (len(rows), N, d), padded with zeros, and mask (len(rows), N)."""
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        mask = np.arange(max(1, int(lengths.max(initial=1))))[None, :] < lengths[:, None]
        values = np.zeros((*mask.shape, self.values.shape[1]), np.float32)
        for place, row in enumerate(rows.tolist()):
            values[place, : lengths[place]] = self.values[self.offsets[row] : self.offsets[row + 1]]
        return values, mask


@dataclass(frozen=True, slots=True)
class CollectionItem:
    """What a vector stands for.

    Args:
        id: unique in the gallery.
        caption: its text; empty where there is none.
        at: where its picture is: a position in the dataset, or a path below the folder; None for a text without one.
    """

    id: str
    caption: str
    at: int | str | None


@dataclass(frozen=True)
class Manifest:
    """What a gallery is.

    Args:
        run: ``run_id``, ``experiment``, ``row``, ``seed`` of the run that embedded it.
        model: digest of all weights of that run's model, frozen ones included.
        modality: ``image`` or ``text``, of the items.
        count, dim: n and D.
        index: ``name`` and ``options``.
        scorer: name of the system's scorer of pairs, when its sides are kept here; None without.
        source: ``type`` (``dataset`` or ``folder``), ``path``, and of a dataset ``spec``, ``fingerprint``, ``split``.
        sha256: file -> digest.
    """

    run: Mapping[str, Any]
    model: str
    modality: str
    count: int
    dim: int
    index: Mapping[str, Any]
    source: Mapping[str, Any]
    sha256: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT
    metric: str = "cosine"
    scorer: str | None = None
    version: str = vsebench.__version__
    made_at: str = ""


@dataclass(frozen=True)
class Collection:
    """A gallery in memory; vectors and sides may be mapped from their files."""

    folder: Path
    manifest: Manifest
    items: Sequence[CollectionItem]
    vectors: np.ndarray
    index: Index
    pair_inputs: Sides | None = None


def write_collection(
    folder: Path,
    manifest: Manifest,
    items: Sequence[CollectionItem],
    vectors: np.ndarray,
    index: Index,
    *,
    run_files: Sequence[Path],
    sides: Sides | None = None,
    force: bool = False,
) -> Manifest:
    """Write a gallery; it appears under its name whole or not at all.

    Args:
        folder: of the new gallery.
        manifest: without digests, which are added.
        items: in the order of the vectors.
        vectors: float32 (n, D).
        index: built of the vectors.
        run_files: of the run, to be copied.
        sides: the pair scorer's inputs, where the run re-ranks.
        force: replace a gallery of that name.

    Raises: DataError when something is there that is no gallery, or a gallery without ``force``.
    """
    refuse_existing(folder, force)
    with replacing_folder(folder) as partial:
        (partial / RUN).mkdir()
        for file in run_files:
            shutil.copy2(file, partial / RUN / file.name)
        np.save(partial / VECTORS, vectors)
        if sides is not None:
            np.save(partial / SIDES, sides.values)
            np.save(partial / OFFSETS, sides.offsets)
        with (partial / ITEMS).open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(asdict(item), ensure_ascii=False) + "\n" for item in items)
        index.save(partial / INDEX)
        files = sorted(f for f in partial.rglob("*") if f.is_file())
        plain = asdict(manifest) | {
            "sha256": {f.relative_to(partial).as_posix(): file_digest(f) for f in files},
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        (partial / MANIFEST).write_text(json.dumps(plain, indent=1, ensure_ascii=False), encoding="utf-8")
    return Manifest(**plain)


def refuse_existing(folder: Path, force: bool) -> None:
    """Only a gallery may be replaced, and only on request.

    Raises: DataError.
    """
    if not folder.exists():
        return
    if not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError("something is there that is no gallery; give another folder.", place=Place(str(folder)))
    if (folder / MANIFEST).is_file() and not force:
        raise DataError("there is a gallery already; --force replaces it.", place=Place(str(folder)))


def read_collection(folder: Path, *, verify: bool = True) -> Collection:
    """Open a gallery.

    Args:
        folder: of the gallery.
        verify: compare the digest of every file first.

    Raises: DataError when it is missing, damaged or of another format; ConfigError when its index needs a library that
        is not installed; UntrustedPlugin when it is a plug-in's that was not imported.
    """
    manifest = read_manifest(folder)
    for name, digest in manifest.sha256.items():
        file = folder / name
        if not file.is_file() or (verify and file_digest(file) != digest):
            state = "damaged" if file.is_file() else "missing"
            raise DataError(f"this part of the gallery is {state}. Make it again.", place=Place(str(file)))
    items = _read_items(folder / ITEMS)
    vectors = _read_array(folder / VECTORS, "f")
    if len(items) != manifest.count or vectors.shape != (manifest.count, manifest.dim):
        raise DataError("its parts do not belong together. Make it again.", place=Place(str(folder)))
    with refusing_unknown((), run=manifest.run["run_id"], place=Place(str(folder / MANIFEST))):
        index: Index = INDEXES.build(manifest.index["name"], manifest.index["options"], dim=manifest.dim)
    try:
        index.load(folder / INDEX, vectors)
    except VsebenchError:
        raise
    except Exception as error:  # NumPy, zipfile, JSON and the libraries of indexes each have their own
        digest = (str(error) or type(error).__name__).splitlines()[0]
        message = f"not what index '{manifest.index['name']}' has written ({digest}). Make the gallery again."
        raise DataError(message, place=Place(str(folder / INDEX))) from None
    sides = None
    if manifest.scorer is not None:
        values, offsets = _read_array(folder / SIDES, "f"), _read_array(folder / OFFSETS, "i")
        rising = offsets.shape == (manifest.count + 1,) and offsets[0] == 0 and bool((np.diff(offsets) >= 0).all())
        if not rising or values.ndim != 2 or offsets[-1] != len(values):
            raise DataError("its parts do not belong together. Make it again.", place=Place(str(folder / SIDES)))
        sides = Sides(values, np.asarray(offsets))
    return Collection(folder, manifest, items, vectors, index, sides)


def _read_items(file: Path) -> list[CollectionItem]:
    items = []
    with file.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            place = Place(str(file), number)
            try:
                plain = json.loads(line)
            except (ValueError, RecursionError):
                raise DataError("not a JSON line. Make the gallery again.", place=place) from None
            check_form(Item, plain, place, noun="an item of a gallery")
            items.append(CollectionItem(**plain))
    if len({item.id for item in items}) < len(items):
        raise DataError("an id is there twice. Make the gallery again.", place=Place(str(file)))
    return items


def _read_array(file: Path, kind: str) -> np.ndarray:
    """Return an array of a kind of numbers, mapped from its file."""
    try:
        arrays: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False)
        fits = isinstance(arrays, np.ndarray) and arrays.dtype.kind == kind
    except Exception as error:  # NumPy's are of many kinds
        message = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"not an array ({message}). Make the gallery again.", place=Place(str(file))) from None
    if not fits:
        raise DataError("not an array of such numbers. Make the gallery again.", place=Place(str(file)))
    return arrays


def read_manifest(folder: Path) -> Manifest:
    """Read a gallery's manifest.

    Raises: DataError for a folder that is no gallery, or one of another format.
    """
    file = folder / MANIFEST
    if not file.is_file():
        raise DataError("no gallery; 'vsebench index RUN --out FOLDER' makes one.", place=Place(str(folder)))
    place = Place(str(file))
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise DataError("not a whole manifest of a gallery. Make it again.", place=place) from None
    if isinstance(plain, dict) and plain.get("format", FORMAT) != FORMAT:
        raise DataError(f"gallery format {plain['format']}; this version reads {FORMAT}.", place=place)
    check_depth(plain, place, noun="a manifest of a gallery")
    check_form(GalleryManifest, plain, place, noun="a manifest of a gallery")
    return Manifest(**plain)
