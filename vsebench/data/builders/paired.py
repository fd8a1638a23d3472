"""Two datasets joined into one of more modalities, by id or by class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vsebench.core.errors import ConfigError, DataError
from vsebench.core.home import datasets_home
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import Build, Draft
from vsebench.data.builders._same import Same
from vsebench.data.builders.base import Progress
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter, Relevance

MODALITIES = ("image", "text", "audio")


@DATASETS.register(
    "paired",
    source="pairing by class as in AV-MNIST: Vielzeuf et al. 2018, arXiv:1808.07275",
    layout="a dataset built before (name or .h5 file); the other one is named by --other",
)
def paired(
    out: Path,
    progress: Progress,
    *,
    source: str,
    other: str,
    by: Literal["id", "class"] = "id",
    missing: Literal["drop", "keep"] = "drop",
    relevance: Relevance | None = None,
    name: str | None = None,
    title: str | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> None:
    """Join the modalities of two datasets.

    Each dataset gives the modalities that it has and the other one lacks; the first wins where both have one. Splits,
    groups, attributes and ids are the first one's.

    - ``by="id"``: items of the same id belong together; their labels must agree.
    - ``by="class"``: within each split, items of a class are paired in seeded random order, each at most once. Such
      pairs share a class and nothing else, so that retrieval counts any item of the class, and a model must not be
      asked which sound belongs to which image.

    Args:
        out: the dataset file (wired).
        progress: told of every item (wired).
        source: the first dataset: a name or an .h5 file.
        other: the second one.
        by: the rule.
        missing: items of the first one without a partner: ``drop`` them, or ``keep`` them without the modality.
        relevance: what is a match in retrieval: an item's own texts, those of its group, or those of all items of its
            class. By default the first dataset's; ``label`` with ``by="class"``; ``group`` where items show the same
            picture.
        name: of the dataset; the name of ``out`` by default.
        title: how boards call it; the name by default.
        seed: of the pairing by class.
        skip_bad: leave pairs with labels that differ out, and count them, instead of stopping.

    Raises: ConfigError when the second adds no modality; DataError for label names that differ, pairs with labels that
    differ, or no pair at all.

    Example:
        >>> paired(Path("out.h5"), lambda done, total: None, source="mnist", other="fsdd", by="class")
        ... # doctest: +SKIP
    """
    first, second = _open(source), _open(other)
    added = tuple(m for m in MODALITIES if second.has(m) and not first.has(m))
    if not added:
        raise ConfigError(f"'{other}' has no modality that '{source}' lacks.", path=("other",))
    if first.label_names != second.label_names or first.multi_label != second.multi_label:
        raise DataError(f"the labels of '{source}' and '{other}' are not the same.")
    partner = _by_id(first, second) if by == "id" else _by_class(first, second, seed)
    alone = int((partner < 0).sum())
    provenance: dict[str, Any] = {
        "builder": "paired",
        "pairing": f"by {by}" + (f", seed {seed}" if by == "class" else ""),
        "first": {"name": first.name, "fingerprint": first.fingerprint, "provenance": first.provenance},
        "second": {"name": second.name, "fingerprint": second.fingerprint, "provenance": second.provenance},
        "split_rule": first.provenance.get("split_rule", ""),
        "notes": [f"{alone:,} items of '{first.name}' have no partner ({missing})"] if alone else [],
    }
    if by == "class":
        provenance["notes"].append("paired by class: retrieval counts any item of the class")
    writer = DatasetWriter(
        out,
        name=name or out.stem,
        title=title or name or out.stem,
        label_names=first.label_names or None,
        multi_label=first.multi_label,
        relevance=relevance or ("label" if by == "class" else first.relevance),
        provenance=provenance,
    )
    splits = {int(p): s for s, rows in first.splits.items() for p in rows}

    def drafts() -> Iterator[Draft]:
        for i, one in enumerate(first.ids):
            match = int(partner[i])
            if match < 0 and missing == "drop":
                continue
            problems: tuple[str, ...] = ()
            if match >= 0 and not np.array_equal(first.labels[i], second.labels[match]):
                problems = (f"its labels differ from those of '{second.ids[match]}' in '{other}'",)
            yield Draft(f"id '{one}'", _joined(first, i, second, match, added, splits[i]), problems=problems)

    same = Same("row", relevance)
    with Build(Path(), writer, progress, f"{source} + {other}", skip_bad=skip_bad, same=same) as build:
        build.add(drafts(), len(first) if missing == "keep" else len(first) - alone)


def _joined(first: Dataset, i: int, second: Dataset, match: int, added: tuple[str, ...], split: str) -> Item:
    def of(modality: str) -> tuple[Dataset, int]:
        return (second, match) if modality in added else (first, i)

    def features() -> Iterator[tuple[str, np.ndarray]]:
        for modality in MODALITIES:
            data, at = of(modality)
            if at >= 0 and modality in data.feature_dims:
                yield modality, data.item_features(modality, at)

    image, text, sound = of("image"), of("text"), of("audio")
    labels = first.labels[i]
    return Item(
        first.ids[i],
        image[0].image_bytes(image[1]) if image[1] >= 0 else None,
        tuple(text[0].texts(text[1])) if text[1] >= 0 else (),
        (tuple(np.flatnonzero(labels).tolist()) if first.multi_label else int(labels)) if first.num_classes else None,
        split=split,
        group=str(int(first.groups[i])),
        landmarks=first.landmarks(i),
        boxes=first.boxes(i),
        attributes=first.attributes(i),
        audio=sound[0].audio_bytes(sound[1]) if sound[1] >= 0 else None,
        features=dict(features()) or None,
        sets=tuple(name for name, rows in first.sets.items() if i in rows),
    )


def _by_id(first: Dataset, second: Dataset) -> np.ndarray:
    """Position of each item's partner, or -1."""
    position = {one: i for i, one in enumerate(second.ids)}
    return np.array([position.get(one, -1) for one in first.ids], np.int64)


def _by_class(first: Dataset, second: Dataset, seed: int) -> np.ndarray:
    if first.multi_label or not first.num_classes:
        raise DataError("pairing by class needs one label for each item.")
    partner = np.full(len(first), -1, np.int64)
    for s, (split, rows) in enumerate(first.splits.items()):
        theirs = second.splits.get(split, np.empty(0, np.int64))
        for label in np.unique(first.labels[rows]):
            rng = np.random.default_rng([seed, s, int(label)])
            ours = rows[first.labels[rows] == label]
            matches = rng.permutation(theirs[second.labels[theirs] == label])[: len(ours)]
            partner[rng.permutation(ours)[: len(matches)]] = matches
    return partner


def _open(location: str) -> Dataset:
    return Dataset.open(Path(location).expanduser() if location.endswith(".h5") else datasets_home() / f"{location}.h5")
