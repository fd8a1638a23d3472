"""Flickr30k."""

from __future__ import annotations

from pathlib import Path

from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import find, source_folder
from vsebench.data.builders._karpathy import GET, CaptionOptions, Captions
from vsebench.data.builders.base import Progress

FILE = "dataset_flickr30k.json"
SIZES = {"train": 29_000, "val": 1_014, "test": 1_000}


@DATASETS.register(
    "flickr30k",
    source="Young et al. 2014; splits: Karpathy and Fei-Fei 2015, arXiv:1412.2306",
    get=f"https://shannon.cs.illinois.edu/DenotationGraph/ (images on request); {GET}",
    licence="images under Flickr's terms, for research; captions CC BY-SA 3.0",
    layout="dataset_flickr30k.json\nflickr30k-images/<name>.jpg",
    marker=(FILE,),
)
def flickr30k(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "flickr30k",
    title: str = "Flickr30k",
    options: CaptionOptions = CaptionOptions(),
) -> None:
    """Build Flickr30k with Karpathy's splits: images with five captions each, without labels.

    29,000 / 1,014 / 1,000 images; the 1,000 test images are the gallery of the published tables.

    Args:
        out: the dataset file (wired).
        progress: told of every image (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it.
        options: of datasets with such a split file; its fields are options.

    Raises: DataError that lists every fault by row: missing or corrupt image, image without captions, empty caption,
    unknown split, id twice, missing features; a split file that is cut short.

    Example:
        >>> flickr30k(Path("out.h5"), lambda done, total: None, source="flickr30k")  # doctest: +SKIP
    """
    root = source_folder(source)
    file = find(root, FILE, what="Karpathy's split file")
    data = Captions(
        root,
        file,
        ("flickr30k-images", "flickr30k_images", "images", ""),
        SIZES,
        options,
    )
    data.build(out, progress, name=name, title=title, builder="flickr30k")
