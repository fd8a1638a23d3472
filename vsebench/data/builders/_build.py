"""What every builder does: read images and sounds, collect what is wrong, write, and decide at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from vsebench.core.errors import DataError, Place
from vsebench.data.builders._findings import lost_by_skipping, one_class_splits, refusal, split_notes
from vsebench.data.builders._images import Loaded, load_image, look_at, prefetch
from vsebench.data.builders._same import Same
from vsebench.data.builders.base import Progress
from vsebench.data.files import check_links, check_regular, read_inside, reason
from vsebench.data.item import Item
from vsebench.data.sound import load_sound
from vsebench.data.table import Table
from vsebench.data.writer import DatasetWriter

SHOWN = 5
VAL_SHARE = 0.1  # of train, where a source has splits of its own but none for validation


@dataclass(frozen=True)
class Draft:
    """An item whose image and sound are still files.

    Args:
        where: how messages call it: ``row 3 (id '17')``.
        item: everything else; None where the row could not be read.
        image, audio: path below the source folder, or the encoded bytes, or None.
        problems: what is known to be wrong with the row already.
        file_where: how messages on its files call it, where that is shorter: ``row 3``.
    """

    where: str
    item: Item | None
    image: str | bytes | None = None
    audio: str | bytes | None = None
    problems: tuple[str, ...] = ()
    file_where: str | None = None


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
        same: what is done with rows of one image or sound, and with ids that stand twice; None where the builder sees
            to both.
        rows: messages count rows, not faults, and a split with a single class is one.
        group_column: what the groups are called, for notes.

    Raises: DataError at the end of the block that lists every fault, when nothing is left, when there is nothing to
    tell apart, or no item to train or to test on.
    """

    root: Path
    writer: DatasetWriter
    progress: Progress
    place: str
    skip_bad: bool = False
    resize: int | None = None
    group_pixels: bool = False
    same: Same | None = None
    rows: bool = False
    group_column: str | None = None
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pixels: dict[int, str | None] = field(default_factory=dict)  # short digest -> first split
    crossing: set[int] = field(default_factory=set)
    dark: int = 0
    bad_items: int = 0
    given: int = 0
    given_splits: Counter[str | None] = field(default_factory=Counter)

    def __enter__(self) -> Build:
        self.writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        refused = None
        if kind is None:
            try:
                refused = self._verdict()
            except DataError as fault:
                refused = fault
        if refused is not None:
            self.writer.__exit__(DataError, refused, None)
            raise refused
        self.writer.__exit__(kind, error, trace)

    def _verdict(self) -> DataError | None:
        place = Place(self.place)
        if self.faults and not self.skip_bad:
            return DataError(self._advice(), problems=self.faults, place=place)
        if not len(self.writer):
            none = f"all {self.bad_items} rows are bad:" if self.rows else "there is no item without fault:"
            return DataError(none, problems=self.faults, place=place)
        writer, same = self.writer, self.same
        if same is not None:
            self.notes += same.settle(writer)
        fault = refusal(writer)
        if fault:
            return DataError(fault, place=place)
        if same is not None:
            single = one_class_splits(writer)
            if single and self.rows and writer.columns["split"][0] is not None:
                faults = [f"the {split} split has a single class ('{c}')" for split, c in single.items()]
                return DataError(f"{', '.join(faults)}; classification needs at least two.", place=place)
            self.notes += split_notes(writer, self.group_column)
        writer.provenance["skipped_rows"] = self.bad_items
        writer.provenance.setdefault("notes", [])
        writer.provenance["notes"] += [*self._leaks(), *self._dark(), *self.notes, *self._lost()]
        return None

    def _advice(self) -> str:
        """Return the first line of a message on faults: how many, and whether leaving them out is a way."""
        count = self.bad_items if self.rows else len(self.faults)
        noun = "bad row" if self.rows else "fault"
        many = f"{count} {noun}" if count == 1 else f"{count} {noun}s"
        it, them = ("it", "Mend it") if count == 1 else ("them", "Mend them")
        lost = lost_by_skipping(self.given, self.bad_items, self.given_splits, self.writer.columns["split"])
        if lost:
            return f"{many}. {them}; --skip-bad is no way out, it would leave {lost}:"
        if not self.rows:
            it = "the item" if count == 1 else "the items"
        return f"{many}. {them}, or leave {it} out with --skip-bad:"

    def _leaks(self) -> list[str]:
        count = len(self.crossing)
        return [f"{count:,} images with identical pixels stand in more than one split"] if count else []

    def _dark(self) -> list[str]:
        note = "images are nearly black (no value is an eighth of white), as 10 or 12 bits in a file of 16 are"
        return [f"{self.dark:,} {note}"] if self.dark else []

    def _lost(self) -> list[str]:
        return [f"left out: {fault}" for fault in self.faults[:SHOWN]] if self.faults else []

    def fault(self, where: str, what: str) -> None:
        """Remember a fault of a file that belongs to no item."""
        self.faults.append(f"{where}: {what}")

    def read(self, table: Table) -> None:
        """Take over what is said of a metadata file and what is wrong with it.

        Raises: DataError where a quote that is never closed has taken the rest of the file: that cannot be skipped.
        """
        self.notes += table.notes
        self.faults += table.problems
        self.bad_items += len(table.problems) + table.lost
        self.given += len(table.problems) + table.lost
        if table.cut and self.skip_bad:
            raise DataError(f"{table.problems[-1]}; that cannot be left out.", place=Place(str(table.file)))

    def add(self, drafts: Iterable[Draft], total: int | None = None) -> None:
        """Load the drafts' files and write the items, in order. Memory does not grow with their number."""
        for draft, image, sound, problems in prefetch(self._load, drafts):
            self.given += 1
            if draft.item is not None:
                self.given_splits[draft.item.split] += 1
            problems = [*self._twice(draft), *problems]
            if problems or draft.item is None:
                self.faults += problems
                self.bad_items += 1
            else:
                self._write(draft, image, sound)
            self.progress(self.given, total)

    def _twice(self, draft: Draft) -> list[str]:
        if self.same is None or draft.item is None:
            return []
        before = self.same.repeated(draft.item, draft.image, draft.audio, draft.where)
        if not before:
            return []
        if draft.file_where is None:
            return [f"{draft.where}: the id stands in {before}"]
        return [f"{draft.file_where}: id '{draft.item.id}' stands in {before}"]

    def _write(self, draft: Draft, image: Loaded | None, sound: bytes | None) -> None:
        assert draft.item is not None
        item, same = self._finished(draft.item, image, sound), self.same
        if same is not None:
            if same.merged(draft.item, draft.image, draft.audio, self.writer):
                return
            same.added(item, b"" if image is None else image.pixels)
        self.writer.add(item)

    def _load(self, draft: Draft) -> tuple[Draft, Loaded | None, bytes | None, list[str]]:
        where = draft.file_where or draft.where
        image, sound = None, None
        problems = []
        if draft.image is not None:
            if isinstance(draft.image, bytes):
                image = look_at(draft.image, "image", self.resize, lossless=draft.image[:4] == b"\x89PNG")
            else:
                image = load_image(self.root, draft.image, self.resize)
            problems += [f"{where}: {image.problem}"] if image.problem else []
        if draft.audio is not None:
            try:
                data = draft.audio
                sound = check_sound(data, "audio") if isinstance(data, bytes) else read_sound(self.root, data)
            except OSError as error:
                problems.append(f"{where}: {error}")
        problems += [f"{draft.where}: {p}" for p in draft.problems]
        if draft.item is not None and not draft.problems and not all(t.strip() for t in draft.item.texts):
            problems.append(f"{draft.where}: empty text")
        if draft.item is not None and not _is_text(draft.item):
            problems.append(f"{draft.where}: half of a surrogate pair (\\ud800 to \\udfff) is not a character")
        return draft, image, sound, problems

    def _finished(self, item: Item, image: Loaded | None, sound: bytes | None) -> Item:
        changes: dict[str, Any] = {}
        if sound is not None:
            changes["audio"] = sound
        if image is not None:
            changes["image"] = image.data
            self.dark += image.dark
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


