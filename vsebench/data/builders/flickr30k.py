"""Flickr30k."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Gt

from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import find, source_folder
from vsebench.data.builders._karpathy import GET, Captions
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
    captions: Annotated[int, Gt(0)] | None = None,
    features: str | None = None,
    images: bool = True,
    resize: Annotated[int, Gt(0)] | None = None,
    skip_bad: bool = False,
) -> None:
    """Build Flickr30k with Karpathy's splits: images with five captions each, without labels.

    29,000 / 1,014 / 1,000 images; the 1,000 test images are the gallery of the published tables.

    Args:
        out: the dataset file (wired).
        progress: told of every image (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it.
        captions: keep the first so many captions of an image; all by default.
        features: precomputed region features in the image's place: a folder of ``<id>.npy``, an HDF5 file, or a
            ``.npy``/``.mat`` array in the split file's order (``FILE:KEY``).
        images: store the images; without them there must be features.
        resize: longest side of stored images in pixels; larger ones are scaled down.
        skip_bad: leave bad images out, and count them in the provenance, instead of stopping.

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
        captions=captions,
        features=features,
        images=images,
    )
    data.build(out, progress, name=name, title=title, skip_bad=skip_bad, resize=resize, builder="flickr30k")
