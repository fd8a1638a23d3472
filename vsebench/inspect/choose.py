"""Which queries or items of a run are shown: the best, the worst, and some at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from vsebench.core.errors import DataError, Place, did_you_mean, known_names
from vsebench.ops.ranking import Ranks

DIRECTIONS = ("i2t", "t2i")
_PARTS = ("above", "tied", "tied_relevant", "relevant")


@dataclass(frozen=True, eq=False)
class Stored:
    """What a run stored of a split.

    Args:
        positions: int64 (n,), the items in the dataset file.
        labels: int64 (n,), or 0/1 (n, C).
        groups: int64 (n,), what counts as the same thing.
        owner: int64 (captions,), the item of each caption, in the order in which captions were ranked.
        logits: float32 (n, C), or None.
        ranks: ``i2t`` and ``t2i`` -> of their queries; empty where nothing was ranked.
        queries: direction -> int64 (Q,), the images or captions that the ranks are of.
        elsewhere: whether the split was ranked against another set than itself; its ranks are then left out.
    """

    positions: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    owner: np.ndarray
    logits: np.ndarray | None
    ranks: Mapping[str, Ranks]
    queries: Mapping[str, np.ndarray]
    elsewhere: bool = False

    def caption_numbers(self) -> np.ndarray:
        """Which of its item's captions each one is, from 0, int64 (captions,).

        Captions are ranked in rounds: the first of every item, then the second of those that have one, and so on.
        """
        order = np.argsort(self.owner, kind="stable")
        counts = np.bincount(self.owner, minlength=len(self.positions))
        numbers = np.zeros(len(self.owner), np.int64)
        numbers[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        return numbers


def read_stored(folder: Path, split: str) -> Stored:
    """Read the predictions of a split from a run's folder.

    Raises: DataError for a split that was not evaluated, or a damaged file.
    """
    file = folder / f"predictions-{split}.npz"
    if not file.is_file():
        there = sorted(f.stem.removeprefix("predictions-") for f in folder.glob("predictions-*.npz"))
        said = did_you_mean(split, there) + known_names(there, "Splits with predictions")
        raise DataError(f"the run has no predictions of a split '{split}'." + said, place=Place(str(folder)))
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _stored(arrays)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        said = f"not a whole file of predictions ({error}). Sweep the run again."
        raise DataError(said, place=Place(str(file))) from None


def _stored(arrays: Mapping[str, np.ndarray]) -> Stored:
    groups, owner = arrays["groups"], arrays["owner"]
    sides = {"i2t": (groups, groups[owner]), "t2i": (groups[owner], groups)}
    ranks, queries = {}, {}
    elsewhere = "gallery/positions" in arrays
    for direction, (asked, offered) in sides.items():
        if elsewhere or f"{direction}/above" not in arrays:
            continue
        parts = {part: arrays[f"{direction}/{part}"] for part in _PARTS}
        found = np.flatnonzero(np.isin(asked, offered))  # queries without anything to find have no rank
        if len(found) != len(parts["above"]):
            raise ValueError(f"{len(parts['above'])} ranks of {len(found)} queries")
        ranks[direction] = Ranks(**parts, gallery=len(offered), skipped=len(asked) - len(found))
        queries[direction] = found
    said = arrays["positions"], arrays["labels"], groups, owner, arrays.get("logits")
    return Stored(*said, ranks, queries, elsewhere)


def choose(worth: np.ndarray, count: int, seed: int) -> dict[str, np.ndarray]:
    """Positions of the ``best``, the ``worst`` and some ``random`` ones.

    Equals are drawn by the seed, so that the best of many perfect ones are not always the first. The random ones are a
    fair sample of all, and may be among the others.

    Args:
        worth: float (n,), the higher the better.
        count: of each kind, at most.
        seed: of the draw.

    Shape: (n,) -> three times int64 (min(count, n),).

    Example:
        >>> choose(np.array([0.1, 0.9, 0.5]), 1, seed=0)["best"].tolist()
        [1]
    """
    generator = np.random.default_rng(seed)
    drawn = generator.permutation(len(worth))
    best = drawn[np.argsort(-worth[drawn], kind="stable")][:count]
    worst = drawn[np.argsort(worth[drawn], kind="stable")][:count]
    return {"best": best, "worst": worst, "random": generator.permutation(len(worth))[:count]}
