"""Flickr8k."""

from __future__ import annotations

from pathlib import Path

from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import find, source_folder
from vsebench.data.builders._karpathy import GET, CaptionOptions, Captions
from vsebench.data.builders.base import Progress

FILE = "dataset_flickr8k.json"
SIZES = {"train": 6_000, "val": 1_000, "test": 1_000}


@DATASETS.register(
    "flickr8k",
    source="Hodosh et al. 2013; splits: Karpathy and Fei-Fei 2015, arXiv:1412.2306",
    get=f"https://hockenmaier.cs.illinois.edu/Framing_Image_Description/KCCA.html (images on request); {GET}",
    licence="images under Flickr's terms, for research",
    layout="dataset_flickr8k.json\nFlicker8k_Dataset/<name>.jpg",
    marker=(FILE,),
)
def flickr8k(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "flickr8k",
    title: str = "Flickr8k",
    options: CaptionOptions = CaptionOptions(),
) -> None:
    """Build Flickr8k with Karpathy's splits: images with five captions each, without labels.

    6,000 / 1,000 / 1,000 images.

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
        >>> flickr8k(Path("out.h5"), lambda done, total: None, source="flickr8k")  # doctest: +SKIP
    """
    root = source_folder(source)
    file = find(root, FILE, what="Karpathy's split file")
    data = Captions(
        root,
        file,
        ("Flicker8k_Dataset", "Flickr8k_Dataset", "Images", "images", ""),
        SIZES,
        options,
    )
    data.build(out, progress, name=name, title=title, builder="flickr8k")
