"""What every run made of every test item: kept beside a board's results, so that intervals and tests come from
committed files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vsebench.errors import DataError, Place
from vsebench.leaderboard.snapshot import Snapshot
from vsebench.metrics._ranking import Ranks
from vsebench.store import plain_name
from vsebench.types import Result

FORMAT = 1
ITEMS = "items"
DIRECTIONS = ("i2t", "t2i")
RANK_PARTS = ("above", "tied", "tied_relevant", "relevant")
#: Results keep six significant digits.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Outcomes:
    """Test items of one experiment, and what its runs made of them.

    Args:
        fingerprint: of the dataset.
        positions: int64 (n,), in the dataset file.
        clusters: int64 (n,), equal for items that are drawn together: views of one product, questions about one
            picture; each item its own otherwise.
        right: ``accuracy`` or ``vqa_accuracy`` -> run id -> float64 (n,), how right the answer is, in [0, 1].
        ranks: ``i2t`` or ``t2i`` -> run id -> where the best match of each query stands.
        asked: ``i2t`` or ``t2i`` -> int64 (Q,), the item that each ranked query belongs to.
    """

    fingerprint: str
    positions: np.ndarray
    clusters: np.ndarray
    right: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict, repr=False)
    ranks: Mapping[str, Mapping[str, Ranks]] = field(default_factory=dict, repr=False)
    asked: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    @property
    def runs(self) -> set[str]:
        """Ids of the runs that it knows."""
        return {run for kept in (*self.right.values(), *self.ranks.values()) for run in kept}


def items_file(folder: Path, experiment: str) -> Path:
    """Where an experiment's outcomes lie in a leaderboard folder."""
    return folder / ITEMS / f"{plain_name(experiment, 'an experiment')}.npz"


def save(outcomes: Outcomes, file: Path) -> bool:
    """Write them; the same outcomes give the same bytes. Returns whether the file changed."""
    arrays: dict[str, np.ndarray] = {
        "format": np.array(FORMAT),
        "fingerprint": np.array(outcomes.fingerprint),
        "positions": _small(outcomes.positions),
        "clusters": _small(outcomes.clusters),
    }
    for name, by_run in sorted(outcomes.right.items()):
        values = np.stack([by_run[run] for run in sorted(by_run)])
        arrays[f"{name}/runs"] = np.array(sorted(by_run))
        plain = bool(np.isin(values, (0.0, 1.0)).all())
        arrays[f"{name}/{'bits' if plain else 'values'}"] = np.packbits(values > 0, axis=1) if plain else values
    for way, ranked in sorted(outcomes.ranks.items()):
        arrays[f"{way}/runs"] = np.array(sorted(ranked))
        arrays[f"{way}/asked"] = _small(outcomes.asked[way])
        arrays[f"{way}/gallery"] = np.array(next(iter(ranked.values())).gallery)
        for part in RANK_PARTS:
            arrays[f"{way}/{part}"] = _small(np.stack([getattr(ranked[run], part) for run in sorted(ranked)]))
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.stem}.partial-{os.getpid()}.npz")
    np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
    if file.is_file() and file.read_bytes() == partial.read_bytes():
        partial.unlink()
        return False
    os.replace(partial, file)
    return True


def load(file: Path) -> Outcomes:
    """Read them.

    Raises: DataError when the file is missing, damaged or of another format.
    """
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        if int(arrays["format"]) != FORMAT:
            raise DataError(f"outcomes of format {int(arrays['format'])}; this version reads {FORMAT}.")
        count = len(arrays["positions"])
        return Outcomes(
            str(arrays["fingerprint"]),
            arrays["positions"].astype(np.int64),
            arrays["clusters"].astype(np.int64),
            {name: _right(arrays, name, count) for name in ("accuracy", "vqa_accuracy") if f"{name}/runs" in arrays},
            {way: _ranks(arrays, way) for way in DIRECTIONS if f"{way}/runs" in arrays},
            {way: arrays[f"{way}/asked"].astype(np.int64) for way in DIRECTIONS if f"{way}/asked" in arrays},
        )
    except FileNotFoundError:
        raise DataError("no such file of outcomes.", place=Place(str(file))) from None
    except DataError as error:
        raise DataError(error.message, place=Place(str(file))) from None
    except Exception as error:  # numpy, zipfile and zlib each have their own for a damaged file
        raise DataError(f"not a file of outcomes: {error}.", place=Place(str(file))) from None


