"""Fashion Product Images: product photos with title, category and attributes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

from vsebench.core.errors import DataError, Place, did_you_mean, known_names
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import Build, Draft, counted, find, source_folder
from vsebench.data.builders._cells import Cells
from vsebench.data.builders._same import Same
from vsebench.data.builders.base import Progress
from vsebench.data.item import Item
from vsebench.data.table import read_table
from vsebench.data.vocabulary import split_words
from vsebench.data.writer import DatasetWriter

PRODUCTS = 44_446
COLUMNS = (
    "id",
    "gender",
    "masterCategory",
    "subCategory",
    "articleType",
    "baseColour",
    "season",
    "year",
    "usage",
    "productDisplayName",
)


@DATASETS.register(
    "fashion_products",
    source="Fashion Product Images (Kaggle, paramaggarwal/fashion-product-images-dataset)",
    get="https://www.kaggle.com/datasets/paramaggarwal/fashion-product-images-dataset (or …-small)",
    licence="listed as MIT; photos and titles remain their owners'",
    layout="styles.csv\nimages/<id>.jpg",
    marker=("styles.csv",),
)
def fashion_products(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "fashion_products",
    title: str = "Fashion Product Images",
    label: Literal["masterCategory", "subCategory", "articleType", "baseColour", "season", "usage", "gender"] = (
        "articleType"
    ),
    mask_label: bool = False,
    min_class_size: Annotated[int, Ge(1)] = 1,
    seed: int = 0,
    resize: Annotated[int, Gt(0)] | None = None,
    skip_bad: bool = False,
) -> None:
    """Build Fashion Product Images from ``styles.csv``: one item for each product, its title as text.

    Splits 80/10/10 by rule, stratified; products with identical pixels stay together, and where there are such, each
    other's titles are relevant. Some titles hold commas that the
    file does not quote: surplus cells belong to the title, its last column.

    Args:
        out: the dataset file (wired).
        progress: told of every product (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it.
        label: the column that is the class.
        mask_label: leave the words of the class's name, singular and plural, out of the title. Most titles name the
            article, so that classification from ``text`` is reading; retrieval wants the whole title.
        min_class_size: rarer classes are left out, and counted in a note.
        seed: of the splits.
        resize: longest side of stored photos in pixels; larger ones are scaled down.
        skip_bad: leave bad products out, and count them, instead of stopping.

    Raises: DataError that lists every fault by row: missing or corrupt photo, empty title or label, id twice.

    Example:
        >>> fashion_products(Path("out.h5"), lambda done, total: None, source="fashion", min_class_size=50)
        ... # doctest: +SKIP
    """
    root = source_folder(source)
    file = find(root, "styles.csv", what="the products")
    table = read_table(file, surplus="productDisplayName")
    missing = [c for c in COLUMNS if c not in table.columns]
    if missing:
        raise DataError(
            f"no column '{missing[0]}'."
            + did_you_mean(missing[0], table.columns)
            + known_names(table.columns, "Columns"),
            place=Place(str(file), 1),
        )
    sizes = Counter(row.cells[label].strip() for row in table.rows)
    rare = {c for c, n in sizes.items() if n < min_class_size}
    remaining = [row for row in table.rows if row.cells[label].strip() not in rare]

    reader = Cells()

    def drafts() -> Iterator[Draft]:
        for row in remaining:
            cells = {c: row.cells[c].strip() for c in COLUMNS}
            one, item_id = cells["id"], cells[label]
            problems = []
            if not one:
                problems.append("empty id")
            if reader.missing(item_id):
                problems.append(f"empty {label}")
            text = cells["productDisplayName"]
            if reader.missing(text) and text:
                problems.append("empty text")
            if mask_label:
                text = without_words(text, item_id)
            attributes = {c: cells[c] for c in COLUMNS[1:-1]}
            item = Item(one, None, (text,), item_id, attributes=attributes)
            yield Draft(f"row {row.number} (id '{one}')", item, image=f"images/{one}.jpg", problems=tuple(problems))

    provenance: dict[str, Any] = {
        "builder": "fashion_products",
        "label": label,
        "mask_label": mask_label,
        "min_class_size": min_class_size,
        "resize": resize,
        "notes": [],
    }
    writer = DatasetWriter(out, name=name, title=title, provenance=provenance, seed=seed)
    with Build(
        root, writer, progress, str(file), skip_bad=skip_bad, resize=resize, group_pixels=True, same=Same("row")
    ) as build:
        build.read(table)
        build.notes += counted("products", PRODUCTS, len(table.rows) + len(table.problems))
        if rare:
            lost = sum(sizes[c] for c in rare)
            build.notes.append(f"{len(rare)} classes of fewer than {min_class_size} products ({lost:,}) are left out")
        build.add(drafts(), len(remaining))


def without_words(text: str, label: str) -> str:
    """Return the text without the words of the label, in singular and plural; the text itself where nothing would be
    left.

    Example:
        >>> without_words("Nike Men T-Shirts and Watch", "Tshirts")
        'Nike Men and Watch'
        >>> without_words("Titan Women Silver Watch", "Watches")
        'Titan Women Silver'
    """
    forms = set()
    for word in [*split_words(label), "".join(split_words(label))]:
        stems = {word, word.removesuffix("s"), word.removesuffix("es")}
        forms |= {form for stem in stems if len(stem) > 1 for form in (stem, f"{stem}s", f"{stem}es")}
    remaining = [word for word in text.split() if re.sub(r"[\W_]+", "", word.lower()) not in forms]
    return " ".join(remaining) or text
