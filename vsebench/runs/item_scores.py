"""What every run made of every test item: kept beside a board's results, so that intervals and tests come from
committed files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from vsebench.core.errors import DataError, Place
from vsebench.core.files import make_folder, replacing
from vsebench.core.sizes import in_words
from vsebench.core.terminal import say
from vsebench.core.types import Result
from vsebench.ops.ranking import DIRECTIONS, RANK_PARTS, Ranks
from vsebench.ops.slices import Slices
from vsebench.runs.snapshot import Snapshot
from vsebench.runs.store import plain_name

FORMAT = 1
#: Kinds of numbers, as NumPy has them, in words.
_KINDS = {"iu": "whole numbers", "u": "bits", "f": "numbers", "U": "text"}
ITEMS = "items"
#: Results keep six significant digits.
TOLERANCE = 1e-5
#: Bytes of all arrays.
LARGEST = 1 << 30


@dataclass(frozen=True)
class ItemScores:
    """Test items of one experiment, and what its runs made of them.

    Args:
        fingerprint: of the dataset.
        positions: int64 (n,), in the dataset file.
        clusters: int64 (n,), equal for items that are drawn together: views of one product, questions about one
            picture; each item its own otherwise.
        right: ``accuracy`` or ``vqa_accuracy`` -> run id -> float64 (n,), how right the answer is, in [0, 1].
        ranks: ``i2t`` or ``t2i`` -> run id -> where the best match of each query stands.
        query_items: ``i2t`` or ``t2i`` -> int64 (Q,), the item that each ranked query belongs to.
        slices: category fields of the items; none where the dataset names none.
        resampled: key of a metric that is no mean over items -> run id -> float64 (B,), its values on resamples of the
            clusters, the same for every run (:func:`vsebench.stats.bootstrap.draws`).
    """

    fingerprint: str
    positions: np.ndarray
    clusters: np.ndarray
    right: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict, repr=False)
    ranks: Mapping[str, Mapping[str, Ranks]] = field(default_factory=dict, repr=False)
    query_items: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    slices: Slices = field(default_factory=Slices, repr=False)
    resampled: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict, repr=False)

    @property
    def runs(self) -> set[str]:
        """Ids of the runs that it knows."""
        return {run for by_run in self._parts for run in by_run}

    @property
    def _parts(self) -> list[Mapping[str, Any]]:
        return [*self.right.values(), *self.ranks.values(), *self.resampled.values()]


def of_items(item_scores: ItemScores, rows: np.ndarray) -> ItemScores:
    """Return what runs made of some items; the queries of these keep their places in the whole gallery.

    Args:
        item_scores: of n items.
        rows: bool (n,).
    """
    number = np.cumsum(rows) - 1
    keep = {way: rows[items] for way, items in item_scores.query_items.items()}
    return ItemScores(
        item_scores.fingerprint,
        item_scores.positions[rows],
        item_scores.clusters[rows],
        {name: {run: values[rows] for run, values in by_run.items()} for name, by_run in item_scores.right.items()},
        {
            way: {
                run: Ranks(
                    **{part: getattr(ranks, part)[keep[way]] for part in RANK_PARTS}, gallery=ranks.gallery, skipped=0
                )
                for run, ranks in by_run.items()
            }
            for way, by_run in item_scores.ranks.items()
        },
        {way: number[items[keep[way]]] for way, items in item_scores.query_items.items()},
    )


def clusters_of(groups: np.ndarray, dataset: Mapping[str, Any]) -> np.ndarray:
    """Return which items are drawn together, as stored predictions tell it: those of a group, else each alone.

    Args:
        groups: int (n,), of the items; they are products or pictures where relevance is of groups, and what a match is
            (such as the class) elsewhere.
        dataset: what a result says of its dataset.
    """
    return numbered(groups) if dataset.get("relevance", "item") == "group" else np.arange(len(groups))


def numbered(groups: np.ndarray) -> np.ndarray:
    """Return groups as numbers from 0 in the order of their first occurrence."""
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number].astype(np.int64)


def items_file(folder: Path, experiment: str) -> Path:
    """Return where an experiment's outcomes lie in a leaderboard folder."""
    return folder / ITEMS / f"{plain_name(experiment, 'an experiment')}.npz"