def _is_text(item: Item) -> bool:
    """Return whether everything that is written of an item can be."""
    labels = item.label if isinstance(item.label, tuple) else (item.label,)
    names = [label for label in labels if isinstance(label, str)]
    texts = [
        item.id,
        item.group or "",
        *item.texts,
        *names,
        *chain(*(item.attributes or {}).items(), *(item.slices or {}).items()),
    ]
    try:
        "".join([*texts, *(item.answers or {})]).encode()
    except UnicodeEncodeError:
        return False
    return True


def read_sound(root: Path, path: str) -> bytes:
    """Return the bytes of a sound file with at least one sample.

    Raises: OSError that names the path.
    """
    return check_sound(read_inside(root, path, "audio"), f"audio '{path}'")


def check_sound(data: bytes, name: str) -> bytes:
    """Return the bytes themselves, of a sound that can be decoded to its end and has at least one sample.

    Raises: OSError with the name.
    """
    try:
        samples = load_sound(data)
    except OSError as error:
        raise OSError(f"{name}: {error}") from None
    if not len(samples):
        raise OSError(f"{name} has no samples")
    return data


def source_folder(source: str) -> Path:
    """Return the folder that ``--from`` names.

    Raises: DataError when there is none.
    """
    root = Path(source).expanduser()
    if not root.is_dir():
        raise DataError("no such folder.", place=Place(source))
    return root


def find(root: Path, *names: str, what: str) -> Path:
    """Return the first of some relative paths that exists below the folder: a folder or a regular file.

    Raises: DataError that lists where it was looked for, or for something that cannot be read.
    """
    for name in names:
        file = root / name
        if file.exists():
            try:
                check_links(root, file)
                if not file.is_dir():
                    check_regular(file)
            except OSError as error:
                raise DataError(f"cannot be read ({reason(error)}).", place=Place(str(file))) from None
            return file
    raise DataError(f"{what} not found: looked for {' or '.join(names)}.", place=Place(str(root)))


def counted(note: str, expected: int, count: int) -> list[str]:
    """Return a line where a published size differs from the actual one; empty where they agree.

    Example:
        >>> counted("images", 8000, 7999)
        ['7,999 images, the official release has 8,000']
    """
    return [] if expected == count else [f"{count:,} {note}, the official release has {expected:,}"]
