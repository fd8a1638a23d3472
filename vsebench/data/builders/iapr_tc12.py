"""IAPR TC-12: photos with descriptions and the concepts of their segmented regions."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from vsebench.core.errors import DataError, Place
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import find, source_folder
from vsebench.data.builders._hashing import HashingOptions, Protocol, Row, Sizes, lines
from vsebench.data.builders.base import Progress

SIZES = Sizes(query=2_000, train=10_000, pairs=20_000)
DESCRIPTION = re.compile(r"<DESCRIPTION>(.*?)</DESCRIPTION>", re.DOTALL | re.IGNORECASE)


@DATASETS.register(
    "iapr_tc12",
    source="Grubinger et al. 2006; segmented: Escalante et al. 2010; protocol: Jiang and Li 2017, arXiv:1602.02255",
    get="https://www.imageclef.org/photodata (iaprtc12.tgz; saiapr_tc-12.rar for the concepts)",
    licence="free for research; copyright of viventura and the authors",
    layout="images/<dir>/<n>.jpg\nannotations_complete_eng/<dir>/<n>.eng\nsaiapr_tc-12/<dir>/labels.txt\n"
    "saiapr_tc-12/wlist.txt, or\narrays named by --image-features, --text-features, --labels-file",
    marker=("annotations_complete_eng", "saiapr_tc-12", "saiapr_tc12"),
)
def iapr_tc12(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "iapr_tc12",
    title: str = "IAPR TC-12",
    options: HashingOptions = HashingOptions(),
) -> None:
    """Build IAPR TC-12 with the protocol of DCMH: 2,000 queries, 18,000 items in the database, 10,000 of them train.

    The text of a photo is its English description; its labels are the concepts of its segmented regions (255 occur).

    Args:
        out: the dataset file (wired).
        progress: told of every photo (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it.
        options: of the protocol; its fields are options.

    Raises: DataError that lists every fault: missing or corrupt photo, a description that is missing or empty, a row of
    labels.txt that is not three numbers, an unknown concept; too few items; arrays that do not belong together.

    Example:
        >>> iapr_tc12(Path("out.h5"), lambda done, total: None, source="iaprtc12")  # doctest: +SKIP
    """
    root = source_folder(source)
    protocol = Protocol("iapr_tc12", out, progress, root, SIZES, name, title, options)
    if protocol.write_arrays(()):
        return
    texts = find(root, "annotations_complete_eng", what="the descriptions")
    regions = find(root, "saiapr_tc-12", "saiapr_tc12", what="the segmented regions")
    concepts = _concepts(find(regions, "wlist.txt", "../wlist.txt", what="the list of concepts"))
    labels = _labels(regions, concepts)
    used = sorted({concept for result in labels.values() for concept in result})
    rows = []
    for file in sorted(texts.glob("*/*.eng"), key=lambda f: (f.parent.name, f.stem)):
        one = f"{file.parent.name}/{file.stem}"
        if file.stem not in labels:
            continue  # the photos that were never segmented
        description = DESCRIPTION.search("\n".join(lines(file, "iso-8859-1")))
        text = " ".join(description[1].replace(";", " ").split()) if description else ""
        problems = () if text else ("no description",)
        rows.append(Row(f"photo {one}", one, labels[file.stem], text, f"images/{one}.jpg", problems))
    described = {row.id.partition("/")[2] for row in rows}
    rows += [
        Row(f"photo {n}", n, labels[n], problems=("segmented, but without a description file",))
        for n in sorted(set(labels) - described)
    ]

    def features(i: int) -> dict[str, np.ndarray]:
        return {}

    protocol.write(rows, features, used, str(root), {"form": "raw"})


def _concepts(file: Path) -> dict[int, str]:
    """Read the names of concepts by number. Lines are ``number name``."""
    results: dict[int, str] = {}
    for number, line in enumerate(lines(file, "iso-8859-1"), start=1):
        cells = line.split(None, 1)
        if not line:
            continue
        if len(cells) != 2 or not cells[0].isdigit():
            raise DataError("a number and a concept are needed.", place=Place(str(file), number))
        results[int(cells[0])] = cells[1].strip()
    return results


def _labels(folder: Path, concepts: dict[int, str]) -> dict[str, tuple[str, ...]]:
    """Read the concepts of each photo by its number. Rows are ``photo region concept``."""
    result: dict[str, dict[str, None]] = defaultdict(dict)
    files = sorted([*folder.glob("labels.txt"), *folder.glob("*/labels.txt")])
    if not files:
        raise DataError("no labels.txt.", place=Place(str(folder)))
    for file in files:
        for number, line in enumerate(lines(file), start=1):
            cells = line.split()
            if not cells:
                continue
            if len(cells) != 3 or not all(c.lstrip("-").isdigit() for c in cells):
                raise DataError("photo, region and concept are needed, three numbers.", place=Place(str(file), number))
            concept = int(cells[2])
            if concept not in concepts:
                raise DataError(f"concept {concept} is not in the list.", place=Place(str(file), number))
            result[cells[0]][concepts[concept]] = None
    return {photo: tuple(sorted(names)) for photo, names in result.items()}