def save(item_scores: ItemScores, file: Path) -> bool:
    """Write them; the same outcomes give the same bytes. Returns whether the file changed."""
    arrays: dict[str, np.ndarray] = {
        "format": np.array(FORMAT),
        "fingerprint": np.array(item_scores.fingerprint),
        "positions": _small(item_scores.positions),
        "clusters": _small(item_scores.clusters),
        **item_scores.slices.arrays(),
    }
    for name, by_run in sorted(item_scores.right.items()):
        values = np.stack([by_run[run] for run in sorted(by_run)])
        arrays[f"{name}/runs"] = np.array(sorted(by_run))
        plain = bool(np.isin(values, (0.0, 1.0)).all())
        arrays[f"{name}/{'bits' if plain else 'values'}"] = np.packbits(values > 0, axis=1) if plain else values
    for way, ranked in sorted(item_scores.ranks.items()):
        arrays[f"{way}/runs"] = np.array(sorted(ranked))
        arrays[f"{way}/asked"] = _small(item_scores.query_items[way])
        arrays[f"{way}/gallery"] = np.array(next(iter(ranked.values())).gallery)
        for part in RANK_PARTS:
            arrays[f"{way}/{part}"] = _small(np.stack([getattr(ranked[run], part) for run in sorted(ranked)]))
    for key, values_of_runs in sorted(item_scores.resampled.items()):
        arrays[f"resampled/{key}/runs"] = np.array(sorted(values_of_runs))
        stacked = np.stack([values_of_runs[run] for run in sorted(values_of_runs)])
        arrays[f"resampled/{key}/values"] = stacked.astype(np.float32)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    if file.is_file() and file.read_bytes() == content.getvalue():
        return False
    make_folder(file.parent)
    with replacing(file) as partial:
        partial.write_bytes(content.getvalue())
    return True


def load(file: Path) -> ItemScores:
    """Read them.

    Raises: DataError when the file is missing, damaged or of another format, naming what is at fault.
    """
    try:
        with file.open("rb") as stream, ZipFile(stream) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST:
            raise DataError(f"it unpacks to {in_words(size)}; at most {in_words(LARGEST)} are read")
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise DataError("no such file of outcomes.", place=Place(str(file))) from None
    except DataError as error:
        raise DataError(f"not a file of outcomes: {error.message}.", place=Place(str(file))) from None
    except Exception as error:  # numpy, zipfile and zlib each have their own for a damaged file
        reason = str(error) or type(error).__name__
        raise DataError(f"not a file of outcomes: {reason.splitlines()[0]}.", place=Place(str(file))) from None
    try:
        return _item_scores(arrays)
    except (ValueError, TypeError) as error:
        raise DataError(f"not a file of outcomes: {error}.", place=Place(str(file))) from None


def _item_scores(arrays: Mapping[str, np.ndarray]) -> ItemScores:
    """Check the arrays and wrap them.

    Raises: ValueError naming the array that is missing or of another form.
    """
    number = int(_array(arrays, "format", "iu", ()))
    if number != FORMAT:
        raise ValueError(f"outcomes of format {number}; this version reads {FORMAT}")
    positions = _counts(arrays, "positions", (None,))
    count = len(positions)
    queries: dict[str, np.ndarray] = {
        way: _counts(arrays, f"{way}/asked", (None,), count - 1) for way in DIRECTIONS if f"{way}/asked" in arrays
    }
    return ItemScores(
        str(_array(arrays, "fingerprint", "U", ())),
        positions,
        _counts(arrays, "clusters", (count,)),
        {name: _right(arrays, name, count) for name in ("accuracy", "vqa_accuracy") if f"{name}/runs" in arrays},
        {way: _ranks(arrays, way) for way in DIRECTIONS if f"{way}/runs" in arrays},
        queries,
        _slices(arrays, count),
        _resampled(arrays),
    )


