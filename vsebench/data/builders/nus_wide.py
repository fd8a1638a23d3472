"""NUS-WIDE: Flickr photos with tags and 81 annotated concepts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge

from vsebench.core.errors import DataError, Place
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import find, source_folder
from vsebench.data.builders._hashing import HashingOptions, Protocol, Row, Sizes, bag, lines
from vsebench.data.builders.base import Progress

SIZES = Sizes(query=2_100, train=10_500, pairs=195_834)
PHOTOS = ("Flickr", "images")
TAGS = "NUS_WID_Tags"
WORDS = ("Low_Level_Features", "NUS_WID_Low_Level_Features/Low_Level_Features")


@DATASETS.register(
    "nus_wide",
    source="Chua et al. 2009, NUS-WIDE: a real-world web image database; protocol: Jiang and Li 2017, arXiv:1602.02255",
    get="https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html",
    licence="research; photos under Flickr's terms",
    layout="ImageList/Imagelist.txt\nConceptsList/Concepts81.txt\nGroundtruth/AllLabels/Labels_<concept>.txt\n"
    "NUS_WID_Tags/AllTags1k.txt\nNUS_WID_Tags/TagList1k.txt\nFlickr/<dir>/<file>.jpg (optional)\n"
    "Low_Level_Features/BoW_int.dat (optional), or\n"
    "arrays named by --image-features, --text-features, --labels-file",
    marker=("ImageList",),
)
def nus_wide(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "nus_wide",
    title: str = "NUS-WIDE",
    num_concepts: Annotated[int, Ge(1)] = 21,
    bag_of_tags: bool = True,
    images: bool = True,
    options: HashingOptions = HashingOptions(query_size=2_100, train_size=10_500),
) -> None:
    """Build NUS-WIDE with the protocol of DCMH: 2,100 queries, 10,500 training items from the rest, the database.

    The 21 most frequent concepts are the labels; photos with such a concept and one of the 1,000 tags take part
    (195,834 officially). Tags are the text; beside it stands the exact bag of tags as text features. Where the file of
    500 visual words is there, it is the image features. Tables are read a line at a time.

    Args:
        out: the dataset file (wired).
        progress: told of every photo (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it.
        num_concepts: so many of the most frequent concepts are labels.
        bag_of_tags: keep the bag of tags, zeros and ones over the 1,000 tags, as text features.
        images: store the photos, where the folder has them; without them there must be image features.
        options: of the protocol; its fields are options.

    Raises: DataError that lists every fault: missing or corrupt photo; tables of different lengths, or cells that are
    neither 0 nor 1, by line; too few items; arrays that do not belong together.

    Example:
        >>> nus_wide(Path("out.h5"), lambda done, total: None, source="nus-wide", images=False)  # doctest: +SKIP
    """
    root = source_folder(source)
    protocol = Protocol("nus_wide", out, progress, root, SIZES, name, title, options)
    if protocol.write_arrays(()):
        return
    listed = [
        line.replace("\\", "/") for line in lines(find(root, "ImageList/Imagelist.txt", what="the list of photos"))
    ]
    concepts, labels = _labels(root, len(listed), num_concepts)
    tag_file = find(root, f"{TAGS}/AllTags1k.txt", what="the tags")
    vocabulary = [w for w in lines(find(root, f"{TAGS}/TagList1k.txt", what="the list of tags")) if w]
    index = {word: i for i, word in enumerate(vocabulary)}
    tags = list(_tags(tag_file, len(vocabulary), len(listed)))
    folder = next((f for f in PHOTOS if (root / f).is_dir()), None) if images else None
    words = next((root / f / "BoW_int.dat" for f in WORDS if (root / f / "BoW_int.dat").is_file()), None)
    if folder is None and words is None:
        raise DataError("neither photos nor BoW_int.dat: there is no image modality.", place=Place(str(root)))
    visual = None if words is None else _visual_words(words, len(listed))
    remaining = [i for i in range(len(listed)) if labels[i].any() and len(tags[i])]
    rows = []
    for i in remaining:
        item_labels = tuple(concepts[k] for k in np.flatnonzero(labels[i]))
        text = " ".join(vocabulary[t] for t in tags[i])
        image = None if folder is None else f"{folder}/{listed[i]}"
        rows.append(Row(f"Imagelist.txt:{i + 1}", listed[i], item_labels, text, image))

    def features(i: int) -> dict[str, np.ndarray]:
        results = {"text": bag([vocabulary[t] for t in tags[remaining[i]]], index)} if bag_of_tags else {}
        return results if visual is None else {**results, "image": visual[remaining[i]][None].astype(np.float32)}

    details = {"form": "raw", "images": folder is not None, "visual_words": visual is not None}
    protocol.write(rows, features, concepts, str(root), details)


def _labels(root: Path, count: int, most: int) -> tuple[list[str], np.ndarray]:
    """Return the most frequent concepts, sorted, and uint8 (photos, concepts)."""
    folder = find(root, "Groundtruth/AllLabels", what="the labels")
    files = {f.stem.removeprefix("Labels_"): f for f in sorted(folder.glob("Labels_*.txt"))}
    if not files:
        raise DataError("no Labels_<concept>.txt.", place=Place(str(folder)))
    columns: dict[str, np.ndarray] = {}
    for concept, file in files.items():
        label_lines = lines(file)
        wrong = [n for n, line in enumerate(label_lines, start=1) if line not in ("0", "1")]
        if wrong:
            raise DataError("0 or 1 is needed.", place=Place(str(file), wrong[0]))
        if len(label_lines) != count:
            raise DataError(f"{len(label_lines):,} lines for {count:,} photos.", place=Place(str(file)))
        columns[concept] = np.array([line == "1" for line in label_lines], np.uint8)
    frequent = sorted(columns, key=lambda c: (-int(columns[c].sum()), c))[:most]
    return sorted(frequent), np.stack([columns[c] for c in sorted(frequent)], 1)


def _tags(file: Path, width: int, count: int) -> Iterator[np.ndarray]:
    """Numbers of the tags of each photo, int16."""
    number = 0
    with file.open("rb") as table:
        for number, line in enumerate(table, start=1):
            cells = line.split()
            values = np.array(cells)
            if len(cells) != width or not np.isin(values, (b"0", b"1")).all():
                raise DataError(f"{width} cells of 0 or 1 are needed.", place=Place(str(file), number))
            yield np.flatnonzero(values == b"1").astype(np.int16)
    if number != count:
        raise DataError(f"{number:,} lines for {count:,} photos.", place=Place(str(file)))


def _visual_words(file: Path, count: int) -> np.ndarray:
    """Histograms of visual words, int32 (photos, words)."""
    results: list[np.ndarray] = []
    with file.open("rb") as table:
        for number, line in enumerate(table, start=1):
            try:
                results.append(np.array(line.split(), np.int32))
            except (ValueError, OverflowError):
                raise DataError("whole numbers are needed.", place=Place(str(file), number)) from None
            if len(results[-1]) != len(results[0]) or not len(results[0]):
                raise DataError(
                    f"{len(results[-1])} numbers, {len(results[0])} before.", place=Place(str(file), number)
                )
    if len(results) != count:
        raise DataError(f"{len(results):,} lines for {count:,} photos.", place=Place(str(file)))
    return np.stack(results)
