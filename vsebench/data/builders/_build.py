"""What every builder does: read images and sounds, collect what is wrong, write, and decide at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from vsebench.data.builders._images import Loaded, is_outside, load_image, look_at, prefetch
from vsebench.data.builders.base import Progress
from vsebench.data.item import Item
from vsebench.data.sound import sound_info
from vsebench.data.writer import DatasetWriter
from vsebench.errors import DataError, Place

SHOWN = 5


@dataclass(frozen=True)
class Draft:
    """An item whose image and sound are still files.

    Args:
        where: how messages call it: ``row 3 (id '17')``.
        item: everything else; None where the row could not be read.
        image, audio: path below the source folder, or the encoded bytes, or None.
        problems: what is known to be wrong with the row already.
    """

    where: str
    item: Item | None
    image: str | bytes | None = None
    audio: str | bytes | None = None
    problems: tuple[str, ...] = ()


@dataclass
class Build:
    """One build of a dataset.

    Faults are told all at once when the block ends; with ``skip_bad`` the items at fault are left out and counted in
    the provenance. Nothing appears under the final name before the block has ended well.

    Args:
        root: folder that the drafts' paths are relative to.
        writer: of the dataset file.
        progress: told of every item.
        place: the file that messages name.
        skip_bad: leave bad items out.
        resize: longest side of stored images in pixels, or None. Landmarks and boxes are scaled with the image.
        group_pixels: items with identical pixels are one group, where items say no group.

    Raises: DataError at the end of the block that lists every fault, or when nothing is left.
    """

    root: Path
    writer: DatasetWriter
    progress: Progress
    place: str
    skip_bad: bool = False
    resize: int | None = None
    group_pixels: bool = False
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pixels: dict[int, str | None] = field(default_factory=dict)  # short digest -> first split
    crossing: set[int] = field(default_factory=set)
    bad_items: int = 0
    given: int = 0

    def __enter__(self) -> Build:
        self.writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        refused = None if kind is not None else self._verdict()
        if refused is not None:
            self.writer.__exit__(DataError, refused, None)
            raise refused
        self.writer.__exit__(kind, error, trace)

    def _verdict(self) -> DataError | None:
        place = Place(self.place)
        if self.faults and not self.skip_bad:
            them = "1 fault. Mend it, or leave the item" if len(self.faults) == 1 else None
            them = them or f"{len(self.faults)} faults. Mend them, or leave the items"
            return DataError(f"{them} out with --skip-bad:", problems=self.faults, place=place)
        if not len(self.writer):
            return DataError("there is no item without fault:", problems=self.faults, place=place)
        self.writer.provenance["skipped_rows"] = self.bad_items
        self.writer.provenance.setdefault("notes", [])
        self.writer.provenance["notes"] += [*self.notes, *self._leaks(), *self._lost()]
        return None

    def _leaks(self) -> list[str]:
        count = len(self.crossing)
        return [f"{count:,} images with identical pixels stand in more than one split"] if count else []

    def _lost(self) -> list[str]:
        return [f"left out: {fault}" for fault in self.faults[:SHOWN]] if self.faults else []

    def fault(self, where: str, what: str) -> None:
        """Remember a fault of a file that belongs to no item."""
        self.faults.append(f"{where}: {what}")

    def add(self, drafts: Iterable[Draft], total: int | None = None) -> None:
        """Load the drafts' files and write the items, in order. Memory does not grow with their number."""
        for draft, image, sound, problems in prefetch(self._load, drafts):
            self.given += 1
            if problems or draft.item is None:
                self.faults += [f"{draft.where}: {p}" for p in problems]
                self.bad_items += 1
            else:
                self.writer.add(self._finished(draft.item, image, sound))
            self.progress(self.given, total)

    def _load(self, draft: Draft) -> tuple[Draft, Loaded | None, bytes | None, list[str]]:
        problems = list(draft.problems)
        if draft.item is not None and not all(t.strip() for t in draft.item.texts):
            problems.append("empty text")
        image, sound = None, None
        if draft.image is not None:
            if isinstance(draft.image, bytes):
                image = look_at(draft.image, "image", self.resize, lossless=draft.image[:4] == b"\x89PNG")
            else:
                image = load_image(self.root, draft.image, self.resize)
            problems += [image.problem] if image.problem else []
        if draft.audio is not None:
            try:
                found = draft.audio
                sound = check_sound(found, "audio") if isinstance(found, bytes) else read_sound(self.root, found)
            except OSError as error:
                problems.append(str(error))
        return draft, image, sound, problems

    def _finished(self, item: Item, image: Loaded | None, sound: bytes | None) -> Item:
        changes: dict[str, Any] = {}
        if sound is not None:
            changes["audio"] = sound
        if image is not None:
            changes["image"] = image.data
            short = int.from_bytes(image.pixels[:8], "little")
            if self.pixels.setdefault(short, item.split) != item.split:
                self.crossing.add(short)
            if self.group_pixels and item.group is None:
                changes["group"] = f"pixels {image.pixels.hex()}"
            if image.scale != 1.0 and item.boxes is not None:
                changes["boxes"] = np.asarray(item.boxes, np.float32) * np.float32(image.scale)
            if image.scale != 1.0 and item.landmarks is not None:
                marks = np.array(item.landmarks, np.float32)
                marks[:, :2] *= np.float32(image.scale)
                changes["landmarks"] = marks
        return replace(item, **changes)


def read_sound(root: Path, path: str) -> bytes:
    """The bytes of a sound file with at least one sample.

    Raises: OSError that names the path.
    """
    if is_outside(path):
        raise OSError(f"audio '{path}' lies outside the folder")
    try:
        data = (root / path).read_bytes()
    except FileNotFoundError:
        raise OSError(f"audio '{path}' does not exist") from None
    except (OSError, ValueError) as error:
        raise OSError(f"audio '{path}' cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return check_sound(data, f"audio '{path}'")


def check_sound(data: bytes, name: str) -> bytes:
    """The bytes themselves, of a sound with at least one sample.

    Raises: OSError with the name.
    """
    try:
        info = sound_info(data)
    except OSError as error:
        raise OSError(f"{name}: {error}") from None
    if not info.frames:
        raise OSError(f"{name} has no samples")
    return data


def source_folder(source: str) -> Path:
    """The folder that ``--from`` names.

    Raises: DataError when there is none.
    """
    root = Path(source).expanduser()
    if not root.is_dir():
        raise DataError("no such folder.", place=Place(source))
    return root


def find(root: Path, *names: str, what: str) -> Path:
    """The first of some relative paths that exists below the folder.

    Raises: DataError that lists where it was looked for.
    """
    for name in names:
        if (root / name).exists():
            return root / name
    raise DataError(f"{what} not found: looked for {' or '.join(names)}.", place=Place(str(root)))


def duplicates(ids: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(position, id) of every id that stands earlier already.

    Example:
        >>> list(duplicates(["a", "b", "a"]))
        [(2, 'a')]
    """
    seen: set[str] = set()
    for position, one in enumerate(ids):
        if one in seen:
            yield position, one
        seen.add(one)


def counted(note: str, expected: int, found: int) -> list[str]:
    """A line where a published size differs from what is there; empty where it agrees.

    Example:
        >>> counted("images", 8000, 7999)
        ['7,999 images, the official release has 8,000']
    """
    return [] if expected == found else [f"{found:,} {note}, the official release has {expected:,}"]
