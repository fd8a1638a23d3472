"""Tables of Hugging Face ``datasets`` as drafts of items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vsebench.core.errors import ConfigError, did_you_mean, known_names
from vsebench.data.builders._build import Draft
from vsebench.data.builders._cells import Cells, Labels
from vsebench.data.builders._columns import SPLIT_COLUMNS, SPLIT_NAMES, split_of
from vsebench.data.builders._columns import split_column as split_column_of
from vsebench.data.builders._hub_columns import Columns, check_column, holds_splits, is_plain
from vsebench.data.builders._tables import Tables
from vsebench.data.item import SPLITS, Item


def undecoded(table: Any, columns: Columns) -> Any:
    """Read the table with images and sounds as the bytes they came in."""
    from datasets import Audio, Image

    for what, kind in (("image", Image), ("audio", Audio)):
        if what in columns.names:
            table = table.cast_column(columns.names[what], kind(decode=False))
    return table


def split_map(results: list[str], location: str | None, source: str) -> dict[str, str | None]:
    """Map the source's splits to ours; None where all are made by rule.

    Raises: ConfigError for a split that is not there, or one whose name says nothing.
    """
    if location is not None:
        pairs = dict(pair.strip().partition("=")[::2] for pair in location.split(","))
        for theirs, ours in pairs.items():
            if theirs not in results:
                raise ConfigError(
                    f"'{source}' has no split '{theirs}'."
                    + did_you_mean(theirs, results)
                    + known_names(results, "There are"),
                    path=("splits",),
                )
            if ours not in SPLITS:
                raise ConfigError(
                    f"split '{theirs}={ours}': '{ours}' is none of {', '.join(SPLITS)}.", path=("splits",)
                )
        return dict(pairs)
    if len(results) == 1:
        return {results[0]: None}
    unknown = [name for name in results if name.lower() not in SPLIT_NAMES]
    if unknown:
        guess = ",".join(f"{n}={SPLIT_NAMES.get(n.lower(), 'rest')}" for n in results)
        raise ConfigError(
            f"'{source}' has a split '{unknown[0]}'; say what each is, such as --splits {guess}",
            path=("splits",),
        )
    return {name: SPLIT_NAMES[name.lower()] for name in results}


def column_of_splits(
    requested: str | None, tables: Mapping[str, Any], features: Mapping[str, Any], source: str, cells: Cells
) -> tuple[str | None, list[str]]:
    """Return the column of the source that holds splits, and notes on the choice.

    Looked for where the source has a single split of its own, or where it is asked for.

    Raises: ConfigError for a column that does not exist; DataError where the choice is not clear.
    """
    if requested:
        check_column(features, requested, "split", source)
    if requested is not None:
        return requested or None, []
    if len(tables) > 1:
        unused = [name for name in features if name.strip().lower() in SPLIT_COLUMNS]
        message = "is not used: the source has splits of its own (--split-column uses it)"
        return None, [f"column '{name}' {message}" for name in unused]
    (table,) = tables.values()
    plain = {
        name: column_values(table, name, feature)
        for name, feature in features.items()
        if not hasattr(feature, "feature") and is_plain(feature) and not name.startswith("__")
    }
    labels = [n for n, f in features.items() if hasattr(f, "names") and not holds_splits(f)]
    return split_column_of(None, plain, labels, source, cells)


def column_values(table: Any, column: str, feature: Any) -> Iterable[Any]:
    """Every cell of a column; numbers of classes as their names."""
    for row in table.select_columns([column]):
        yield named(row[column], feature)


def named(cell: Any, feature: Any) -> Any:
    """Convert the number of a class to its name; other cells stay as they are."""
    names = getattr(feature, "names", None)
    return names[cell] if names and isinstance(cell, int) and 0 <= cell < len(names) else cell


@dataclass
class HubReader:
    """Turns rows of tables into drafts.

    Args:
        tables: where they come from.
        columns: which is what.
        features: of the tables' columns.
        cells, labels: how cells are read; labels is None for unlabelled data.
        split: the column of the splits, or None.
        lines: each line of a text is one, in WebDataset shards.
        slices: the columns of the slices.
    """

    tables: Tables
    columns: Columns
    features: Mapping[str, Any]
    cells: Cells
    labels: Labels | None
    split: str | None
    lines: bool
    slices: Sequence[str] = ()
    splits_of: dict[str, str] = field(default_factory=dict)  # id -> the source's split where it stands first
    renamed: int = 0
    divided: int = 0

    def drafts(self, table: Any, theirs: str, ours: str | None) -> Iterator[Draft]:
        """Yield the rows of a split."""
        names = self.columns.names
        for number, row in enumerate(table):
            problems: list[str] = []
            one = self._id(row, theirs, number, problems)
            image = self._encoded(row[names["image"]], "image", problems) if "image" in names else None
            audio = self._encoded(row[names["audio"]], "audio", problems) if "audio" in names else None
            label = self.labels.read(row[names["label"]], problems) if self.labels is not None else None
            group = self.cells.text(row[names["group"]], "group", problems) if "group" in names else ""
            split = ours
            if self.split is not None:
                split = split_of(named(row[self.split], self.features[self.split]), problems, self.cells)
            texts, slices = self._texts(row, problems), self._slices(row, problems)
            item = Item(one, None, texts, label, split=split, group=group or None, slices=slices)
            where = f"{theirs} row {number} (id '{one}')"
            yield Draft(where, item, image=image, audio=audio, problems=tuple(problems))

    def notes(self) -> list[str]:
        """Return notes on the ids and texts."""
        notes = []
        if self.renamed:
            notes.append(f"{self.renamed:,} ids stand in several splits: there they begin with the name of the split")
        if self.divided:
            notes.append(
                f"{self.divided:,} texts hold several lines: each line is a text of its own (--text-lines one: one)"
            )
        return notes

    def _id(self, row: Mapping[str, Any], theirs: str, number: int, problems: list[str]) -> str:
        if "id" not in self.columns.names:
            return f"{theirs}-{number}"
        one = self.cells.text(row[self.columns.names["id"]], "id", problems)
        if not one:
            problems.append("empty id")
        elif self.splits_of.setdefault(one, theirs) != theirs:
            self.renamed += 1
            one = f"{theirs}/{one}"
        return one

    def _texts(self, row: Mapping[str, Any], problems: list[str]) -> tuple[str, ...]:
        if not self.columns.texts:
            return ()
        texts = self.cells.texts([row[column] for column in self.columns.texts], problems)
        if not self.lines:
            return texts
        divided = tuple(line.strip() for text in texts for line in text.splitlines() if line.strip())
        self.divided += len(divided) > len(texts)
        return divided or texts

    def _slices(self, row: Mapping[str, Any], problems: list[str]) -> dict[str, str]:
        return {name: self.cells.text(named(row[name], self.features[name]), "slice", problems) for name in self.slices}

    def _encoded(self, cell: Any, what: str, problems: list[str]) -> bytes | None:
        """Return the bytes of an image or sound cell, from the cell or from the file that it names."""
        data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, Mapping) else (cell, None)
        if isinstance(data, bytes) and data:
            return data
        if isinstance(path, str) and path:
            try:
                return self.tables.read(path, what)
            except (OSError, ValueError) as error:
                problems.append(str(error))
                return None
        problems.append(f"no {what}")
        return None
