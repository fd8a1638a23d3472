"""Do a run again and judge whether the same came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from vsebench.core.errors import DataError, Place, RunFailed
from vsebench.core.types import Result
from vsebench.data.dataset import Dataset
from vsebench.ops.slices import is_of_slice
from vsebench.results.leaves import ABSENT, differing, leaves, on_board
from vsebench.results.original import Original
from vsebench.runs.store import RESULT, Store
from vsebench.runs.tracking import NullTracker
from vsebench.stats.intervals import estimate, item_half_width
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
        allowed: how far apart the two may be; None where nothing says so.
        by: what says so: ``given``, ``seeds`` or ``items``.
    """

    key: str
    stored: float
    again: float
    allowed: float | None
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
        identical: whether all speaks for the same numbers to the last bit: nothing above differs, and the run is
            deterministic.
    """

    lines: Sequence[Line]
    result: Result
    circumstances: Mapping[str, tuple[Any, Any]]
    code: str
    identical: bool

    @property
    def holds(self) -> bool:
        """Whether every number is the same or as near as it may be."""
        return all(line.verdict not in ("differs", "missing") for line in self.lines)


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
    row: Sequence[Result] = (),
    tolerance: float | None = None,
) -> Reproduction:
    """Compare the numbers, and name what else is not as it was.

    A number is ``same`` to the last digit that is stored; off by ``rounding`` (relative 1e-6); ``within`` the tolerance
    that is given or, without one, the half-width of the row's 95 % interval over seeds or, of a share of a row with one
    seed, of Wilson's over the items of the split; else it ``differs``.

    Args:
        original: the run that is reproduced.
        again: result of the second run.
        row: finished results of the row's seeds.
        tolerance: absolute.
    """
    before = original.result
    now = again.metrics if original.exact else _as_on_board(again)
    lines = []
    for key in sorted({*before.metrics, *now}):
        if key not in before.metrics or key not in now:
            if is_of_slice(key):  # another file of the same items may name other slices
                continue
            lines.append(Line(key, before.metrics.get(key, math.nan), now.get(key, math.nan), None, "", "missing"))
            continue
        allowed, by = _allowed(key, before, row, tolerance)
        stored, value = before.metrics[key], now[key]
        lines.append(Line(key, stored, value, allowed, by, verdict(stored, value, allowed)))
    a, b = ({name: getattr(r, name) for name in _CIRCUMSTANCES} for r in (before, again))
    circumstances = differing(leaves(a), leaves(b))
    here = id_here(original.run, str(before.dataset["fingerprint"])) if original.exact else before.run_id
    code = "" if here == before.run_id else here
    identical = original.run.system.train.deterministic and not code and not set(circumstances) - {"commit"}
    return Reproduction(lines, again, circumstances, code, identical)


def verdict(stored: float, again: float, allowed: float | None) -> Verdict:
    """How two numbers compare.

    Example:
        >>> verdict(0.5, 0.5, None), verdict(0.5, 0.5 + 1e-9, None), verdict(0.5, 0.52, 0.03), verdict(0.5, 0.6, None)
        ('same', 'rounding', 'within', 'differs')
    """
    if stored == again or (math.isnan(stored) and math.isnan(again)):
        return "same"
    apart = abs(stored - again)
    if apart <= ROUNDING * max(abs(stored), abs(again)):
        return "rounding"
    return "within" if allowed is not None and apart <= allowed else "differs"


def _allowed(key: str, before: Result, row: Sequence[Result], tolerance: float | None) -> tuple[float | None, str]:
    if tolerance is not None:
        return tolerance, "given"
    values = [r.metrics[key] for r in row if key in r.metrics]
    half = estimate(values).half if len(values) > 1 else None
    if half:
        return half, "seeds"
    split = key.partition("/")[0]
    items = int(before.dataset.get("splits", {}).get(split, 0))
    value = before.metrics[key]
    if items and 0 <= value <= 1 and not {"chance", "nll", "ece"} & set(key.split("/")):
        return item_half_width(value, items), "items"
    return None, ""


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
        "identical_expected": reproduction.identical,
        "code": reproduction.code,
        "circumstances": {name: list(both) for name, both in reproduction.circumstances.items()},
        "numbers": [asdict(line) for line in reproduction.lines],
    }
