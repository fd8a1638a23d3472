"""What is wrong with a dataset file."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from vsebench.core.errors import DataError
from vsebench.core.files import writing
from vsebench.data.dataset import Dataset
from vsebench.data.fingerprint import content_digest, item_digest
from vsebench.data.item import SPLITS
from vsebench.data.pixels import open_rgb
from vsebench.data.seal import SUM, seal, sum_of
from vsebench.data.sound import load_sound
from vsebench.data.writer import answers_text

CHANGED = "the content does not match the fingerprint: the file was changed or damaged"


def check(dataset: Dataset) -> list[str]:
    """Everything that is wrong with the file, a line each; empty when it is sound.

    The fingerprint is computed again from the content, every image decoded, every split looked at.
    """
    problems = _check_splits(dataset)
    parts = []
    split = np.full(len(dataset), -1, np.int8)
    for name, rows in dataset.splits.items():
        split[rows] = SPLITS.index(name)
    for i, one in enumerate(dataset.ids):
        try:
            image, texts, sound = dataset.image_bytes(i), dataset.texts(i), dataset.audio_bytes(i)
            parts.append(_digest(dataset, i, image, texts, sound))
        except DataError as error:
            problems.append(error.message)
            continue
        problems += _check_item(one, image, texts, sound)
    meta = {"label_names": dataset.label_names, "multi_label": dataset.multi_label, "relevance": dataset.relevance}
    changed = len(parts) < len(dataset) or dataset.fingerprint != content_digest(
        meta, parts, dataset.labels, split, dataset.groups, dataset.sets
    )
    return [*problems, CHANGED] if changed else problems


def seal_again(dataset: Dataset) -> None:
    """Seal a file that was built before there were seals, and that :func:`check` has found unchanged.

    Raises: DiskError where it cannot be written.
    """
    sums: dict[str, list[bytes]] = {name: [] for name in dataset.payloads}
    for i in range(len(dataset)):
        parts = {"bytes": dataset.image_bytes(i) or b"", "audio": dataset.audio_bytes(i) or b""}
        for name, values in sums.items():
            values.append(sum_of(parts[name] if name in parts else dataset.item_features(name.split("/")[1], i)))
    dataset.close()
    with writing(dataset.path):
        seal(dataset.path, {k: np.frombuffer(b"".join(v), np.uint8).reshape(-1, SUM) for k, v in sums.items()})


def _digest(dataset: Dataset, i: int, image: bytes | None, texts: Sequence[str], sound: bytes | None) -> bytes:
    boxes = dataset.boxes(i)
    attributes = json.dumps(dataset.attributes(i), sort_keys=True, ensure_ascii=False)
    packed = b"" if boxes is None else boxes.tobytes()
    tokens = {m: dataset.item_features(m, i) for m in dataset.feature_dims}
    answers = answers_text(dataset.ids[i], dataset.answers(np.array([i]))[0])
    marks = dataset.landmarks(i)
    return item_digest(dataset.ids[i], image or b"", texts, packed, attributes, marks, sound or b"", tokens, answers)


def _check_splits(dataset: Dataset) -> list[str]:
    problems = [f"there is no {name} split" for name in SPLITS[:3] if name not in dataset.splits]
    covered = sum(len(rows) for rows in dataset.splits.values())
    if covered != len(dataset):
        problems.append(f"{len(dataset) - covered} items are in no split")
    for name, rows in dataset.splits.items():
        has_classes = dataset.num_classes and not dataset.multi_label and name != "rest"  # on which nothing is counted
        if has_classes and len(np.unique(dataset.labels[rows])) < 2:
            problems.append(f"the {name} split has a single class")
    split_groups = {name: set(dataset.groups[rows].tolist()) for name, rows in dataset.splits.items()}
    names = list(split_groups)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            common = len(split_groups[a] & split_groups[b])
            if common:
                problems.append(f"{common} groups are in {a} and in {b}")
    return problems


def _check_item(one: str, image: bytes | None, texts: Sequence[str], sound: bytes | None) -> list[str]:
    problems = [f"id '{one}': empty text" for text in texts if not text.strip()]
    if image is not None:
        try:
            open_rgb(image)
        except OSError as error:
            problems.append(f"id '{one}': {error}")
    if sound is not None:
        try:
            load_sound(sound)
        except OSError as error:
            problems.append(f"id '{one}': {error}")
    return problems
