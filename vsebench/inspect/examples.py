"""The best, worst and some random queries of a finished run with what was found, and items with their classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vsebench.components.metric.base import Predictions
from vsebench.core.display import shown
from vsebench.core.errors import DataError, Place
from vsebench.core.types import Tokens
from vsebench.data.dataset import Dataset
from vsebench.engine.evaluate import SplitOutputs, predict
from vsebench.engine.loader import Loader
from vsebench.engine.pair_scoring import first_of, score_pairs
from vsebench.inspect.choose import choose
from vsebench.ops.ranking import DIRECTIONS, reranked_rows, similarity_rows
from vsebench.runs.load import LoadedRun, refuse_placebo
from vsebench.runs.predictions import StoredPredictions, load_predictions

_SIDES = {"i2t": ("image", "text"), "t2i": ("text", "image")}


@dataclass(frozen=True, slots=True)
class Thing:
    """An image with one of its texts.

    Args:
        id: of the item.
        position: of the item in the dataset file.
        text: empty where it has none.
    """

    id: str
    position: int
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """One result of a query.

    Args:
        rank: from 1, in the order that is shown.
        score: by which it was ranked.
        right: whether it belongs to the query.
    """

    thing: Thing
    rank: int
    score: float
    right: bool


@dataclass(frozen=True)
class Query:
    """A query with its first results.

    Args:
        rank: stored, of the first right one; expected under ties.
        results: the first ones; the first right one is added where it is not among them.
    """

    thing: Thing
    rank: float
    results: Sequence[Found]


@dataclass(frozen=True)
class Classified:
    """An item with what it is and what the classifier says: classes with their probabilities, the likeliest first."""

    thing: Thing
    true: Sequence[tuple[str, float]]
    predicted: Sequence[tuple[str, float]]

    @property
    def right(self) -> bool:
        """Whether exactly the true classes are predicted."""
        return {name for name, _ in self.true} == {name for name, _ in self.predicted}


@dataclass(frozen=True)
class Examples:
    """All that a page shows.

    Args:
        about: run, dataset and split, in words.
        metrics: of the split, without its name.
        sizes: direction -> number of queries and of what they are ranked against.
        queries: direction -> ``best``, ``worst``, ``random`` -> queries.
        items: the same of classified items; empty without a classifier.
        notes: what a reader must know.
        classifies: whether the run's epoch was chosen by a number of its classes: what it is for.
    """

    about: str
    metrics: Mapping[str, float]
    sizes: Mapping[str, tuple[int, int]]
    queries: Mapping[str, Mapping[str, Sequence[Query]]]
    items: Mapping[str, Sequence[Classified]]
    notes: Sequence[str]
    classifies: bool = False


def make_examples(
    run: LoadedRun, split: str = "test", *, queries: int = 12, k: int = 5, seed: int = 0, cache: bool = True
) -> tuple[Examples, Dataset]:
    """Choose by the stored ranks and probabilities, and find the results again with the run's model.

    Args:
        run: a loaded run.
        split: name of the split.
        queries: of each kind (best, worst, random) and direction.
        k: results of each query.
        seed: of the random ones, and of the order of equals.
        cache: keep frozen features on disk, and use those that the sweep has kept.

    Returns: what the page shows, and where its pictures are.

    Raises: DataError for a split without stored predictions, a dataset or run that has changed, or a run that has
        neither ranks nor classes; ConfigError for a placebo.
    """
    refuse_placebo(run)
    dataset = run.open_dataset()
    stored = load_predictions(run.folder, split, vectors=False)
    prefix = f"{split}/"
    metrics = {name.removeprefix(prefix): v for name, v in run.result.metrics.items() if name.startswith(prefix)}
    measured = any(name.split("/")[0] in DIRECTIONS for name in metrics)
    ranked = bool(stored.stored_ranks) and not stored.elsewhere and (measured or stored.logits is None)
    if not ranked and stored.logits is None:
        message = "this run stored neither ranks nor classes; there is nothing to show."
        if stored.elsewhere:
            message = (
                "this run ranked its queries against another set ('gallery'); only ranks within a split are shown."
            )
        raise DataError(message, place=Place(str(run.folder)))
    result, notes = _retrieved(run, dataset, split, stored, queries, k, seed, cache) if ranked else ({}, [])
    title = f"{dataset.title or dataset.name}, {split}, {len(stored.positions):,} items"
    gallery = Examples(
        about=f"{run.experiment}, {run.row}, seed {run.seed} · {title}",
        metrics=metrics,
        sizes={d: (len(stored.queries(d)), stored.stored_ranks[d].gallery) for d in result},
        queries=result,
        items={} if stored.logits is None else _classified(dataset, stored, queries, seed),
        notes=notes,
        classifies=shown(run.select["metric"]).family == "classification",
    )
    return gallery, dataset


def _retrieved(
    run: LoadedRun, dataset: Dataset, split: str, stored: StoredPredictions, count: int, k: int, seed: int, cache: bool
) -> tuple[dict[str, dict[str, list[Query]]], list[str]]:
    loader = Loader(dataset, split, run.system, run.model.encoders, cache=cache)
    outputs = predict(run.model, loader, device=run.device)
    if not np.array_equal(outputs.owner, stored.owner):
        message = "its captions are no longer in the order that was stored. Sweep the run again."
        raise DataError(message, place=Place(str(run.folder)))
    things = _things(dataset, stored)
    results: dict[str, dict[str, list[Query]]] = {}
    moved = drawn = 0
    for direction in DIRECTIONS:
        ranks, requested = stored.stored_ranks[direction], stored.queries(direction)
        first = ranks.first()
        chosen = choose(-first, count, seed)
        picked = np.unique(np.concatenate(list(chosen.values())))
        order, scores = scores_of(run, outputs, direction, requested[picked])
        groups = stored.groups, stored.groups[stored.owner]
        selected, gallery_items = groups if direction == "i2t" else groups[::-1]
        right = selected[requested[picked]][:, None] == gallery_items
        above = (order > np.where(right, order, -np.inf).max(1, keepdims=True)).sum(1)
        moved, drawn = moved + int((above != ranks.above[picked]).sum()), drawn + len(picked)
        queries, gallery = things if direction == "i2t" else things[::-1]
        made = {
            int(one): Query(
                queries[requested[one]], float(first[one]), _first(order[i], scores[i], right[i], gallery, k)
            )
            for i, one in enumerate(picked)
        }
        results[direction] = {kind: [made[int(one)] for one in rows] for kind, rows in chosen.items()}
    note = f"{moved} of the {drawn} queries rank otherwise when computed again here; their stored rank is shown."
    return results, [note] if moved else []


def _things(dataset: Dataset, stored: StoredPredictions) -> tuple[list[Thing], list[Thing]]:
    """Every image with its first text, and every caption."""
    texts = [dataset.texts(int(p)) for p in stored.positions]
    places = [(dataset.ids[int(p)], int(p)) for p in stored.positions]
    images = [Thing(name, p, some[0] if some else "") for (name, p), some in zip(places, texts, strict=True)]
    numbers = stored.caption_numbers().tolist()
    captions = [
        Thing(places[row][0], places[row][1], texts[row][number] if number < len(texts[row]) else "")
        for row, number in zip(stored.owner.tolist(), numbers, strict=True)
    ]
    return images, captions


def _first(order: np.ndarray, scores: np.ndarray, right: np.ndarray, gallery: Sequence[Thing], k: int) -> list[Found]:
    """Return the first k of a gallery, and the first relevant one if it comes later; ties in the gallery's order."""
    ranked = np.argsort(-order, kind="stable")
    places = list(range(min(k, len(ranked))))
    best = int(np.flatnonzero(right[ranked])[0])
    if best >= k:
        places.append(best)
    return [Found(gallery[ranked[i]], i + 1, float(scores[ranked[i]]), bool(right[ranked[i]])) for i in places]


