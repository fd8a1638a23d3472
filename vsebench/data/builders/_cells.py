"""What a cell of a table means, whatever the builder: text, label, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Texts that stand for no value, whatever their case.
MARKS = ("nan", "null", "n/a", "#n/a", "<na>")
#: Texts that stand for no value when written exactly so: what Python and R write for it.
EXACT = ("None", "NA")
WHOLE = re.compile(r"(-?\d+)\.0+")
FEW_ROWS = 20  # of fewer rows nothing is concluded from the number of distinct labels


@dataclass(frozen=True)
class Cells:
    """Reads cells.

    Args:
        marks: texts that stand for no value beside an empty cell; None for the usual ones (:data:`MARKS` in any case,
            :data:`EXACT`).
    """

    marks: frozenset[str] | None = None

    @classmethod
    def of(cls, missing_values: str | None) -> Cells:
        """From the option: texts separated by commas.

        Example:
            >>> Cells.of("-, ?").missing("?"), Cells.of("").missing("NA"), Cells.of(None).missing("NaN")
            (True, False, True)
        """
        if missing_values is None:
            return cls()
        return cls(frozenset(mark.strip() for mark in missing_values.split(",")))

    def missing(self, value: Any) -> bool:
        """Return whether a cell holds no value: None, NaN, empty, or a text that stands for no value."""
        if value is None or value == "" or (isinstance(value, float) and value != value):
            return True
        if not isinstance(value, str):
            return False
        text = value.strip()
        if self.marks is not None:
            return not text or text in self.marks
        return not text or text in EXACT or text.lower() in MARKS

    def text(self, value: Any, what: str, problems: list[str]) -> str:
        """Read a cell as text without white space around it; an empty text for no value.

        Tables and lists are no text: a problem says so.
        """
        if self.missing(value):
            return ""
        if isinstance(value, dict | list | tuple | bytes | set):
            problems.append(f"the {what} is {_kind(value)}, not text: {_short(value)}")
            return ""
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()

    def texts(self, values: Sequence[Any], problems: list[str]) -> tuple[str, ...]:
        """Cells with captions, each of which may be a list of captions; a problem where there is none or an empty
        one."""
        cells = [cell for value in values for cell in (value if isinstance(value, list | tuple) else [value])]
        faults = len(problems)
        texts = tuple(self.text(cell, "text", problems) for cell in cells)
        if len(problems) == faults and not texts:
            problems.append("no text")
        elif len(problems) == faults and not all(texts):
            problems.append("empty text" + self._mark(cells[texts.index("")], "text"))
        return texts

    def _mark(self, value: Any, what: str) -> str:
        """Explain what to do where a text that was read as a missing value is a value."""
        if value is None or (isinstance(value, str) and not value.strip()):
            return ""
        if isinstance(value, str):
            return f" ('{value.strip()}' stands for no value; where it is a {what}, give --missing-values=)"
        return f" ({value})"


@dataclass
class Labels:
    """A column of labels, read by what all of its cells together show.

    -1 is no label where the column has class names, or where the other numbers count from 0 or 1 upwards; beside 0 and
    1, beside 1 alone and beside other negative numbers it is a class. 1 and 1.0 are one class.

    Args:
        cells: how cells are read.
        values: every cell of the column.
        separator: between the labels of a cell; None or an empty one for single-label data.
        names: of the classes, where the column holds numbers of classes (ClassLabel).
    """

    cells: Cells
    values: Iterable[Any]
    separator: str | None = None
    names: Sequence[str] | None = None
    notes: list[str] = field(default_factory=list)
    no_label: bool = False
    multi: bool = False

    def __post_init__(self) -> None:
        counts: dict[str, int] = {}
        rows = 0
        for value in self.values:
            rows += 1
            self.multi |= isinstance(value, list | tuple)
            for one in self._parts(value):
                if not self.cells.missing(one) and not isinstance(one, dict | list | tuple | bytes):
                    counts[plain(one)] = counts.get(plain(one), 0) + 1
        self.values = ()
        self.multi |= bool(self.separator)
        others = {name for name in counts if name != "-1"}
        self.no_label = self.names is not None or ("-1" in counts and _counts_upwards(others))
        if self.names is None:
            self._look_at(counts, rows)

    def _look_at(self, counts: dict[str, int], rows: int) -> None:
        if "-1" in counts and not self.no_label:
            self.notes.append("the label -1 is a class, beside " + ", ".join(sorted(counts.keys() - {"-1"})[:5]))
        fractions = [name for name in counts if re.fullmatch(r"-?\d*\.\d+(e-?\d+)?", name)]
        if fractions:
            self.notes.append(
                f"{len(fractions)} labels are numbers with fractions, such as {fractions[0]}; each is a class of its"
                " own (there is no regression)"
            )
        elif rows >= FEW_ROWS and len(counts) > rows / 2 and not self.multi:
            self.notes.append(f"{len(counts):,} classes in {rows:,} rows: nearly every row has a label of its own")
        alike: dict[str, list[str]] = {}
        for name in sorted(counts):
            alike.setdefault(" ".join(name.lower().split()), []).append(name)
        pairs = [names for names in alike.values() if len(names) > 1]
        if pairs:
            self.notes.append(
                f"{len(pairs)} labels are written in several ways, each of which is a class: "
                + "; ".join(", ".join(f"'{n}'" for n in names) for names in pairs[:5])
            )

    def read(self, value: Any, problems: list[str]) -> Any:
        """Parse a cell as a label: a name, the number of a class where the column has names, or a tuple of them for
        multi-label data; a problem where there is none.
        """
        parts = self._parts(value)
        faults = len(problems)
        result = tuple(self._one(part, problems) for part in parts)
        if not result and len(problems) == faults:
            problems.append("empty label")
        if self.multi or len(result) != 1:
            return result
        return result[0]

    def _parts(self, value: Any) -> list[Any]:
        if isinstance(value, list | tuple):
            return list(value)
        if self.separator and isinstance(value, str):
            return [part.strip() for part in value.split(self.separator) if part.strip()]
        return [value]

    def _one(self, value: Any, problems: list[str]) -> Any:
        if self.cells.missing(value):
            problems.append("empty label" + self.cells._mark(value, "class"))
            return ""
        if isinstance(value, dict | list | tuple | bytes):
            problems.append(f"the label is {_kind(value)}, not the name or number of a class: {_short(value)}")
            return ""
        text = plain(value)
        if text in ("inf", "-inf"):
            problems.append(f"the label is {text}")
        elif self.no_label and text == "-1":
            problems.append("no label" if self.names is not None else "no label (-1)")
        elif self.names is not None:
            number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
            if not 0 <= number < len(self.names):
                problems.append(f"label {text} is none of the {len(self.names)} classes")
            return number
        return text


def plain(value: Any) -> str:
    """Format a label as text: whole numbers without a fraction, so that 1 and 1.0 are the same.

    Example:
        >>> plain(1.0), plain(" 1.0 "), plain(True), plain(0.5), plain("007")
        ('1', '1', 'True', '0.5', '007')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    whole = WHOLE.fullmatch(text)
    return whole[1] if whole is not None else text


def _counts_upwards(names: set[str]) -> bool:
    """Return whether names are whole numbers from 0 or 1 upwards, and not only 1, or 0 and 1."""
    if not names or not all(name.isascii() and name.isdigit() for name in names):
        return False
    return names not in ({"1"}, {"0", "1"})


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a table of names and values"
    return "bytes" if isinstance(value, bytes) else "a list"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
