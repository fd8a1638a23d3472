"""What is wrong with a dataset file."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from vsebench.data.dataset import Dataset
from vsebench.data.fingerprint import content_digest, item_digest
from vsebench.data.item import SPLITS
from vsebench.data.pixels import open_rgb
from vsebench.data.sound import load_sound
from vsebench.data.writer import answers_text


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
        image, texts = dataset.image_bytes(i), dataset.texts(i)
        boxes = dataset.boxes(i)
        marks = dataset.landmarks(i)
        said = json.dumps(dataset.attributes(i), sort_keys=True, ensure_ascii=False)
        packed = b"" if boxes is None else boxes.tobytes()
        sound = dataset.audio_bytes(i)
        tokens = {m: dataset.item_features(m, i) for m in dataset.feature_dims}
        answers = answers_text(one, dataset.answers(np.array([i]))[0])
        parts.append(item_digest(one, image or b"", texts, packed, said, marks, sound or b"", tokens, answers))
        problems += _check_item(one, image, texts, sound)
    meta = {"label_names": dataset.label_names, "multi_label": dataset.multi_label, "relevance": dataset.relevance}
    if content_digest(meta, parts, dataset.labels, split, dataset.groups, dataset.sets) != dataset.fingerprint:
        problems.append("the content does not match the fingerprint: the file was changed or damaged")
    return problems


def _check_splits(dataset: Dataset) -> list[str]:
    problems = [f"there is no {name} split" for name in SPLITS[:3] if name not in dataset.splits]
    covered = sum(len(rows) for rows in dataset.splits.values())
    if covered != len(dataset):
        problems.append(f"{len(dataset) - covered} items are in no split")
    for name, rows in dataset.splits.items():
        judged = dataset.num_classes and not dataset.multi_label and name != "rest"  # on which nothing is counted
        if judged and len(np.unique(dataset.labels[rows])) < 2:
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