def scores_of(run: LoadedRun, outputs: SplitOutputs, direction: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of some queries against the whole gallery: what orders them, and what is said of them.

    They differ where the first few are ranked again by pairs: those come before all others.

    Shape: int64 (q,) -> float (q, G), float (q, G).
    """
    queries, gallery_items = _SIDES[direction]
    system, scorer = run.system, run.model.scorer
    whole = torch.from_numpy(rows)
    if scorer is None:
        scores = similarity_rows(
            outputs.embeddings[queries][rows], outputs.embeddings[gallery_items], system.similarity
        )
        return scores(slice(None)), scores(slice(None))
    sides = dict(outputs.pair_inputs)
    sides[queries] = Tokens(sides[queries].values[whole], sides[queries].mask[whole])
    if system.rerank_top is None:
        pairs = score_pairs(scorer, sides["image"], sides["text"], device=run.device)
        pairs = pairs if direction == "i2t" else pairs.T
        return pairs, pairs
    first = similarity_rows(outputs.embeddings[queries][rows], outputs.embeddings[gallery_items], system.similarity)
    few = first_of(first, len(rows), min(system.rerank_top, len(outputs.embeddings[gallery_items])))
    again = scorer.score_candidates(
        sides["image"],
        sides["text"],
        torch.from_numpy(few),
        queries="image" if direction == "i2t" else "text",
        device=run.device,
    )
    second = again.cpu().numpy()
    message = first(slice(None)).copy()
    np.put_along_axis(message, few, second, axis=1)
    return reranked_rows(first, few, second)(slice(None)), message


def _classified(dataset: Dataset, stored: StoredPredictions, count: int, seed: int) -> dict[str, list[Classified]]:
    """Items by the probability of what they are; of several labels, by the mean log-probability of all answers."""
    predictions = Predictions(stored.logits, stored.labels, multi_label=dataset.multi_label)
    shares = predictions.probabilities
    if dataset.multi_label:
        truth, message = stored.labels > 0, shares >= 0.5
        logits = predictions.scored.astype(np.float64)
        worth = -np.logaddexp(0, np.where(truth, -logits, logits)).mean(1)
    else:
        truth, message = (np.arange(shares.shape[1]) == one[:, None] for one in (stored.labels, shares.argmax(1)))
        worth = (shares * truth).sum(1)
    names = dataset.label_names

    def of(row: int) -> Classified:
        position = int(stored.positions[row])
        text = next(iter(dataset.texts(position)), "")
        true, predicted = (
            sorted(((names[i], float(shares[row, i])) for i in np.flatnonzero(which[row])), key=lambda one: -one[1])
            for which in (truth, message)
        )
        return Classified(Thing(dataset.ids[position], position, text), true, predicted)

    return {kind: [of(int(row)) for row in rows] for kind, rows in choose(worth, count, seed).items()}
