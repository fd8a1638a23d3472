"""How a metric's numbers are shown: stated where the metric is registered, read by everything that shows a number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from vsebench.core.metric_specs import CLASSIFIES, Mode, metric_name, mode_of
from vsebench.core.registry import METRICS

if TYPE_CHECKING:
    from vsebench.stats.intervals import Estimate

#: Numbers that stand together: of answers, and of rankings.
Family = Literal["classification", "retrieval"]
ARROWS = {"i2t": "i→t", "t2i": "t→i", "i2i": "i→i", "t2t": "t→t"}
_SPLITS = ("val", "test")


@dataclass(frozen=True)
class Display:
    """What a metric states of its numbers, besides ``higher_is_better``.

    Args:
        title: what heads a column, ``R`` for ``R@5``; the registered name by default.
        unit: ``%`` for a share, which is shown times 100 and differs by points; empty for any other number.
        bounds: the smallest and the largest value there can be; None where there is no bound.
        digits: after the point.
        family: which numbers it stands with; by what the metric needs where it is None.
        parts: of a metric that gives several numbers, the end of a key -> its title.
    """

    title: str = ""
    unit: Literal["%", ""] = ""
    bounds: tuple[float | None, float | None] = (None, None)
    digits: int = 3
    family: Family | None = None
    parts: Mapping[str, str] = field(default_factory=dict)


def share(title: str, parts: Mapping[str, str] | None = None) -> Display:
    """Return the display of a share: in percent, from 0 to 100, with one digit.

    Example:
        >>> share("AP").unit, share("AP").bounds
        ('%', (0.0, 1.0))
    """
    return Display(title, "%", (0.0, 1.0), 1, parts=parts or {})


@dataclass(frozen=True)
class Shown:
    """A number under a key, and how it is written.

    Args:
        key: such as ``test/i2t/recall@5``.
        title: without its split, ``i→t R@5``.
        display: as its metric states it.
        direction: whether the largest or the smallest value is the best; None where none is.
        family: which numbers it stands with.
    """

    key: str
    title: str
    display: Display
    direction: Mode | None
    family: Family

    @property
    def factor(self) -> float:
        """What a value is multiplied by to be shown; 100 for a share."""
        return 100.0 if self.display.unit == "%" else 1.0

    @property
    def unit(self) -> str:
        """``, in points`` (of percent), or nothing for a number that is no share."""
        return ", in points" if self.display.unit else ""

    @property
    def percent(self) -> str:
        """Return the unit behind a title: of a share, nothing of another number."""
        return f" {self.display.unit}" if self.display.unit else ""

    @property
    def heading(self) -> str:
        """The title with its split: ``Test i→t R@5``."""
        split = self.key.split("/", 1)[0]
        return f"{split.capitalize()} {self.title}" if split in _SPLITS else self.title

    def plain(self, value: float) -> str:
        """Format a value without its unit."""
        return f"{self.factor * value:z.{self.display.digits}f}"

    def cell(self, estimate: Estimate) -> str:
        """Format a mean and its interval as a cell."""
        return estimate.text(percent=bool(self.display.unit), digits=self.display.digits)

    def signed(self, value: float) -> str:
        """Format a difference with its sign.

        Example:
            >>> shown("test/accuracy").signed(0.0123), shown("test/accuracy").signed(-0.0001)
            ('+1.2', '0.0')
        """
        # Half of the last digit shown is rounded alike on every machine.
        text = f"{round(self.factor * value, 9):+.{self.display.digits}f}"
        return text[1:] if not float(text) else text.replace("-", "−")

    def interval(self, value: float, half: float | None) -> str:
        """Format a difference and its interval, ``+1.2 [+0.4, +2.0]``; the difference alone where there is none."""
        return self.signed(value) + self._ends(value, half)

    def in_sentence(self, value: float, half: float | None) -> str:
        """Format a difference for a sentence, with its unit: ``+1.2 points [+0.4, +2.0]``."""
        return self.signed(value) + (" points" if self.unit else "") + self._ends(value, half)

    def _ends(self, value: float, half: float | None) -> str:
        return "" if half is None else f" [{self.signed(value - half)}, {self.signed(value + half)}]"


def shown(key: str) -> Shown:
    """Return how the number under a key is shown; of a metric that is not registered, as it is, to three digits.

    Example:
        >>> shown("test/i2t/hamming_lookup@2/f1").title, shown("test/i2i/reranked/precision@10").heading
        ('i→t lookup@2 F1', 'Test i→i re-ranked P@10')
        >>> shown("test/my_metric").title, shown("test/my_metric").factor
        ('my_metric', 1.0)
    """
    parts = key.split("/")
    parts = parts[1:] if parts[0] in _SPLITS else parts
    at = next((i for i, part in enumerate(parts) if metric_name(part) in METRICS), None)
    if at is None:
        return Shown(key, " ".join(_word(part) for part in parts), Display(), None, _family_of(parts))
    name = metric_name(parts[at])
    facts = METRICS.get(name).facts
    display = facts["shows"] or Display()
    rest = parts[at].removeprefix(name).replace("@r", "@R")
    words = [*map(_word, parts[:at]), (display.title or name) + rest]
    words += [display.parts.get(part, part) for part in parts[at + 1 :]]
    family: Family = "classification" if set(facts["needs"]) <= CLASSIFIES else "retrieval"
    return Shown(key, " ".join(words), display, mode_of(key), display.family or family)


def natural_order(text: str) -> list[tuple[int, float, str]]:
    """Sort key of a title, numbers by their size.

    Example:
        >>> sorted(["R@10", "R@5"], key=natural_order)
        ['R@5', 'R@10']
    """
    return [
        (0, float(part), "") if part.isdecimal() else (1, 0.0, part)
        for part in re.split(r"(\d+)", text.casefold())
        if part
    ]


def _word(part: str) -> str:
    return ARROWS.get(part, "re-ranked" if part == "reranked" else part)


def _family_of(parts: list[str]) -> Family:
    return "retrieval" if any(part in ARROWS for part in parts) else "classification"
