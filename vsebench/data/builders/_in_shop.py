"""DeepFashion In-shop Clothes Retrieval: the public counterpart of MMFRB."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vsebench.core.errors import DataError, Place
from vsebench.data.builders._build import Build, Draft, counted, find
from vsebench.data.builders._json import RowModel, stream
from vsebench.data.builders.base import Progress
from vsebench.data.item import Item
from vsebench.data.splits import make_splits
from vsebench.data.writer import DatasetWriter

TITLE = "MMFRB, DeepFashion In-shop edition"
PARTITION = ("Eval/list_eval_partition.txt", "list_eval_partition.txt")
DESCRIPTIONS = ("Anno/list_description_inshop.json", "list_description_inshop.json")
LANDMARKS = ("Anno/list_landmarks_inshop.txt", "list_landmarks_inshop.txt")
BOXES = ("Anno/list_bbox_inshop.txt", "list_bbox_inshop.txt")
IMAGES = ("Img", "")
SIZES = {"train": 25_882, "query": 14_218, "gallery": 12_612}
MOST_LANDMARKS = 8  # full-body clothes; upper-body ones have 6, lower-body ones 4
VISIBLE, POINT = 0, 3  # a landmark is three numbers: visibility (0 visible, 1 hidden, 2 outside), x, y


class Description(RowModel):
    """What the shop says of an item."""

    item: str
    color: str = ""
    description: list[str]


def build_in_shop(
    out: Path,
    progress: Progress,
    root: Path,
    *,
    relevance: Literal["group", "label"],
    protocol: Literal["ours", "official"],
    seed: int,
    resize: int | None,
    skip_bad: bool,
) -> None:
    """Write the dataset file from the official files.

    Raises: DataError that lists every fault by row.
    """
    partition = find(root, *PARTITION, what="the official partition")
    rows = list(_table(partition, 3))
    texts, colours = _descriptions(find(root, *DESCRIPTIONS, what="the item descriptions"))
    marks = {name: cells for _, name, cells in _table(find(root, *LANDMARKS, what="the landmarks"), None)}
    boxes = {name: cells for _, name, cells in _table(find(root, *BOXES, what="the boxes"), 7)}
    splits = _splits([(name, cells[0], cells[1]) for _, name, cells in rows], protocol, seed)
    provenance: dict[str, Any] = {
        "builder": "mmfrb",
        "edition": "in_shop",
        "protocol": protocol,
        "split_rule": {
            "ours": f"80/10/10 train/val/test, stratified by category, whole items, seed {seed}",
            "official": f"the official train images, 10 % of their items for val (seed {seed}); "
            "test is the official query and gallery",
        }[protocol],
        "boxes": "the garment",
        "resize": resize,
        "notes": [],
    }
    writer = DatasetWriter(out, name="mmfrb", title=TITLE, relevance=relevance, provenance=provenance)
    base = next((b for b in IMAGES if os.path.isfile(root / b / rows[0][1])), IMAGES[0])

    def drafts() -> Iterator[Draft]:
        seen: dict[str, int] = {}
        for number, name, (item, status) in rows:
            problems = []
            if name in seen:
                problems.append(f"the image stands in line {seen[name]} already")
            seen.setdefault(name, number)
            if status not in SIZES:
                problems.append(f"unknown status '{status}'; train, query or gallery is known")
            if not texts.get(item):
                problems.append(f"item '{item}' has no description")
            category = "/".join(Path(name).parts[1:3])
            if len(Path(name).parts) < 5:
                problems.append("the path is not img/GENDER/CATEGORY/ITEM/FILE")
            landmarks = _landmarks(name, marks, problems)
            box = _box(name, boxes, problems)
            facts = {"partition": status, "item": item, "colours": ", ".join(colours.get(item, ()))}
            draft = Item(
                name,
                None,
                texts.get(item, ()),
                category,
                split=splits.get(name, "train"),
                group=item,
                landmarks=landmarks,
                boxes=box,
                attributes=facts,
                sets=(status,) if protocol == "official" and status != "train" else (),
            )
            where = f"line {number} (image '{name}')"
            yield Draft(where, draft, image=f"{base}/{name}" if base else name, problems=tuple(problems))

    with Build(root, writer, progress, str(partition), skip_bad=skip_bad, resize=resize) as build:
        for status, size in SIZES.items():
            build.notes += counted(f"{status} images", size, sum(cells[1] == status for _, _, cells in rows))
        build.add(drafts(), len(rows))


def _splits(rows: list[tuple[str, str, str]], protocol: str, seed: int) -> dict[str, str]:
    """Image -> split. Whole items stay together, categories are spread evenly."""
    protocol_rows = [row for row in rows if protocol == "ours" or row[2] == "train"]
    fractions = {"train": 0.8, "val": 0.1, "test": 0.1} if protocol == "ours" else {"train": 0.9, "val": 0.1}
    if not protocol_rows:
        return {name: "test" for name, _, _ in rows}
    category = np.unique(["/".join(Path(name).parts[1:3]) for name, _, _ in protocol_rows], return_inverse=True)[1]
    items = np.unique([item for _, item, _ in protocol_rows], return_inverse=True)[1]
    results = {name: "test" for name, _, _ in rows}
    for split, positions in make_splits(category, items, fractions=fractions, seed=seed).items():
        results |= {protocol_rows[p][0]: split for p in positions}
    return results


def _table(file: Path, width: int | None) -> Iterator[tuple[int, str, list[str]]]:
    """Rows of the dataset's tables: (line, image, cells). Line 1 says how many there are, line 2 names the columns.

    Raises: DataError for another number of rows or cells.
    """
    place = Place(str(file))
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error}).", place=place) from None
    if len(lines) < 3 or not lines[0].strip().isdigit():
        raise DataError("line 1 must say the number of rows, line 2 name the columns.", place=Place(str(file), 1))
    rows = [(number, line.split()) for number, line in enumerate(lines[2:], start=3) if line.strip()]
    if len(rows) != int(lines[0]):
        raise DataError(f"line 1 says {int(lines[0]):,} rows, but there are {len(rows):,}.", place=place)
    for number, cells in rows:
        if width is not None and len(cells) != width:
            raise DataError(f"{len(cells)} cells where {width} are needed.", place=Place(str(file), number))
        yield number, cells[0], cells[1:]


def _descriptions(file: Path) -> tuple[dict[str, tuple[str, ...]], dict[str, list[str]]]:
    """Item -> its distinct descriptions (one for a colour that differs), and item -> its colours."""
    texts: dict[str, dict[str, None]] = {}
    colours: dict[str, list[str]] = {}
    problems = []
    for where, row, fault in stream(file, "item", Description):
        if row is None:
            problems.append(f"{where}: {fault}")
            continue
        text = " ".join(line.strip() for line in row.description if line.strip())
        if text:
            texts.setdefault(row.item, {})[text] = None
        if row.color:
            colours.setdefault(row.item, []).append(row.color)
    if problems:
        raise DataError(f"{len(problems)} descriptions cannot be read:", problems=problems, place=Place(str(file)))
    return {item: tuple(values) for item, values in texts.items()}, colours


def _landmarks(name: str, rows: dict[str, list[str]], problems: list[str]) -> np.ndarray | None:
    """Float (8, 3): x, y, visible; rows that this kind of clothes does not have are zeros."""
    cells = rows.get(name)
    if cells is None:
        problems.append("no landmarks")
        return None
    try:
        numbers = np.array([int(c) for c in cells[2:]], np.float32)
        points = numbers.reshape(-1, POINT)
    except ValueError:
        problems.append(f"landmarks '{' '.join(cells)[:60]}' are not triples of numbers")
        return None
    marks = np.zeros((MOST_LANDMARKS, POINT), np.float32)
    if len(points) > MOST_LANDMARKS:
        problems.append(f"{len(points)} landmarks, at most {MOST_LANDMARKS} are known")
        return None
    marks[: len(points), :2] = points[:, 1:]
    marks[: len(points), 2] = points[:, 0] == VISIBLE
    return marks


def _box(name: str, rows: dict[str, list[str]], problems: list[str]) -> np.ndarray | None:
    cells = rows.get(name)
    if cells is None:
        problems.append("no box")
        return None
    try:
        return np.array([[int(c) for c in cells[2:]]], np.float32)
    except ValueError:
        problems.append(f"box '{' '.join(cells[2:])}' is not four numbers")
        return None
