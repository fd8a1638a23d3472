"""A split's predictions on disk: what every number of a run can be computed from again.

``predictions-<split>.npz`` has what is compact: logits, labels, answers, and where each query's best match stands.
Metrics that look further down the list, or among images, need more: ``vectors-<split>.npz`` beside it has the
embeddings, codes (as bits) or scores that the split was ranked by, of the runs that were asked for such metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vsebench.components.metric._answers import Answers
from vsebench.components.metric._sides import Gallery
from vsebench.components.metric.base import Predictions
from vsebench.core.errors import DataError, MetricError, Place, did_you_mean, known_names
from vsebench.core.files import replacing
from vsebench.core.metric_specs import CLASSIFIES, Metric, compute, metric_entry, parse_metrics
from vsebench.core.registry import METRICS
from vsebench.ops.ranking import DIRECTIONS, RANK_PARTS, Ranks, ScoreRows
from vsebench.ops.slices import Slices

#: Vectors and scores of a split beyond this are not kept.
LIMIT = 1 << 28
NOTHING_KEPT = "its run stored ranks and logits alone, no vectors"


class NotStored(MetricError):
    """A number needs what was not stored."""


@dataclass(frozen=True)
class StoredPredictions(Predictions):
    """Predictions as they were stored; asking for what was not raises instead of giving another number.

    Args:
        stored_ranks: direction -> where each query's best match stands.
        scores: direction -> float (queries, gallery), of rankings that have no vectors (combined runs).
        reranked: k -> float64 (n,), the share of an image's k nearest after re-ranking that have its class.
        missing: why there are no vectors; empty where there are.
        positions: int64 (n,), the items in the dataset file.
        elsewhere: whether the split was ranked against another set than itself.
        slices: of the items, as the dataset named them when the run was made.
    """

    stored_ranks: Mapping[str, Ranks] = field(default_factory=dict)
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    reranked: Mapping[int, np.ndarray] = field(default_factory=dict)
    missing: str = NOTHING_KEPT
    positions: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    elsewhere: bool = False
    slices: Slices = field(default_factory=Slices)

    def queries(self, direction: str) -> np.ndarray:
        """Return which images or captions a direction's ranks are of, int64 (Q,): those with something to find.

        Of a split that was ranked against another set these are known where vectors are stored, or where all have a
        rank; else there are none here.
        """
        images, captions = self.groups, self.groups[self.owner]
        requested, ranked_gallery = (images, captions) if direction == "i2t" else (captions, images)
        if self.elsewhere:
            if len(self.stored_ranks[direction].above) == len(requested):
                return np.arange(len(requested))
            if self.gallery is None:
                return np.zeros(0, np.int64)
            side = self.gallery
            ranked_gallery = side.groups[side.owner] if direction == "i2t" else side.groups
        rows = np.flatnonzero(np.isin(requested, ranked_gallery))
        return rows if not self.elsewhere or len(rows) == len(self.stored_ranks[direction].above) else rows[:0]

    def caption_numbers(self) -> np.ndarray:
        """Return which of its item's captions each one is, from 0, int64 (captions,).

        Captions are ranked in rounds: the first of every item, then the second of those that have one, and so on.
        """
        order = np.argsort(self.owner, kind="stable")
        counts = np.bincount(self.owner, minlength=len(self.positions))
        numbers = np.zeros(len(self.owner), np.int64)
        numbers[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        return numbers

    @property
    def compact(self) -> StoredPredictions:
        """The same without vectors."""
        empty: dict[str, Any] = {"embeddings": {}, "candidates": {}, "scores": {}, "reranked": {}}
        return replace(
            self, **empty, pairs=None, gallery=None, rerank=None, missing=NOTHING_KEPT, _folds={}, _kept={}, _counts={}
        )

    @property
    def exact(self) -> bool:
        """Whether lists come out the same on any machine: codes and stored scores do, sums over float32 vectors are
        added up in an order that the processor's library chooses."""
        return self.similarity == "hamming" or self.pairs is not None or bool(self.scores or self.ranked_gallery.pairs)

    @property
    def retrieval(self) -> bool:
        """Whether anything was ranked."""
        return bool(self.stored_ranks) or bool(self.scores) or bool(self.ranked_gallery.pairs) or super().retrieval

    @cached_property
    def ranks(self) -> dict[str, Ranks]:
        """Those that were stored; of parts that rank by themselves, computed."""
        return dict(self.stored_ranks) or super().ranks

    def score_rows(self, direction: str) -> ScoreRows:
        """Return the scorer of a direction. Raises: NotStored."""
        if direction in self.scores:
            scores = self.scores[direction]
            return lambda part: scores[part]
        self._require()
        return super().score_rows(direction)

    def folds(self, size: int) -> list[Predictions]:
        """Consecutive parts with galleries of their own.

        Raises: NotStored; MetricError as of other predictions.
        """
        if self.scores:
            raise NotStored("combined runs stored scores over the whole gallery alone")
        self._require()
        return super().folds(size)

    def neighbours(self, k: int, *, reranked: bool) -> np.ndarray:
        """Share of same-class images among each image's k nearest others.

        Raises: NotStored.
        """
        if not reranked:
            return super().neighbours(k, reranked=False)
        if k not in self.reranked:
            raise NotStored(f"its run stored no neighbours after re-ranking for k = {k}")
        return self.reranked[k]

    def _part(self, start: int, stop: int) -> Predictions:
        return replace(super()._part(start, stop), stored_ranks={})  # type: ignore[call-arg]

    def _require(self) -> None:
        if self.missing:
            raise NotStored(self.missing)


