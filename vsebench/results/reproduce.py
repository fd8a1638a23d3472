"""Do a run again and judge whether the same came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from vsebench.core.errors import DataError, Place, RunFailed
from vsebench.core.metric_specs import mode_of
from vsebench.core.types import Result
from vsebench.data.dataset import Dataset
from vsebench.ops.slices import is_of_slice
from vsebench.results.leaves import ABSENT, differing, leaves, on_board
from vsebench.results.original import Original
from vsebench.runs.store import RESULT, Store
from vsebench.runs.tracking import NullTracker
from vsebench.stats.intervals import LEVEL, item_half_width, t_quantile
from vsebench.stats.paired_tests import seed_noise
from vsebench.sweeps.plan import id_here
from vsebench.sweeps.run_one import execute

Verdict = Literal["same", "rounding", "within", "differs", "missing"]
#: Relative; what another order of sums may do to a number that follows from the same decisions.
ROUNDING = 1e-6
#: What may explain another number.
_CIRCUMSTANCES = ("versions", "hub", "hardware", "commit", "code", "metric_versions")


@dataclass(frozen=True)
class Line:
    """A number as it was and as it is again.

    Args:
        low, high: where it may lie; None where nothing says so.
        by: what says so: ``given``, ``seeds``, ``other rows`` (their seeds) or ``items``.
    """

    key: str
    stored: float
    again: float
    low: float | None
    high: float | None
    by: str
    verdict: Verdict

    @property
    def difference(self) -> float:
        """Again minus stored."""
        return self.again - self.stored


@dataclass(frozen=True)
class Reproduction:
    """What came of it.

    Args:
        circumstances: dotted name -> before, now: versions, commits of models of the hub, hardware, commit.
        code: the run id that the same configuration has here, where code or local weights have changed; else empty.
        seeds: finished results of the row, of which one was done again.
        identical: whether all speaks for the same numbers to the last bit: nothing above differs, and the run is
            deterministic.
    """

    lines: Sequence[Line]
    result: Result
    circumstances: Mapping[str, tuple[Any, Any]]
    code: str
    seeds: int
    identical: bool

    @property
    def holds(self) -> bool:
        """Whether every number is the same or lies where it may."""
        return not self.outside

    @property
    def outside(self) -> list[str]:
        """Keys of the numbers that do not lie where they may, or are missing."""
        return [line.key for line in self.lines if line.verdict in ("differs", "missing")]


def do_again(
    original: Original,
    dataset: Dataset,
    store: Store,
    *,
    device: torch.device,
    cache: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Result:
    """Train and evaluate the run in a store of its own.

    Raises: DataError when the store has it already; RunFailed when it fails.
    """
    folder = store.run_folder(original.run.run_id)
    if (folder / RESULT).is_file():
        raise DataError("this run was done again here before; remove it, or give --out.", place=Place(str(folder)))
    result = execute(
        original.run, dataset, store, device=device, tracker=lambda _: NullTracker(), say=say, cache=cache
    )  # fmt: skip
    if result.status != "finished":
        raise RunFailed(f"run {original.run.run_id} failed when it was done again:\n{(result.error or '').strip()}")
    return result


def assess(
    original: Original,
    again: Result,
    *,
    rows: Sequence[Sequence[Result]] = (),
    tolerance: float | None = None,
) -> Reproduction:
    """Compare the numbers, and name what else is not as it was.

    A number is ``same`` to the last digit that is stored; off by ``rounding`` (relative 1e-6); ``within`` the tolerance
    that is given or, without one, the interval in which one new run of the row is to be expected; else it ``differs``:

        mean ± t_{ν, level} s √(1 + 1/n),   level = 0.95^(1 / numbers)

    of n seeds, so that all numbers together lie within with a chance of 95 % (Šidák). s² is the row's variance over
    seeds or the mean of all rows', whichever is larger (:func:`seed_noise`); of a row with one seed that of the others.
    Where no row has two, a share may differ by as much as other test items would move it, and nothing else may.

    Args:
        original: the run that is reproduced.
        again: result of the second run.
        rows: finished results of the experiment's rows, seed by seed; the run's own row first.
        tolerance: absolute.
    """
    before = original.result
    now = again.metrics if original.exact else _as_on_board(again)
    lines = []
    keys = sorted({*before.metrics, *now})
    level = LEVEL ** (1 / max(1, len(before.metrics.keys() & now.keys())))
    for key in keys:
        if key not in before.metrics or key not in now:
            if is_of_slice(key):  # another file of the same items may name other slices
                continue
            lines.append(
                Line(key, before.metrics.get(key, math.nan), now.get(key, math.nan), None, None, "", "missing")
            )
            continue
        low, high, by = _allowed(key, before, rows, tolerance, level)
        stored, value = before.metrics[key], now[key]
        lines.append(Line(key, stored, value, low, high, by, verdict(stored, value, low, high)))
    a, b = ({name: getattr(r, name) for name in _CIRCUMSTANCES} for r in (before, again))
    circumstances = differing(leaves(a), leaves(b))
    here = id_here(original.run, str(before.dataset["fingerprint"])) if original.exact else before.run_id
    code = "" if here == before.run_id else here
    identical = original.run.system.train.deterministic and not code and not set(circumstances) - {"commit"}
    return Reproduction(lines, again, circumstances, code, len(rows[0]) if rows else 1, identical)


def verdict(stored: float, again: float, low: float | None = None, high: float | None = None) -> Verdict:
    """Return how two numbers compare, the second of which may lie from low to high.

    Example:
        >>> verdict(0.5, 0.5), verdict(0.5, 0.5 + 1e-9), verdict(0.5, 0.52, 0.47, 0.53), verdict(0.5, 0.6)
        ('same', 'rounding', 'within', 'differs')
    """
    if stored == again or (math.isnan(stored) and math.isnan(again)):
        return "same"
    if abs(stored - again) <= ROUNDING * max(abs(stored), abs(again)):
        return "rounding"
    return "within" if low is not None and high is not None and low <= again <= high else "differs"


def summary(reproduction: Reproduction) -> str:
    """Say in one line what came of it, and by what it was judged."""
    lines, outside = reproduction.lines, reproduction.outside
    by = {line.by for line in lines}
    if all(line.verdict in ("same", "rounding") for line in lines):
        return f"Reproduced: all {len(lines)} numbers are the same."
    seeds = f"by its {reproduction.seeds} seeds"
    others = "by the seeds of other rows: of this row one is stored, which says nothing of how far seeds move it"
    where = {
        "given": "as near as the tolerance says",
        "seeds": f"where one new run of this row is expected, {seeds} (95 % for all together)",
        "other rows": f"where one new run is expected (95 % for all together), {others}",
        "items": "as near as other test items would move a share; one seed is stored and no row has two, so that it is "
        "not known how far seeds move a number",
    }
    nothing = "where they have to: one seed is stored and no row has two, so that they have to be the same"
    judged = next((text for name, text in where.items() if name in by), nothing)
    if not outside:
        wide = sum(1 for n in lines if n.low is not None and n.high is not None and n.low <= 0 and n.high >= 1)
        few = f" So few seeds say little: {wide} of these numbers might be any share." if wide else ""
        return f"Reproduced: all {len(lines)} numbers lie {judged}.{few}"
    names = ", ".join(outside[:5]) + (" …" if len(outside) > 5 else "")
    return f"Not reproduced: {len(outside)} of {len(lines)} numbers do not lie {judged}: {names}."


def _allowed(
    key: str, before: Result, rows: Sequence[Sequence[Result]], tolerance: float | None, level: float
) -> tuple[float | None, float | None, str]:
    """Return where a number may lie, and what says so."""
    stored = before.metrics[key]
    if tolerance is not None:
        return stored - tolerance, stored + tolerance, "given"
    values = [[r.metrics[key] for r in row if key in r.metrics] for row in rows]
    of_seeds = values[0] if values else []
    noise = seed_noise([of_seeds, *(of_row for of_row in values[1:] if of_row)])[0] if of_seeds else None
    if noise is not None and noise.estimated > 0:
        spread = math.sqrt(noise.estimated * len(of_seeds) * (1 + 1 / len(of_seeds)))
        half, mean = t_quantile(noise.freedom, (1 + level) / 2) * spread, sum(of_seeds) / len(of_seeds)
        return mean - half, mean + half, "seeds" if len(of_seeds) > 1 else "other rows"
    items = int(before.dataset.get("splits", {}).get(key.partition("/")[0], 0))
    if noise is None and items and 0 <= stored <= 1 and mode_of(key) == "max":
        half = item_half_width(stored, items)
        return stored - half, stored + half, "items"
    return None, None, ""


def _as_on_board(result: Result) -> dict[str, float]:
    results = on_board(result)
    return {key: results[f"metrics.{key}"] for key in result.metrics}


def shown(value: Any) -> str:
    """Describe a circumstance in words."""
    return "nothing" if value in (ABSENT, None, "") else str(value)


def plain(reproduction: Reproduction) -> dict[str, Any]:
    """As data that goes to JSON."""
    return {
        "run_id": reproduction.result.run_id,
        "holds": reproduction.holds,
        "verdict": summary(reproduction),
        "identical_expected": reproduction.identical,
        "code": reproduction.code,
        "circumstances": {name: list(both) for name, both in reproduction.circumstances.items()},
        "numbers": [asdict(line) for line in reproduction.lines],
    }
