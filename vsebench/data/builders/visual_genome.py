"""Visual Genome: images with region descriptions, objects, attributes and relationships."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt
from pydantic import Field

from vsebench.core.errors import DataError, Place
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import Build, Draft, counted, find, source_folder
from vsebench.data.builders._json import M, RowModel, stream
from vsebench.data.builders._spill import Spill
from vsebench.data.builders.base import Progress
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter

IMAGES = 108_077
FOLDERS = ("VG_100K", "VG_100K_2", "images")
MOST_RELATIONSHIPS = 20  # kept of an image, as text


class _Image(RowModel):
    image_id: int
    width: Annotated[int, Gt(0)]
    height: Annotated[int, Gt(0)]


class _Region(RowModel):
    x: float
    y: float
    width: float
    height: float
    phrase: str


class _Regions(RowModel):
    id: int
    regions: list[_Region]


class _Object(RowModel):
    w: float
    h: float
    names: list[str] = Field(default_factory=list)
    synsets: list[str] = Field(default_factory=list)


class _Objects(RowModel):
    image_id: int
    objects: list[_Object]


class _Described(RowModel):
    attributes: list[str] | None = None


class _Attributes(RowModel):
    image_id: int
    attributes: list[_Described]


class _End(RowModel):
    name: str | None = None
    names: list[str] = Field(default_factory=list)

    def __str__(self) -> str:
        return self.name or (self.names[0] if self.names else "")


class _Relationship(RowModel):
    predicate: str
    subject: _End
    object: _End


class _Relationships(RowModel):
    image_id: int
    relationships: list[_Relationship]


@DATASETS.register(
    "visual_genome",
    source="Krishna et al. 2017, arXiv:1602.07332; VSE, section 4.1 (7,034 annotated images)",
    get="https://homes.cs.washington.edu/~ranjay/visualgenome/api.html",
    licence="CC BY 4.0",
    layout="image_data.json\nregion_descriptions.json\nobjects.json\nattributes.json\nrelationships.json\n"
    "VG_100K/<id>.jpg\nVG_100K_2/<id>.jpg",
    marker=("image_data.json",),
)
def visual_genome(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "visual_genome",
    title: str = "Visual Genome",
    label: Literal["object", "attributes"] = "object",
    num_labels: Annotated[int, Gt(1)] = 100,
    subset: Annotated[int, Gt(1)] | None = None,
    captions: Annotated[int, Gt(0)] | None = None,
    min_regions: Annotated[int, Ge(1)] = 1,
    seed: int = 0,
    resize: Annotated[int, Gt(0)] | None = None,
    skip_bad: bool = False,
) -> None:
    """Build Visual Genome: region descriptions as captions, each with its box.

    The class of an image is its dominant object: the WordNet synset whose boxes cover the largest area in sum. Only
    images whose class is among the ``num_labels`` most frequent take part; with ``label="attributes"`` an image has
    all its attributes among the ``num_labels`` most frequent. There is no official split: 80/10/10 by rule, stratified.
    The source's 7,034 images are no published subset: ``subset=7034`` draws as many by seed.

    Files are read a row at a time and joined by image id on disk, so that memory does not grow with them.

    Args:
        out: the dataset file (wired).
        progress: told of every image (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it.
        label: ``object`` (single-label) or ``attributes`` (multi-label).
        num_labels: number of labels.
        subset: draw so many of the images that have a label; None takes all.
        captions: keep the first so many regions of an image; all by default.
        min_regions: images with fewer regions are left out.
        seed: of the subset and the splits.
        resize: longest side of stored images in pixels; larger ones are scaled down, boxes with them.
        skip_bad: leave bad images out, and count them, instead of stopping.

    Raises: DataError that lists every fault by row: missing or corrupt image, empty phrase, id twice, rows that do not
    have the official fields; files that are cut short.

    Example:
        >>> visual_genome(Path("out.h5"), lambda done, total: None, source="vg", subset=7034)  # doctest: +SKIP
    """
    root = source_folder(source)
    provenance: dict[str, Any] = {
        "builder": "visual_genome",
        "label": label,
        "subset": subset,
        "boxes": "of each text",
        "resize": resize,
        "notes": [],
    }
    writer = DatasetWriter(
        out, name=name, title=title, multi_label=label == "attributes", provenance=provenance, seed=seed
    )
    index = find(root, "image_data.json", what="the list of images")
    with Spill() as spill, Build(root, writer, progress, str(root), skip_bad=skip_bad, resize=resize) as build:
        images = _ids(index, build)
        labels = _labels(root, label, images, build)
        frequent = Counter(one for result in labels.values() for one in result).most_common()
        names = [n for n, _ in sorted(frequent, key=lambda pair: (-pair[1], pair[0]))[:num_labels]]
        known = set(names)
        regions = _keep(root, "region_descriptions.json", _Regions, lambda r: r.id, spill, build)
        _keep(root, "relationships.json", _Relationships, lambda r: r.image_id, spill, build)
        chosen = [i for i in images if known & set(labels.get(i, ())) and regions.get(i, 0) >= min_regions]
        build.notes += counted("images", IMAGES, len(images))
        if len(chosen) < len(images):
            build.notes.append(f"{len(images) - len(chosen):,} images without a frequent label or regions are left out")
        if subset is not None:
            if subset > len(chosen):
                raise DataError(f"subset of {subset:,}, but only {len(chosen):,} images qualify.", place=Place(source))
            drawn = np.random.default_rng(seed).choice(len(chosen), subset, replace=False)
            chosen = [chosen[i] for i in sorted(drawn)]
        writer.label_names = sorted(known)

        def drafts() -> Iterator[Draft]:
            for image in chosen:
                item_labels = tuple(one for one in labels[image] if one in known)
                yield _draft(root, image, item_labels if label == "attributes" else item_labels[0], captions, spill)

        build.add(drafts(), len(chosen))


def _draft(root: Path, image: int, label: str | tuple[str, ...], captions: int | None, spill: Spill) -> Draft:
    regions = _Regions.model_validate_json(spill.get("region_descriptions.json", str(image)) or "").regions[:captions]
    message = spill.get("relationships.json", str(image))
    relationships = _Relationships.model_validate_json(message).relationships if message is not None else []
    messages = [f"{r.subject} {r.predicate.lower()} {r.object}" for r in relationships[:MOST_RELATIONSHIPS]]
    boxes = np.array([[r.x, r.y, r.x + r.width, r.y + r.height] for r in regions], np.float32)
    folder = next((f for f in FOLDERS if os.path.isfile(root / f / f"{image}.jpg")), FOLDERS[0])
    item = Item(
        str(image),
        None,
        tuple(r.phrase.strip() for r in regions),
        label,
        boxes=boxes,
        attributes={"relationships": "; ".join(messages)} if messages else None,
    )
    return Draft(f"image {image}", item, image=f"{folder}/{image}.jpg")


def _rows(root: Path, name: str, model: type[M], build: Build) -> Iterator[M]:
    for where, row, fault in stream(find(root, name, what="the annotations"), "item", model):
        if row is None:
            build.fault(f"{name} {where}", fault)
        else:
            yield row


def _ids(file: Path, build: Build) -> list[int]:
    results: dict[int, None] = {}
    for row in _rows(file.parent, file.name, _Image, build):
        if row.image_id in results:
            build.fault(file.name, f"image {row.image_id} stands twice")
        results[row.image_id] = None
    return list(results)


def _labels(root: Path, kind: str, images: list[int], build: Build) -> dict[int, tuple[str, ...]]:
    """Image -> its dominant synset, or all its attributes."""
    results: dict[int, tuple[str, ...]] = {}
    known = set(images)
    if kind == "object":
        for row in _rows(root, "objects.json", _Objects, build):
            # The class is what covers most of the scene; of equal areas the first name, whatever the order of the file.
            area: dict[str, float] = defaultdict(float)
            for one in row.objects:
                for synset in one.synsets[:1]:
                    area[synset] += one.w * one.h
            if row.image_id in results:
                build.fault("objects.json", f"image {row.image_id} stands twice")
            elif area and row.image_id in known:
                results[row.image_id] = (max(sorted(area), key=lambda s: area[s]),)
        return results
    for described in _rows(root, "attributes.json", _Attributes, build):
        names = {a.strip().lower() for one in described.attributes for a in one.attributes or () if a.strip()}
        if described.image_id in results:
            build.fault("attributes.json", f"image {described.image_id} stands twice")
        elif names and described.image_id in known:
            results[described.image_id] = tuple(sorted(names))
    return results


def _keep(root: Path, name: str, model: type[M], key: Any, spill: Spill, build: Build) -> dict[int, int]:
    """Put the rows of a file aside by image. Returns: image -> number of regions, for the file of regions."""
    sizes: dict[int, int] = {}
    for row in _rows(root, name, model, build):
        if key(row) in sizes:
            build.fault(name, f"image {key(row)} stands twice")
            continue
        sizes[key(row)] = len(row.regions) if isinstance(row, _Regions) else 0
        spill.put(name, str(key(row)), json.dumps(row.model_dump()))
    return sizes
