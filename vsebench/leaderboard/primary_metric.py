"""The test number that a board is about, and how differences of it are written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vsebench.runs.snapshot import Snapshot
from vsebench.stats.rows import sort_key

#: Metrics that are no shares, and the digits that a difference of them is shown with.
_NOT_SHARES = {"nll": 3, "rsum": 1, "rsum_1k": 1, "median_rank": 1, "mean_rank": 1}


@dataclass(frozen=True)
class PrimaryMetric:
    """A metric and its unit.

    Args:
        key: such as ``test/accuracy``.
        factor: what a value is multiplied by to be shown; 100 for a share.
        digits: after the point.
    """

    key: str
    factor: float = 100.0
    digits: int = 1

    @property
    def unit(self) -> str:
        """``in points`` (of percent), or nothing for a number that is no share."""
        return ", in points" if self.factor != 1 else ""

    def signed(self, value: float) -> str:
        """Format a difference with its sign.

        Example:
            >>> PrimaryMetric("test/accuracy").signed(0.0123), PrimaryMetric("test/accuracy").signed(-0.0001)
            ('+1.2', '0.0')
        """
        # Half of the last digit shown is rounded alike on every machine.
        shown = f"{round(self.factor * value, 9):+.{self.digits}f}"
        return shown[1:] if not float(shown) else shown.replace("-", "−")

    def interval(self, value: float, half: float | None) -> str:
        """Format a difference and its interval, ``+1.2 [+0.4, +2.0]``; the difference alone where there is none."""
        return self.signed(value) + self._ends(value, half)

    def in_sentence(self, value: float, half: float | None) -> str:
        """Format a difference for a sentence, with its unit: ``+1.2 points [+0.4, +2.0]``."""
        return self.signed(value) + (" points" if self.unit else "") + self._ends(value, half)

    def _ends(self, value: float, half: float | None) -> str:
        return "" if half is None else f" [{self.signed(value - half)}, {self.signed(value + half)}]"


def primary_metric(snapshot: Snapshot) -> PrimaryMetric | None:
    """Return the test metric that corresponds to the validation metric by which rows are sorted; None where no run has
    it.
    """
    key = re.sub("^val/", "test/", sort_key(snapshot)[0])
    if not any(key in r.metrics for r in snapshot.results.values() if r.status == "finished"):
        return None
    digits = [_NOT_SHARES[name] for part in key.split("/") if (name := part.split("@")[0]) in _NOT_SHARES]
    return PrimaryMetric(key, 1.0, digits[0]) if digits else PrimaryMetric(key)