def _resampled(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    results = {}
    for name in arrays:
        if name.startswith("resampled/") and name.endswith("/runs"):
            runs, of = _run_ids(arrays, name), name.removesuffix("/runs")
            values = _array(arrays, f"{of}/values", "f", (len(runs), None)).astype(np.float64)
            results[of.removeprefix("resampled/")] = dict(zip(runs, values, strict=True))
    return results


def _slices(arrays: Mapping[str, np.ndarray], count: int) -> Slices:
    slices = Slices.from_arrays(arrays)
    if slices and len(slices.codes) != count:
        raise ValueError(f"slices of {len(slices.codes)} items, there are {count}")
    return slices


def _array(arrays: Mapping[str, np.ndarray], name: str, kinds: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Read an array of some kinds of numbers; None in its shape is any length.

    Raises: ValueError.
    """
    if name not in arrays:
        raise ValueError(f"it lacks '{name}'")
    result = arrays[name]
    fits = result.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, result.shape, strict=True))
    if result.dtype.kind not in kinds or not fits:
        wanted = " × ".join("any" if n is None else str(n) for n in shape) or "one value"
        raise ValueError(f"'{name}' must be {_KINDS[kinds]}, of shape {wanted}; is {result.dtype} {result.shape}")
    return result


def _counts(
    arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int | None, ...], most: int | None = None
) -> np.ndarray:
    """Whole numbers from 0 on, as int64."""
    result = _array(arrays, name, "iu", shape)
    high = 2**53 if most is None else most
    if result.size and (int(result.min()) < 0 or int(result.max()) > high):
        raise ValueError(f"'{name}' must be from 0 to {high}, is {result.min()} to {result.max()}")
    return result.astype(np.int64)


def _run_ids(arrays: Mapping[str, np.ndarray], name: str) -> list[str]:
    runs: list[str] = _array(arrays, name, "U", (None,)).tolist()
    if len(set(runs)) < len(runs) or not runs:
        raise ValueError(f"'{name}' must name runs, each once")
    return runs


def load_for(snapshot: Snapshot, folder: Path) -> ItemScores | None:
    """Read the outcomes of a board's runs; None where none were collected.

    Raises: DataError when they are damaged, of other data, or say other numbers than the results.
    """
    file = items_file(folder, snapshot.experiment)
    if not file.is_file():
        return None
    item_scores = load(file)
    check(snapshot, item_scores, Place(str(file)))
    return item_scores


def usable(snapshot: Snapshot, folder: Path) -> tuple[ItemScores | None, str]:
    """Read the outcomes of a board's runs, or return why they cannot be used.

    What rests on them is then left out, and that is said; the board's other numbers do not depend on them.
    """
    try:
        return load_for(snapshot, folder), ""
    except DataError as error:
        say(f"{error} The board is shown without what rests on it.", error=True)
        return None, error.message.rstrip(".")


def check(snapshot: Snapshot, item_scores: ItemScores, place: Place | None = None) -> None:
    """Refuse outcomes that are not those of the results.

    Raises: DataError for other data, or naming the run and the number that differ.
    """
    if item_scores.fingerprint != snapshot.dataset["fingerprint"]:
        raise DataError(
            f"outcomes are of dataset {item_scores.fingerprint}, the board of {snapshot.dataset['fingerprint']}; "
            "collect them again (vsebench outcomes).",
            place=place,
        )
    for result in snapshot.results.values():
        if (difference := differing(item_scores, result)) is not None:
            key, value, stored_value = difference
            raise DataError(
                f"run {result.run_id}: outcomes give {key} {value:.6g}, its result says {stored_value:.6g}; "
                "collect them again (vsebench outcomes).",
                place=place,
            )


def differing(item_scores: ItemScores, result: Result) -> tuple[str, float, float] | None:
    """Compare a result with its outcomes; return a disagreement: the key, the number from outcomes and the stored
    one.
    """
    for key, value in values_of(item_scores, result.run_id).items():
        stored = result.metrics.get(f"test/{key}")
        if stored is not None and abs(stored - value) > TOLERANCE:
            return key, value, stored
    return None


def values_of(item_scores: ItemScores, run: str) -> dict[str, float]:
    """Compute a run's metrics from its outcomes."""
    results = {name: float(by_run[run].mean()) for name, by_run in item_scores.right.items() if run in by_run}
    for way, ranked in item_scores.ranks.items():
        if run in ranked:
            results |= {f"{way}/recall@{k}": float(ranked[run].hit(k).mean()) for k in (1, 5, 10)}
    return results


def _right(arrays: Mapping[str, np.ndarray], name: str, count: int) -> dict[str, np.ndarray]:
    runs = _run_ids(arrays, f"{name}/runs")
    if f"{name}/bits" in arrays:
        bits = _array(arrays, f"{name}/bits", "u", (len(runs), (count + 7) // 8))
        values = np.unpackbits(bits, axis=1, count=count).astype(np.float64)
    else:
        values = _array(arrays, f"{name}/values", "f", (len(runs), count)).astype(np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"'{name}/values' must be shares from 0 to 1")
    return dict(zip(runs, values, strict=True))


def _ranks(arrays: Mapping[str, np.ndarray], way: str) -> dict[str, Ranks]:
    gallery = int(_counts(arrays, f"{way}/gallery", ()))
    runs = _run_ids(arrays, f"{way}/runs")
    shape = (len(runs), len(_counts(arrays, f"{way}/asked", (None,))))
    above, tied, tied_relevant, relevant = (_counts(arrays, f"{way}/{part}", shape, gallery) for part in RANK_PARTS)
    possible = (above + tied <= gallery) & (tied_relevant >= 1) & (tied_relevant <= np.minimum(tied, relevant))
    if not possible.all():
        raise ValueError(f"ranks of '{way}' are not those of a gallery of {gallery:,}")
    return {
        run: Ranks(above[i], tied[i], tied_relevant[i], relevant[i], gallery=gallery, skipped=0)
        for i, run in enumerate(runs)
    }


def _small(values: np.ndarray) -> np.ndarray:
    """Whole numbers ≥ 0 in the smallest type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
