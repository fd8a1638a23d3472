"""MS COCO captions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Gt

from vsebench.core.errors import DataError, Place
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import find, source_folder
from vsebench.data.builders._json import M, RowModel, stream
from vsebench.data.builders._karpathy import GET, CaptionOptions, Captions
from vsebench.data.builders.base import Progress

FILE = "dataset_coco.json"
SIZES = {"train": 113_287, "val": 5_000, "test": 5_000}
INSTANCES = ("instances_train2014.json", "instances_val2014.json")


class _Category(RowModel):
    id: int
    name: str


class _Instance(RowModel):
    image_id: int
    category_id: int


@DATASETS.register(
    "coco",
    source="Lin et al. 2014, arXiv:1405.0312; Chen et al. 2015, arXiv:1504.00325; splits: Karpathy and Fei-Fei 2015",
    get=f"https://cocodataset.org/#download (2014 images, 2014 annotations for --labels instances); {GET}",
    licence="annotations CC BY 4.0; images under Flickr's terms",
    layout="dataset_coco.json\ntrain2014/<name>.jpg\nval2014/<name>.jpg\n"
    "annotations/instances_train2014.json, instances_val2014.json (only for labels)",
    marker=(FILE,),
)
def coco(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "coco",
    title: str = "MS COCO captions",
    labels: Literal["none", "instances"] = "none",
    restval: Literal["train", "rest"] = "train",
    fold_size: Annotated[int, Gt(0)] = 1000,
    options: CaptionOptions = CaptionOptions(),
) -> None:
    """Build COCO with Karpathy's splits: 113,287 / 5,000 / 5,000 images, five captions or a few more each.

    The sets ``fold_0`` to ``fold_4`` are the five consecutive thousands of the test images, in the split file's
    order: "5K" ranks among all test images, "1K" is the mean over the folds.

    Args:
        out: the dataset file (wired).
        progress: told of every image (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it.
        labels: ``instances`` gives every image the object categories in it (80, multi-label; an image may have none).
        restval: what the 30,504 ``restval`` images are: ``train``, as is standard, or ``rest``.
        fold_size: images of a fold.
        options: of datasets with such a split file; its fields are options.

    Raises: DataError that lists every fault by row: missing or corrupt image, image without captions, empty caption,
    unknown split, id twice, missing features; a file that is cut short.

    Example:
        >>> coco(Path("out.h5"), lambda done, total: None, source="coco", labels="instances")  # doctest: +SKIP
    """
    root = source_folder(source)
    data = Captions(
        root,
        find(root, FILE, what="Karpathy's split file"),
        ("", "images"),
        {**SIZES, "train": SIZES["train"] if restval == "train" else 82_783},
        options,
        restval=restval,
        fold_size=fold_size,
        labels=_instances(root) if labels == "instances" else None,
    )
    data.build(out, progress, name=name, title=title, builder="coco")


def _instances(root: Path) -> dict[str, tuple[str, ...]]:
    """Image id -> names of the categories that it shows, sorted."""
    results: dict[str, set[str]] = {}
    for name in INSTANCES:
        file = find(root, f"annotations/{name}", name, what="the instance annotations")
        names = {row.id: row.name for row in _rows(file, "categories.item", _Category)}
        for row in _rows(file, "annotations.item", _Instance):
            if row.category_id not in names:
                raise DataError(f"an instance is of unknown category {row.category_id}.", place=Place(str(file)))
            results.setdefault(str(row.image_id), set()).add(names[row.category_id])
    return {one: tuple(sorted(categories)) for one, categories in results.items()}


def _rows(file: Path, prefix: str, model: type[M]) -> Iterator[M]:
    for where, row, fault in stream(file, prefix, model):
        if row is None:
            raise DataError(f"{where}: {fault}", place=Place(str(file)))
        yield row