def load_for(snapshot: Snapshot, folder: Path) -> Outcomes | None:
    """The outcomes of a board's runs; None where none were collected.

    Raises: DataError when they are damaged, of other data, or say other numbers than the results.
    """
    file = items_file(folder, snapshot.experiment)
    if not file.is_file():
        return None
    outcomes = load(file)
    check(snapshot, outcomes, Place(str(file)))
    return outcomes


def check(snapshot: Snapshot, outcomes: Outcomes, place: Place | None = None) -> None:
    """Refuse outcomes that are not those of the results.

    Raises: DataError for other data, or naming the run and the number that differ.
    """
    if outcomes.fingerprint != snapshot.dataset["fingerprint"]:
        raise DataError(
            f"outcomes are of dataset {outcomes.fingerprint}, the board of {snapshot.dataset['fingerprint']}; "
            "collect them again (vsebench outcomes).",
            place=place,
        )
    for result in snapshot.results.values():
        if (found := differing(outcomes, result)) is not None:
            key, value, said = found
            raise DataError(
                f"run {result.run_id}: outcomes give {key} {value:.6g}, its result says {said:.6g}; collect them again "
                "(vsebench outcomes).",
                place=place,
            )


def differing(outcomes: Outcomes, result: Result) -> tuple[str, float, float] | None:
    """A number of a result that outcomes do not give: its key, what they give and what it says."""
    for key, value in values_of(outcomes, result.run_id).items():
        said = result.metrics.get(f"test/{key}")
        if said is not None and abs(said - value) > TOLERANCE:
            return key, value, said
    return None


def values_of(outcomes: Outcomes, run: str) -> dict[str, float]:
    """What a run's metrics must be by its outcomes."""
    found = {name: float(by_run[run].mean()) for name, by_run in outcomes.right.items() if run in by_run}
    for way, ranked in outcomes.ranks.items():
        if run in ranked:
            found |= {f"{way}/recall@{k}": float(ranked[run].hit(k).mean()) for k in (1, 5, 10)}
    return found


def _right(arrays: Mapping[str, np.ndarray], name: str, count: int) -> dict[str, np.ndarray]:
    if f"{name}/bits" in arrays:
        values = np.unpackbits(arrays[f"{name}/bits"], axis=1, count=count).astype(np.float64)
    else:
        values = arrays[f"{name}/values"]
    if values.shape != (len(arrays[f"{name}/runs"]), count):
        raise ValueError(f"{name} has shape {values.shape} for {count} items")
    return dict(zip(arrays[f"{name}/runs"].tolist(), values, strict=True))


def _ranks(arrays: Mapping[str, np.ndarray], way: str) -> dict[str, Ranks]:
    gallery = int(arrays[f"{way}/gallery"])
    parts = [arrays[f"{way}/{part}"].astype(np.int64) for part in RANK_PARTS]
    if any(part.shape != (len(arrays[f"{way}/runs"]), len(arrays[f"{way}/asked"])) for part in parts):
        raise ValueError(f"ranks of {way} have another shape than their queries")
    runs = arrays[f"{way}/runs"].tolist()
    above, tied, tied_relevant, relevant = parts
    return {
        run: Ranks(above[i], tied[i], tied_relevant[i], relevant[i], gallery=gallery, skipped=0)
        for i, run in enumerate(runs)
    }


def _small(values: np.ndarray) -> np.ndarray:
    """Whole numbers ≥ 0 in the smallest type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
