"""Queries that a run answers best and worst, with their pictures, by the ranks that it stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vsebench.components.metric.base import Predictions
from vsebench.core.errors import DataError
from vsebench.core.home import datasets_home
from vsebench.data.dataset import Dataset
from vsebench.data.open import find_dataset
from vsebench.data.pixels import jpeg
from vsebench.inspect.choose import choose
from vsebench.inspect.standalone_page import jpeg_uri
from vsebench.leaderboard.table import printable
from vsebench.ops.ranking import DIRECTIONS
from vsebench.runs.predictions import load_predictions, predictions_file
from vsebench.runs.store import RUN, read_run_file

SPLIT = "test"
SIDE = 112
#: Of each kind and direction.
COUNT = 4
MOST_WORDS = 160

Example = dict[str, Any]
#: What a run's model finds: direction -> ``best`` and ``worst`` -> of each query, in :func:`examples_of`'s order, its
#: first results as (position, number of the caption, rank, whether it is right).
Results = Mapping[str, Mapping[str, Sequence[Sequence[tuple[int, int, int, bool]]]]]


@dataclass
class Pictures:
    """The small pictures of a page, each once.

    Args:
        dataset: that they come from; None when it is not at hand.
        kept: position -> ``data:`` address.
    """

    dataset: Dataset | None
    cache: dict[int, str] = field(default_factory=dict)

    def take(self, position: int) -> int | None:
        """Keep an item's picture; its key, or None where it has none.

        Raises: DataError for a picture that cannot be decoded.
        """
        if self.dataset is None:
            return None
        if position not in self.cache:
            data = self.dataset.image_bytes(position)
            if data is None:
                return None
            try:
                self.cache[position] = jpeg_uri(jpeg(data, SIDE))
            except OSError as error:
                raise DataError(f"the picture of '{self.dataset.ids[position]}': {error}") from None
        return position


def dataset_of_run(folder: Path, fingerprint: str) -> Dataset | None:
    """Return the dataset of a run, where its file lies or among the built ones; None where none has its fingerprint.

    Nothing is generated: a page is written from what there is.
    """
    if not (folder / RUN).is_file():
        return None
    run_config = read_run_file(folder)["dataset"]
    spec = run_config["spec"]
    name = str(spec.get("name")) if isinstance(spec, Mapping) else spec
    candidates = [Path(run_config["path"])]
    if name.replace("_", "").isalnum():
        candidates += [datasets_home() / f"{name}.h5", *sorted(datasets_home().glob(f"{name}-*.h5"))]
    return find_dataset(candidates, fingerprint)


def examples_of(
    folder: Path, pictures: Pictures, *, seed: int = 0, results: Results | None = None
) -> tuple[dict[str, dict[str, list[Example]]], str]:
    """Direction -> ``best`` and ``worst`` -> queries, and why there are none, in words.

    Args:
        folder: of the run.
        pictures: where theirs are kept, and the texts come from.
        seed: of which of equally good ones.
        results: of the same queries, where they are known.

    Raises: DataError for a damaged file of predictions.
    """
    if not predictions_file(folder, SPLIT).is_file():
        return {}, "The run's predictions are missing here."
    stored = load_predictions(folder, SPLIT, vectors=False)
    if stored.elsewhere:
        return {}, "Queries were ranked against another set; examples show only rankings within test."
    if not stored.stored_ranks:
        return {}, "The run has no rankings."
    if pictures.dataset is None:
        return {}, "The dataset is missing here, so queries cannot be shown."
    numbers = stored.caption_numbers()
    result: dict[str, dict[str, list[Example]]] = {}
    for direction in DIRECTIONS:
        ranks, queries = stored.stored_ranks[direction], stored.queries(direction)
        first = ranks.first()
        chosen = choose(-first, COUNT, seed)

        def item(one: int, direction: str = direction, queries: np.ndarray = queries) -> tuple[int, int]:
            row = int(queries[one])
            return (row, 0) if direction == "i2t" else (int(stored.owner[row]), int(numbers[row]))

        result[direction] = {
            kind: [
                _example(pictures, int(stored.positions[item(int(one))[0]]), item(int(one))[1])
                | {"rank": round(float(first[one]), 1), "of": int(ranks.gallery)}
                | _found(pictures, results, direction, kind, number)
                for number, one in enumerate(chosen[kind])
            ]
            for kind in ("best", "worst")
        }
    return result, ""


def mistakes_of(folder: Path, pictures: Pictures, *, count: int = 2 * COUNT) -> list[Example]:
    """Return the test items of one label that a run takes most decidedly for another class, the clearest mistake first.

    Args:
        folder: of the run.
        pictures: where theirs are kept, and the texts come from; without the dataset there are none.
        count: how many at most.

    Raises: DataError for a damaged file of predictions.
    """
    if pictures.dataset is None or not predictions_file(folder, SPLIT).is_file():
        return []
    stored = load_predictions(folder, SPLIT, vectors=False)
    if stored.logits is None or stored.multi_label or stored.labels.ndim > 1:
        return []
    predicted = Predictions(stored.logits, stored.labels).class_ranks.argmax(1)
    wrong = np.flatnonzero(predicted != stored.labels)
    margins = stored.logits[wrong, predicted[wrong]] - stored.logits[wrong, stored.labels[wrong]]
    return [
        _example(pictures, int(stored.positions[row]), 0)
        | {"true": int(stored.labels[row]), "predicted": int(predicted[row])}
        for row in wrong[np.argsort(-margins, kind="stable")[:count]]
    ]


def _found(
    pictures: Pictures, results: Results | None, direction: str, kind: str, number: int
) -> dict[str, list[Example]]:
    if results is None:
        return {}
    return {
        "found": [
            _example(pictures, position, caption, picture=direction == "t2i") | {"rank": rank, "right": right}
            for position, caption, rank, right in results[direction][kind][number]
        ]
    }


def _example(pictures: Pictures, position: int, number: int, *, picture: bool = True) -> Example:
    dataset = pictures.dataset
    assert dataset is not None
    texts = dataset.texts(position)
    text = printable(texts[number]) if number < len(texts) else ""
    return {
        "id": printable(dataset.ids[position]),
        "text": text if len(text) <= MOST_WORDS else text[: MOST_WORDS - 1] + "…",
        "picture": pictures.take(position) if picture else None,
    }
