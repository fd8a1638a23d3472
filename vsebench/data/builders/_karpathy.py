"""Image-caption data with the split files of Karpathy and Fei-Fei: ``dataset_<name>.json``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt

from vsebench.core.errors import ConfigError, did_you_mean, known_names
from vsebench.core.shared_options import SharedOptions
from vsebench.data.builders._build import Build, Draft, counted
from vsebench.data.builders._features import FeatureSource, open_features
from vsebench.data.builders._json import RowModel, stream
from vsebench.data.builders.base import Progress
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter

SPLITS = {"train": "train", "restval": "train", "val": "val", "test": "test"}
GET = "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip (the split file)"


class Sentence(RowModel):
    """A caption."""

    raw: str


class Image(RowModel):
    """An image of the split file."""

    filename: str
    split: str
    sentences: list[Sentence]
    filepath: str = ""
    cocoid: int | None = None


@dataclass(frozen=True)
class CaptionOptions(SharedOptions):
    """Options of every dataset with such a split file.

    Args:
        captions: keep the first so many captions of an image; all by default.
        features: precomputed region features in the image's place: a folder of ``<id>.npy``, an HDF5 file, or a
            ``.npy``/``.mat`` array in the split file's order (``FILE:KEY``).
        images: store the images; without them there must be features.
        resize: longest side of stored images in pixels; larger ones are scaled down.
        skip_bad: leave bad images out, and count them in the provenance, instead of stopping.
    """

    captions: Annotated[int, Gt(0)] | None = None
    features: str | None = None
    images: bool = True
    resize: Annotated[int, Gt(0)] | None = None
    skip_bad: bool = False


@dataclass
class Captions:
    """One such dataset.

    Args:
        root: the source folder.
        file: the split file.
        folders: where the images may lie, relative to the root; the row's own ``filepath`` is tried below each.
        sizes: published number of images of each split.
        options: of the dataset.
        restval: split of COCO's ``restval`` images: ``train`` or ``rest``.
        fold_size: the test images make consecutive folds of so many; None for no folds.
        labels: id -> label names; None for unlabelled data.
    """

    root: Path
    file: Path
    folders: tuple[str, ...]
    sizes: Mapping[str, int]
    options: CaptionOptions
    restval: str = "train"
    fold_size: int | None = None
    labels: Mapping[str, tuple[str, ...]] | None = None
    seen: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def build(self, out: Path, progress: Progress, *, name: str, title: str, builder: str) -> None:
        """Write the dataset file.

        Raises: ConfigError without images and without features; DataError that lists every fault.
        """
        options = self.options
        if not options.images and options.features is None:
            raise ConfigError("without images there must be --features.", path=("images",))
        provenance: dict[str, Any] = {
            "builder": builder,
            "split_file": self.file.name,
            "restval": self.restval,
            "captions": options.captions,
            "features": None if options.features is None else Path(options.features).name,
            "resize": options.resize,
            "notes": [],
        }
        writer = DatasetWriter(
            out,
            name=name,
            title=title,
            multi_label=self.labels is not None,
            provenance=provenance,
        )
        source = None if options.features is None else open_features(options.features)
        place = str(self.file)
        with Build(self.root, writer, progress, place, skip_bad=options.skip_bad, resize=options.resize) as build:
            build.add(self._drafts(source), sum(self.sizes.values()))
            if source is not None:
                source.expect(sum(self.counts.values()))
            for split, size in self.sizes.items():
                build.notes += counted(f"{split} images", size, self.counts[split])
            for fold, size in writer.set_sizes().items():
                if size != self.fold_size:
                    writer.drop_set(fold)
                    build.notes.append(f"no {fold}: it would have {size:,} images instead of {self.fold_size:,}")

    def _drafts(self, source: FeatureSource | None) -> Iterator[Draft]:
        for position, (where, row, fault) in enumerate(stream(self.file, "images.item", Image)):
            if row is None:
                yield Draft(where, None, problems=(fault,))
                continue
            one = str(row.cocoid) if row.cocoid is not None else Path(row.filename).stem
            where = f"{where} (id '{one}')"
            texts = tuple(s.raw.strip() for s in row.sentences[: self.options.captions])
            split = {**SPLITS, "restval": self.restval}.get(row.split)
            problems = []
            if one in self.seen:
                problems.append(f"the id stands in {self.seen[one]} already")
            self.seen.setdefault(one, where.partition(" ")[0])
            if not texts:
                problems.append("image without captions")
            if split is None:
                problems.append(f"unknown split '{row.split}'." + did_you_mean(row.split, SPLITS) + known_names(SPLITS))
            features = None
            if source is not None:
                try:
                    features = {"image": source.get(one, position)}
                except OSError as error:
                    problems.append(str(error))
            label = None if self.labels is None else self.labels.get(one, ())
            item = Item(one, None, texts, label, split=split, features=features, sets=self._sets(split))
            self.counts[str(split)] += 1
            yield Draft(where, item, image=self._path(row) if self.options.images else None, problems=tuple(problems))

    def _sets(self, split: str | None) -> tuple[str, ...]:
        if split != "test" or self.fold_size is None:
            return ()
        return (f"fold_{self.counts['test'] // self.fold_size}",)

    def _path(self, row: Image) -> str:
        names = [f"{row.filepath}/{row.filename}"] if row.filepath else []
        names.append(row.filename)
        tried = [f"{folder}/{name}" if folder else name for folder in self.folders for name in names]
        return next((path for path in tried if os.path.isfile(self.root / path)), tried[0])