def save_vectors(file: Path, predictions: Predictions, metrics: Sequence[Metric], results: Mapping[str, float]) -> bool:
    """Keep what the numbers need beyond the compact predictions; nothing where they need no more.

    Args:
        file: ``vectors-<split>.npz``.
        predictions: whole, as evaluation made them.
        metrics: that were asked for.
        results: their numbers, by key.

    Returns: whether a file was written.
    """
    file.unlink(missing_ok=True)
    if not _needs_vectors(predictions, metrics, results):
        return False
    arrays = _vectors(predictions, metrics)
    size = sum(a.nbytes for a in arrays.values())
    if size > LIMIT:
        message = f"its vectors take {size / 2**20:,.0f} MiB, and up to {LIMIT / 2**20:.0f} are stored"
        arrays = {"lacking": np.array(message)}
    with replacing(file) as partial:
        np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
    return True


def _needs_vectors(predictions: Predictions, metrics: Sequence[Metric], results: Mapping[str, float]) -> bool:
    """Return whether some of the numbers do not follow from logits, answers and ranks."""
    ranking = [m for m in metrics if set(METRICS.get(m.name).facts["needs"]) - CLASSIFIES]
    ranked = bool(ranking) and predictions.retrieval and predictions.unranked is None
    compact = StoredPredictions(
        predictions.logits,
        predictions.labels,
        multi_label=predictions.multi_label,
        owner=predictions.owner,
        groups=predictions.groups,
        unranked=predictions.unranked,
        stored_ranks=predictions.ranks if ranked else {},
    )
    wanted = {key: parse_metrics([metric_entry(key)]) for key in results}
    try:
        return any(
            key not in compute(compact, [metric]) for metric in ranking for key in wanted if wanted[key] == [metric]
        )
    except MetricError:
        return True


def _vectors(predictions: Predictions, metrics: Sequence[Metric]) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {
        "similarity": np.array(predictions.similarity),
        "unranked": np.array(predictions.unranked or ""),
        "lacking": np.array(""),
    }
    arrays |= _packed("embeddings", predictions.embeddings, predictions.similarity)
    if predictions.pairs is not None:
        arrays["pairs"] = np.asarray(predictions.pairs)
    for direction, (items, scores) in predictions.candidates.items():
        arrays |= {f"candidates/{direction}/items": items, f"candidates/{direction}/scores": scores}
    gallery = predictions.gallery
    if gallery is not None:
        arrays |= {"gallery/labels": gallery.labels, "gallery/groups": gallery.groups}
        arrays |= _packed("gallery/embeddings", gallery.embeddings, predictions.similarity)
        arrays |= {f"gallery/pairs/{d}": np.asarray(scores) for d, scores in gallery.pairs.items()}
    if predictions.retrieval and not predictions.embeddings and predictions.pairs is None:
        arrays |= {f"scores/{d}": predictions.score_rows(d)(slice(None)) for d in DIRECTIONS}
    if predictions.rerank is not None:
        lengths = sorted({int(m.k or 10) for m in metrics if m.name == "precision"})
        arrays |= {f"reranked/{k}": predictions.neighbours(k, reranked=True) for k in lengths}
    return arrays


def _packed(name: str, embeddings: Mapping[str, np.ndarray], similarity: str) -> dict[str, np.ndarray]:
    """Embeddings as they are; codes as bits, with their length."""
    if similarity != "hamming":
        return {f"{name}/{m}": values for m, values in embeddings.items()}
    return {
        f"{name}/{m}/{part}": array
        for m, values in embeddings.items()
        for part, array in (("bits", np.packbits(values > 0, axis=1)), ("length", np.array(values.shape[1])))
    }


def predictions_file(folder: Path, split: str) -> Path:
    """Return where a run keeps what its numbers on a split follow from."""
    return folder / f"predictions-{split}.npz"


def vectors_file(folder: Path, split: str) -> Path:
    """Return where a run keeps what whole rankings of a split need."""
    return folder / f"vectors-{split}.npz"


