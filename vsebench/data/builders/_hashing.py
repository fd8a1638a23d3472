"""What the data of cross-modal hashing share: queries, database and training items, from raw files or from arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from vsebench.core.errors import ConfigError, DataError, Place
from vsebench.core.shared_options import SharedOptions
from vsebench.data.builders._build import Build, Draft, counted
from vsebench.data.builders._matrices import check_finite, read_matrix
from vsebench.data.builders.base import Progress
from vsebench.data.files import check_regular
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter

VAL_SHARE = 0.1
#: What the arrays are called in files in the wild.
IMAGE_KEYS = ("XAll", "IAll", "I", "X", "image_features", "images", "features")
TEXT_KEYS = ("YAll", "T", "Y", "text_features", "tags", "YTags")
LABEL_KEYS = ("LAll", "L", "labels", "label", "lab")


@dataclass(frozen=True)
class Sizes:
    """Of a protocol: queries, training items, and pairs in all as published."""

    query: int
    train: int
    pairs: int


def divide(count: int, query: int, train: int, seed: int) -> list[tuple[str, tuple[str, ...]]]:
    """Split and sets of every item: queries are ``test``; of the rest, the database, ``train`` items are drawn for
    training, a tenth of them for validation; what remains of the database is ``rest``.

    Raises: DataError for too few items.

    Example:
        >>> [s for s, _ in divide(12, 2, 5, 0)].count("rest")
        5
    """
    if query + train > count or query < 1 or train < 2:
        raise DataError(f"{count:,} items are too few for {query:,} queries and {train:,} training items.")
    order = np.random.default_rng(seed).permutation(count)
    result: list[tuple[str, tuple[str, ...]]] = [("rest", ("database",))] * count
    for i in order[:query]:
        result[i] = ("test", ("query",))
    chosen = order[query : query + train]
    validation = max(1, round(VAL_SHARE * train))
    for number, i in enumerate(chosen):
        result[i] = ("val" if number < validation else "train", ("database",))
    return result


@dataclass(frozen=True)
class Row:
    """An item before the protocol: a label of several, a text or none, an image file or none."""

    where: str
    id: str
    labels: tuple[str, ...]
    text: str | None = None
    image: str | None = None
    problems: tuple[str, ...] = ()


Features = Callable[[int], dict[str, np.ndarray]]


@dataclass(frozen=True)
class HashingOptions(SharedOptions):
    """Options of every dataset of cross-modal hashing.

    Args:
        image_features: array (items, D) in place of the images: ``.npy``, ``.npz``, ``.mat`` or text, as ``FILE`` or
            ``FILE:KEY``; with it the source folder needs no other file than these arrays.
        text_features: array (items, V), such as the bag of tags.
        labels_file: array (items, labels) of zeros and ones; needed with the two above.
        query_size: number of queries (split ``test``, set ``query``).
        train_size: number of training items, drawn from the rest (set ``database``); a tenth of them is ``val``.
        seed: of the draw.
        resize: longest side of stored images in pixels; larger ones are scaled down.
        skip_bad: leave bad items out, and count them, instead of stopping.
    """

    image_features: str | None = None
    text_features: str | None = None
    labels_file: str | None = None
    query_size: Annotated[int, Gt(0)] = 2_000
    train_size: Annotated[int, Gt(1)] = 10_000
    seed: int = 0
    resize: Annotated[int, Gt(0)] | None = None
    skip_bad: bool = False


@dataclass(frozen=True)
class Protocol:
    """How a builder's options say that the items become a dataset. Relevance is a shared label."""

    builder: str
    out: Path
    progress: Progress
    root: Path
    sizes: Sizes
    name: str
    title: str
    options: HashingOptions

    def write(
        self,
        rows: Sequence[Row],
        features: Features,
        label_names: Sequence[str],
        place: str,
        details: Mapping[str, Any],
    ) -> None:
        """Write the dataset file. ``features`` gives those of the i-th row.

        Raises: DataError that lists every fault; too few items.
        """
        options = self.options
        good = [i for i, row in enumerate(rows) if not row.problems]
        if not good:
            message = [f"{row.where}: {p}" for row in rows for p in row.problems]
            raise DataError("no item with a label and a text.", problems=message, place=Place(place))
        roles = dict(zip(good, divide(len(good), options.query_size, options.train_size, options.seed), strict=True))
        rule = (
            f"{options.query_size:,} queries for test; of the database {options.train_size:,} for training,"
            f" a tenth of them for val; seed {options.seed}"
        )
        provenance = {"builder": self.builder, **details, "split_rule": rule, "resize": options.resize, "notes": []}
        writer = DatasetWriter(
            self.out,
            name=self.name,
            title=self.title,
            label_names=label_names,
            multi_label=True,
            relevance="label",
            provenance=provenance,
        )
        with Build(self.root, writer, self.progress, place, skip_bad=options.skip_bad, resize=options.resize) as build:
            build.notes += counted("pairs", self.sizes.pairs, len(good))
            build.add(_drafts(rows, features, roles), len(rows))

    def write_arrays(self, official: Sequence[str]) -> bool:
        """Write the dataset file from arrays, where the options name some.

        Raises: ConfigError and DataError as :class:`Arrays`.
        """
        image, text = self.options.image_features, self.options.text_features
        if image is None and text is None:
            return False
        arrays = Arrays.read(image, text, self.options.labels_file, self.root)
        names = arrays.names(official)
        self.write(arrays.rows(names), arrays.features, names, arrays.place, {"form": "arrays"})
        return True


