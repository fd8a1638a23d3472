"""Wikipedia: sections of featured articles with their images (Rasiwasia et al. 2010)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from xml.etree import ElementTree

import numpy as np
from annotated_types import Gt

from vsebench.core.errors import DataError, Place
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import Build, Draft, counted, find, source_folder
from vsebench.data.builders._matrices import check_finite, read_matrix
from vsebench.data.builders.base import Progress
from vsebench.data.files import read_inside
from vsebench.data.item import Item
from vsebench.data.splits import make_splits
from vsebench.data.writer import DatasetWriter

SIZES = {"train": 2_173, "test": 693}
LISTS = {"train": "trainset_txt_img_cat.list", "test": "testset_txt_img_cat.list"}
ARRAYS = {"train": ("I_tr", "T_tr"), "test": ("I_te", "T_te")}


@DATASETS.register(
    "wikipedia",
    source="Rasiwasia et al. 2010, A new approach to cross-modal multimedia retrieval, ACM MM",
    get="http://www.svcl.ucsd.edu/projects/crossmodal/ (wikipedia_dataset)",
    licence="research; articles CC BY-SA",
    layout="raw_features.mat\ntrainset_txt_img_cat.list\ntestset_txt_img_cat.list\ncategories.list\n"
    "texts/<id>.xml and images/<category>/<id>.jpg (optional)",
    marker=("raw_features.mat",),
)
def wikipedia(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "wikipedia",
    title: str = "Wikipedia (Rasiwasia et al.)",
    val_share: Annotated[float, Gt(0)] = 0.1,
    seed: int = 0,
    resize: Annotated[int, Gt(0)] | None = None,
    skip_bad: bool = False,
) -> None:
    """Build the Wikipedia features: 128-d SIFT histograms of images, 10-d LDA topics of texts, ten categories.

    The official 2,173 training documents are divided into train and val by rule; the 693 test documents are the
    official ones. Retrieval is by category. Where the folders ``texts`` and ``images`` are there, documents have their
    texts and pictures beside the features.

    Args:
        out: the dataset file (wired).
        progress: told of every document (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it.
        val_share: share of the training documents that is for validation, < 1; stratified.
        seed: of that division.
        resize: longest side of stored pictures in pixels.
        skip_bad: leave bad documents out, and count them, instead of stopping.

    Raises: DataError that lists every fault by row: unknown category, id twice, missing text or picture; numbers of
    rows that differ between list and features; damaged files.

    Example:
        >>> wikipedia(Path("out.h5"), lambda done, total: None, source="wikipedia_dataset")  # doctest: +SKIP
    """
    root = source_folder(source)
    features = find(root, "raw_features.mat", what="the features")
    categories = [c for c in _lines(find(root, "categories.list", what="the categories")) if c]
    lists = {
        split: [row.split() for row in _lines(find(root, file, what="the list")) if row]
        for split, file in LISTS.items()
    }
    # List and features are files without ids: rows correspond by position alone, so that their number must agree.
    arrays = {split: [read_matrix(features, key) for key in keys] for split, keys in ARRAYS.items()}
    for split, pair in arrays.items():
        for key, values in zip(ARRAYS[split], pair, strict=True):
            check_finite(values, features)
            if len(values) != len(lists[split]):
                raise DataError(
                    f"'{key}' has {len(values):,} rows, but {LISTS[split]} has {len(lists[split]):,}.",
                    place=Place(str(features)),
                )
    place = str(root / LISTS["train"])
    validation = _validation(lists["train"], val_share, seed)
    with_texts, with_images = (root / "texts").is_dir(), (root / "images").is_dir()

    def drafts() -> Iterator[Draft]:
        seen: dict[str, str] = {}
        for split, rows in lists.items():
            for i, cells in enumerate(rows):
                where = f"{LISTS[split]}:{i + 1}"
                if len(cells) != 3 or not cells[2].isdigit():
                    yield Draft(where, None, problems=("text, image and number of the category are needed",))
                    continue
                text, image, number = cells[0], cells[1], int(cells[2])
                problems = []
                if not 1 <= number <= len(categories):
                    problems.append(f"category {number}, but there are {len(categories)}")
                if text in seen:
                    problems.append(f"id '{text}' stands in {seen[text]} already")
                seen.setdefault(text, where)
                category = categories[min(number, len(categories)) - 1]
                tokens = [np.asarray(values[i : i + 1], np.float32) for values in arrays[split]]
                item = Item(
                    text,
                    None,
                    (_article(root, f"texts/{text}.xml", problems),) if with_texts else (),
                    category,
                    split="val" if split == "train" and i in validation else split,
                    features={"image": tokens[0], "text": tokens[1]},
                    attributes={"image": image},
                )
                path = f"images/{category}/{image}.jpg" if with_images else None
                yield Draft(f"{where} (id '{text}')", item, image=path, problems=tuple(problems))

    provenance: dict[str, Any] = {
        "builder": "wikipedia",
        "split_rule": f"the official test documents; of the training ones {val_share:g} for val, seed {seed}",
        "texts": with_texts,
        "images": with_images,
        "resize": resize,
        "notes": [],
    }
    writer = DatasetWriter(
        out, name=name, title=title, label_names=categories, relevance="label", provenance=provenance
    )
    with Build(root, writer, progress, place, skip_bad=skip_bad, resize=resize) as build:
        for split, size in SIZES.items():
            build.notes += counted(f"{split} documents", size, len(lists[split]))
        shared = Counter(cells[1] for rows in lists.values() for cells in rows if len(cells) == 3)
        twice = sum(n > 1 for n in shared.values())
        if twice:
            build.notes.append(f"{twice} pictures belong to several documents")
        build.add(drafts(), sum(map(len, lists.values())))


def _validation(rows: list[list[str]], share: float, seed: int) -> set[int]:
    """Rows of the training list that are for validation; documents with the same picture stay together."""
    if not 0 < share < 1:
        raise DataError(f"val_share must be between 0 and 1. Got {share:g}.")
    category = np.unique([row[-1] for row in rows], return_inverse=True)[1]
    picture = np.unique([row[1] if len(row) > 1 else row[0] for row in rows], return_inverse=True)[1]
    made = make_splits(category, picture, fractions={"train": 1 - share, "val": share}, seed=seed)
    return set(made["val"].tolist())


def _lines(file: Path) -> list[str]:
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error}).", place=Place(str(file))) from None
    if not any(lines):
        raise DataError("has no rows.", place=Place(str(file)))
    return lines


def _article(root: Path, path: str, problems: list[str]) -> str:
    """Return the words of a section."""
    try:
        return " ".join(" ".join(ElementTree.fromstring(read_inside(root, path, "text")).itertext()).split())
    except OSError as error:
        problems.append(str(error))
    except (ElementTree.ParseError, ValueError) as error:
        problems.append(f"text '{path}' cannot be read ({error})")
    return "-"