def load_predictions(folder: Path, split: str, *, vectors: bool = True) -> StoredPredictions:
    """Read a split's predictions.

    Args:
        folder: of the run.
        split: that it was evaluated on.
        vectors: read the vectors beside them too, where there are any.

    Raises: DataError for a split without predictions, or a damaged file.
    """
    file, beside = predictions_file(folder, split), vectors_file(folder, split)
    if not file.is_file():
        prefix, suffix = predictions_file(folder, "*").name.split("*")
        splits = sorted(f.name[len(prefix) : -len(suffix)] for f in folder.glob(f"{prefix}*{suffix}"))
        hint = did_you_mean(split, splits) + known_names(splits, "Splits with predictions")
        raise DataError(f"the run has no predictions of a split '{split}'." + hint, place=Place(str(folder)))
    arrays = _read(file)
    more = _read(beside) if vectors and beside.is_file() else {"lacking": np.array(NOTHING_KEPT)}
    try:
        predictions = _predictions(arrays, more)
        _check_ranks(predictions)
    except Exception as error:  # arrays of another form fail in ways of their own
        raise DataError(f"not whole predictions ({error}).", place=Place(str(file))) from None
    return predictions


def _check_ranks(predictions: StoredPredictions) -> None:
    """Raise ValueError unless there is a rank for each query that has something to find in its own split."""
    for direction, ranks in predictions.stored_ranks.items():
        queries = predictions.queries(direction)
        if not predictions.elsewhere and len(queries) != len(ranks.above):
            raise ValueError(f"{len(ranks.above)} ranks of {len(queries)} queries")
    if predictions.slices and len(predictions.slices.codes) != len(predictions.labels):
        raise ValueError(f"slices of {len(predictions.slices.codes)} items, labels of {len(predictions.labels)}")


def _read(file: Path) -> dict[str, np.ndarray]:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # numpy, zipfile and zlib each have their own for a damaged file
        raise DataError(f"not a whole file of predictions ({error}).", place=Place(str(file))) from None


def _predictions(arrays: Mapping[str, np.ndarray], more: Mapping[str, np.ndarray]) -> StoredPredictions:
    labels = arrays["labels"]
    has_answers = "answers/item" in arrays
    answers = Answers(*(arrays[f"answers/{n}"] for n in ("item", "label", "count", "given"))) if has_answers else None
    reranked = {int(n.removeprefix("reranked/")): a for n, a in more.items() if n.startswith("reranked/")}
    candidates: dict[str, Any] = {
        d: (more[f"candidates/{d}/items"], more[f"candidates/{d}/scores"])
        for d in DIRECTIONS
        if f"candidates/{d}/items" in more
    }
    return StoredPredictions(
        arrays.get("logits"),
        labels,
        multi_label=labels.ndim > 1,
        embeddings=_unpacked("embeddings/", more),
        owner=arrays["owner"],
        groups=arrays["groups"],
        similarity=str(more.get("similarity", "cosine")),  # type: ignore[arg-type]
        pairs=more.get("pairs"),
        candidates=candidates,
        rerank=_not_kept if reranked else None,
        unranked=str(more.get("unranked", "")) or None,
        gallery=_gallery(arrays, more),
        answers=answers,
        thresholds={n.removeprefix("thresholds/"): float(a) for n, a in arrays.items() if n.startswith("thresholds/")},
        stored_ranks=_ranks(arrays),
        scores={d: more[f"scores/{d}"] for d in DIRECTIONS if f"scores/{d}" in more},
        reranked=reranked,
        missing=str(more["lacking"]),
        positions=arrays["positions"],
        elsewhere="gallery/positions" in arrays,
        slices=Slices.from_arrays(arrays),
    )


def _ranks(arrays: Mapping[str, np.ndarray]) -> dict[str, Ranks]:
    items, captions = len(arrays["groups"]), len(arrays["owner"])
    elsewhere = "gallery/positions" in arrays
    ranked_gallery = (
        (len(arrays["gallery/owner"]), len(arrays["gallery/positions"])) if elsewhere else (captions, items)
    )
    sizes = {"i2t": (items, ranked_gallery[0]), "t2i": (captions, ranked_gallery[1])}
    results = {}
    for direction, (queries, gallery) in sizes.items():
        if f"{direction}/above" in arrays:
            parts = {part: arrays[f"{direction}/{part}"] for part in RANK_PARTS}
            results[direction] = Ranks(**parts, gallery=gallery, skipped=queries - len(parts["above"]))
    return results


def _gallery(arrays: Mapping[str, np.ndarray], more: Mapping[str, np.ndarray]) -> Gallery | None:
    if "gallery/labels" not in more:
        return None
    return Gallery(
        more["gallery/labels"],
        _unpacked("gallery/embeddings/", more),
        arrays["gallery/owner"],
        more["gallery/groups"],
        {d: more[f"gallery/pairs/{d}"] for d in DIRECTIONS if f"gallery/pairs/{d}" in more},
        arrays["gallery/positions"],
    )


def _unpacked(prefix: str, more: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    results = {}
    for name, array in more.items():
        modality, _, part = name.removeprefix(prefix).partition("/")
        if name.startswith(prefix) and part == "bits":
            signs = np.unpackbits(array, axis=1, count=int(more[f"{prefix}{modality}/length"]))
            results[modality] = signs.astype(np.float32) * 2 - 1
        elif name.startswith(prefix) and not part:
            results[modality] = array
    return results


def _not_kept(rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    raise NotStored("the re-ranker itself is not stored, only what it came to")