def _drafts(
    rows: Sequence[Row], features: Features, roles: Mapping[int, tuple[str, tuple[str, ...]]]
) -> Iterator[Draft]:
    seen: set[str] = set()
    for i, row in enumerate(rows):
        problems = list(row.problems)
        if row.id in seen:
            problems.append("the id stands twice")
        seen.add(row.id)
        texts = () if row.text is None else (row.text,)
        item = None
        if not problems:
            split, sets = roles[i]
            item = Item(row.id, None, texts, row.labels, split=split, features=features(i) or None, sets=sets)
        yield Draft(row.where, item, image=row.image, problems=tuple(problems))


@dataclass
class Arrays:
    """Features and labels that lie in files, a row for each item: ``FILE`` or ``FILE:KEY``.

    Raises: ConfigError without labels; DataError when numbers of rows differ, labels are not zeros and ones, or a file
    is damaged.
    """

    image: np.ndarray | None
    text: np.ndarray | None
    labels: np.ndarray
    place: str

    @classmethod
    def read(cls, image: str | None, text: str | None, labels: str | None, root: Path) -> Arrays:
        """Read what is given."""
        if labels is None:
            raise ConfigError(
                "features need --labels-file: an array of zeros and ones, a row an item.", path=("labels_file",)
            )
        results = {
            "image": _read(image, IMAGE_KEYS, root),
            "text": _read(text, TEXT_KEYS, root),
            "labels": _read(labels, LABEL_KEYS, root),
        }
        sizes = {name: len(values) for name, values in results.items() if values is not None}
        if len(set(sizes.values())) > 1:
            message = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
            raise DataError(f"the arrays have different numbers of rows: {message}.", place=Place(labels))
        selected = results["labels"]
        assert selected is not None
        if not np.isin(np.unique(selected), (0, 1)).all():
            raise DataError("labels must be zeros and ones, (items, labels).", place=Place(labels))
        return cls(results["image"], results["text"], selected.astype(np.uint8), labels)

    def rows(self, names: Sequence[str]) -> list[Row]:
        """Return the items, in the arrays' order."""
        tables = []
        for i, row in enumerate(self.labels):
            labels = tuple(names[k] for k in np.flatnonzero(row).tolist())
            tables.append(Row(f"row {i}", str(i), labels, problems=() if labels else ("no label",)))
        return tables

    def names(self, official: Sequence[str]) -> list[str]:
        """Names of the labels: the official ones where their number fits."""
        fits = len(official) == self.labels.shape[1]
        return list(official) if fits else [str(n) for n in range(self.labels.shape[1])]

    def features(self, i: int) -> dict[str, np.ndarray]:
        """Features of an item, (1, D) each."""
        given = {"image": self.image, "text": self.text}
        return {m: np.asarray(v[i : i + 1], np.float32) for m, v in given.items() if v is not None}


def _read(location: str | None, keys: Sequence[str], root: Path) -> np.ndarray | None:
    if location is None:
        return None
    name, _, key = location.partition(":")
    file = Path(name).expanduser()
    file = file if file.is_absolute() or file.exists() else root / name
    values = read_matrix(file, key or None, candidates=keys)
    if values.ndim != 2 or not values.shape[1]:
        raise DataError(f"an array of shape {values.shape}; (items, numbers) is needed.", place=Place(str(file)))
    check_finite(values, file)
    return values


def bag(words: Sequence[str], index: dict[str, int]) -> np.ndarray:
    """Zeros and ones over a vocabulary, float16 (1, V)."""
    result = np.zeros((1, len(index)), np.float16)
    result[0, [index[w] for w in words]] = 1
    return result


def lines(file: Path, encoding: str = "utf-8") -> list[str]:
    """Lines of a text file without white space around them, empty ones kept.

    Raises: DataError when it cannot be read.
    """
    try:
        check_regular(file)
        return [line.strip() for line in file.read_text(encoding=encoding).rstrip("\n").split("\n")]
    except FileNotFoundError:
        raise DataError("no such file.", place=Place(str(file))) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error}).", place=Place(str(file))) from None
