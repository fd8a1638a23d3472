"""MIRFLICKR-25K: Flickr photos with tags and 24 annotated concepts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from vsebench.core.errors import DataError, Place
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import find, source_folder
from vsebench.data.builders._hashing import HashingOptions, Protocol, Row, Sizes, bag, lines
from vsebench.data.builders.base import Progress

SIZES = Sizes(query=2_000, train=10_000, pairs=20_015)
CONCEPTS = (
    "animals",
    "baby",
    "bird",
    "car",
    "clouds",
    "dog",
    "female",
    "flower",
    "food",
    "indoor",
    "lake",
    "male",
    "night",
    "people",
    "plant_life",
    "portrait",
    "river",
    "sea",
    "sky",
    "structures",
    "sunset",
    "transport",
    "tree",
    "water",
)
ANNOTATIONS = ("mirflickr25k_annotations_v080", "annotations")


@DATASETS.register(
    "mirflickr25k",
    source="Huiskes and Lew 2008, The MIR Flickr retrieval evaluation; protocol: Jiang and Li 2017, arXiv:1602.02255",
    get="https://press.liacs.nl/mirflickr/ (mirflickr25k.zip, mirflickr25k_annotations_v080.zip)",
    licence="images under the Creative Commons licences of their authors",
    layout="mirflickr/im<n>.jpg\nmirflickr/meta/tags/tags<n>.txt\nmirflickr25k_annotations_v080/<concept>.txt, or\n"
    "arrays named by --image-features, --text-features, --labels-file",
    marker=("mirflickr", *ANNOTATIONS),
)
def mirflickr25k(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "mirflickr25k",
    title: str = "MIRFLICKR-25K",
    labels: Literal["potential", "relevant"] = "potential",
    min_tag_count: Annotated[int, Ge(1)] = 20,
    bag_of_tags: bool = True,
    options: HashingOptions = HashingOptions(),
) -> None:
    """Build MIRFLICKR-25K with the protocol of DCMH: 2,000 queries, 18,015 items in the database, 10,000 of them train.

    Only tags that occur at least 20 times count (1,386 officially), and only photos with such a tag and a concept take
    part (20,015). Tags are the text; beside it stands the exact bag of tags as text features.

    Args:
        out: the dataset file (wired).
        progress: told of every photo (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it.
        labels: ``potential`` (24 concepts, visible at all) or ``relevant`` (14 of them, files ``*_r1.txt``).
        min_tag_count: rarer tags do not count.
        bag_of_tags: keep the bag of tags, zeros and ones over the vocabulary, as text features.
        options: of the protocol; its fields are options.

    Raises: DataError that lists every fault: missing or corrupt photo, missing tags, a number that is no photo's; too
    few items for the protocol; arrays that do not belong together.

    Example:
        >>> mirflickr25k(Path("out.h5"), lambda done, total: None, source="mirflickr25k")  # doctest: +SKIP
    """
    root = source_folder(source)
    protocol = Protocol("mirflickr25k", out, progress, root, SIZES, name, title, options)
    if protocol.write_arrays(CONCEPTS):
        return
    folder = find(root, "mirflickr", what="the photos")
    numbers = sorted(int(f.stem[2:]) for f in folder.glob("im*.jpg") if f.stem[2:].isdigit())
    tagged = {int(f.stem[4:]) for f in (folder / "meta" / "tags").glob("tags*.txt") if f.stem[4:].isdigit()}
    concepts = _concepts(find(root, *ANNOTATIONS, what="the annotations"), labels, {*numbers, *tagged})
    tags = {n: _tags(folder / "meta" / "tags" / f"tags{n}.txt") for n in sorted({*numbers, *tagged})}
    counts = Counter(tag for values in tags.values() for tag in values or ())
    vocabulary = {tag: i for i, tag in enumerate(sorted(t for t, c in counts.items() if c >= min_tag_count))}
    rows, bags = [], []
    for n, values in tags.items():
        words = [tag for tag in values or () if tag in vocabulary]
        item_labels = tuple(c for c in concepts if n in concepts[c])
        problems = () if values is not None else (f"no tags{n}.txt",)
        if values is None or (words and item_labels):
            rows.append(Row(f"im{n}", f"im{n}", item_labels, " ".join(words), f"mirflickr/im{n}.jpg", problems))
            bags.append(words)

    def features(i: int) -> dict[str, np.ndarray]:
        return {"text": bag(bags[i], vocabulary)} if bag_of_tags else {}

    details = {"form": "raw", "labels": labels, "tags": list(vocabulary)}
    protocol.write(rows, features, list(concepts), str(root), details)


def _concepts(folder: Path, kind: str, photos: set[int]) -> dict[str, set[int]]:
    """Concept -> numbers of its photos."""
    suffix = "_r1" if kind == "relevant" else ""
    files = {c: folder / f"{c}{suffix}.txt" for c in CONCEPTS if (folder / f"{c}{suffix}.txt").is_file()}
    missing = [c for c in CONCEPTS if c not in files] if kind == "potential" else []
    if missing or not files:
        raise DataError(f"no annotations of {', '.join(missing) or 'relevant concepts'}.", place=Place(str(folder)))
    results: dict[str, set[int]] = {}
    for concept, file in files.items():
        number_lines = [line for line in lines(file) if line]
        wrong = [line for line in number_lines if not line.isdigit() or int(line) not in photos]
        if wrong:
            raise DataError(f"'{wrong[0][:40]}' is the number of no photo.", place=Place(str(file)))
        results[concept] = {int(line) for line in number_lines}
    return results


def _tags(file: Path) -> list[str] | None:
    """Return the distinct tags of a photo in the file's order, or None without a file."""
    return list(dict.fromkeys(t.lower() for t in lines(file) if t)) if file.is_file() else None
