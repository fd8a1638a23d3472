"""Rows that show the same picture or hold the same sound: one item with several texts, or one group."""

from __future__ import annotations

import hashlib
import posixpath
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter, Relevance

OneItemPer = Literal["file", "row"]


class RowsDiffer(Exception):
    """Rows of one file cannot be one item: the build starts again with an item for each row."""


@dataclass(slots=True)
class _First:
    """The first row of a file: what the others must agree with, and where its item is."""

    id: str
    where: str
    rest: tuple[Any, ...]
    texts: set[int]
    slices: dict[str, str]
    position: int | None = None


@dataclass
class Same:
    """What a build does with rows of the same file, and with ids that stand twice.

    Args:
        one_item_per: ``file``: rows of one split that name the same file (or hold the same bytes), with the same label,
            are one item with several texts; ``row``: each is an item.
        relevance: what was asked for; None chooses ``group`` where items that show the same picture remain.
        apart: why each row is an item, where the rows themselves say so.
    """

    one_item_per: OneItemPer = "file"
    relevance: Relevance | None = None
    apart: str = ""
    ids: dict[str, str] = field(default_factory=dict)  # id -> where it stands first
    firsts: dict[int, _First] = field(default_factory=dict)
    digests: list[int | None] = field(default_factory=list)  # of each item's picture, else of its sound
    texts: Counter[int] = field(default_factory=Counter)  # of each item's first text and split
    joined: int = 0
    joined_items: set[int] = field(default_factory=set)

    def repeated(self, item: Item, image: str | bytes | None, audio: str | bytes | None, where: str) -> str:
        """Remember a row. Returns: ``row 2 already`` where its id stands in an earlier row; else an empty text.

        Raises: RowsDiffer for rows of one file with different ids, and different labels, groups or features.
        """
        short = where.partition(" (id ")[0]
        before = self.ids.setdefault(item.id, short)
        taken = f"{before} already" if before != short else ""
        first = self._first(item, image, audio, short)
        if first is None or first.where == short:
            return taken
        if first.slices != (item.slices or {}):
            return f"the item of {first.where}, with another slice (--one-item-per row makes an item of each row)"
        agrees = first.rest == _rest(item)
        if item.id != first.id:
            if not agrees:
                raise RowsDiffer(f"{first.where} and {short} name the same file with different labels or groups")
            return taken
        if not agrees:
            return f"{taken}, with another label or group (--one-item-per row makes an item of each row)"
        return "" if any(hash(text) not in first.texts for text in item.texts) else taken

    def merged(self, item: Item, image: str | bytes | None, audio: str | bytes | None, writer: DatasetWriter) -> bool:
        """Add the texts of a row to the item of its file, where there is one already."""
        first = self.firsts.get(_key(item, image, audio)) if self._may_merge(item) else None
        if first is None:
            return False
        if first.position is None:
            first.position = len(writer)
            first.texts = {hash(text) for text in item.texts}
            return False
        new = [text for text in item.texts if hash(text) not in first.texts]
        writer.add_texts(first.position, new)
        first.texts |= {hash(text) for text in new}
        self.joined += 1
        self.joined_items.add(first.position)
        return True

    def added(self, item: Item, pixels: bytes) -> None:
        """Remember what a new item shows."""
        stored = item.image or item.audio
        content = pixels or (hashlib.sha256(stored).digest() if stored else b"")
        if item.texts:
            self.texts[hash((item.texts[0], item.split))] += 1
        self.digests.append(int.from_bytes(content[:8], "little") if content else None)

    def settle(self, writer: DatasetWriter) -> list[str]:
        """Choose what is relevant, put both choices into the provenance, and say what they mean."""
        notes = []
        if self.joined:
            rows, items = self.joined + len(self.joined_items), len(self.joined_items)
            notes.append(
                f"{rows:,} rows name {items:,} files: the rows of a file are one item with several texts"
                " (--one-item-per row: an item each)"
            )
        if self.apart:
            notes.append(f"each row is an item: {self.apart}")
        notes += self._relevance(writer)
        sharing = sum(count for count in self.texts.values() if count > 1)
        if 2 * sharing > len(writer) and writer.meta["relevance"] == "item":
            notes.append(
                f"{sharing:,} of {len(writer):,} items have the text of another, which counts as wrong in retrieval"
                " (relevance 'item'; a group column and --relevance group make them matches)"
            )
        writer.provenance["one_item_per"] = "row" if self.apart else self.one_item_per
        writer.provenance["relevance"] = writer.meta["relevance"]
        return notes

    def _relevance(self, writer: DatasetWriter) -> list[str]:
        columns = writer.columns
        rows: dict[tuple[int, str | None], list[int]] = defaultdict(list)
        for i, (digest, split) in enumerate(zip(self.digests, columns["split"], strict=True)):
            if digest is not None and writer.has_texts(i):
                rows[digest, split].append(i)
        several = [positions for positions in rows.values() if len(positions) > 1]
        if not several or writer.meta["relevance"] != "item":
            return []
        count = sum(map(len, several))
        note = f"{count:,} items show {len(several):,} pictures or hold as many sounds"
        if self.relevance is None and self._groups_are_pictures(several, columns):
            writer.meta["relevance"] = "group"
            return [f"{note}: the texts of one are all relevant to it (relevance 'group')"]
        return [f"{note}, and the texts of the other items count as wrong (relevance 'item'; see --relevance group)"]

    def _groups_are_pictures(self, several: list[list[int]], columns: dict[str, list[Any]]) -> bool:
        """Return whether items of one group are those that show the same."""
        sizes = Counter(zip(columns["group"], columns["split"], strict=True))
        for positions in several:
            groups = {columns["group"][i] for i in positions}
            if len(groups) > 1 or sizes.pop((groups.pop(), columns["split"][positions[0]])) != len(positions):
                return False
        return not any(size > 1 for size in sizes.values())

    def _may_merge(self, item: Item) -> bool:
        return self.one_item_per == "file" and not self.apart and bool(item.texts)

    def _first(self, item: Item, image: str | bytes | None, audio: str | bytes | None, where: str) -> _First | None:
        if not self._may_merge(item) or (not image and not audio):
            return None
        new = _First(item.id, where, _rest(item), {hash(text) for text in item.texts}, dict(item.slices or {}))
        return self.firsts.setdefault(_key(item, image, audio), new)


def build_rows(attempt: Callable[[Same], None], one_item_per: OneItemPer, relevance: Relevance | None) -> None:
    """Run a build, and once more with an item for each row where rows of one file disagree."""
    try:
        attempt(Same(one_item_per, relevance))
    except RowsDiffer as difference:
        reason = str(difference)
    else:
        return
    attempt(Same(one_item_per, relevance, reason))


def _rest(item: Item) -> tuple[Any, ...]:
    """Return the values that rows of one file must share to be one item."""
    features = {m: hashlib.sha256(np.asarray(v).tobytes()).digest() for m, v in (item.features or {}).items()}
    return item.label, item.group, tuple(sorted(features.items()))


def _key(item: Item, image: str | bytes | None, audio: str | bytes | None) -> int:
    digest = hashlib.sha256(repr(item.split).encode())
    for part in (image, audio):
        content = part if isinstance(part, bytes) else posixpath.normpath(part or ".").encode()
        digest.update(len(content).to_bytes(8, "little") + content)
    return int.from_bytes(digest.digest()[:8], "little")
