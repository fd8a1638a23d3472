"""Tables of Hugging Face ``datasets`` as drafts of items."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vsebench.data.builders._build import Draft
from vsebench.data.builders._cells import Cells, Labels
from vsebench.data.builders._columns import (
    SPLIT_COLUMNS,
    SPLIT_NAMES,
    numbered_texts,
    split_of,
    text_columns,
)
from vsebench.data.builders._columns import split_column as split_column_of
from vsebench.data.builders._tables import Tables
from vsebench.data.item import SPLITS, Item
from vsebench.errors import ConfigError, DataError, did_you_mean, known_names

#: Names that columns often have, tried in this order where no option says one.
USUAL = {
    "image": ("image", "img", "jpg", "jpeg", "png", "webp"),
    "text": ("texts", "text", "caption", "captions", "sentences", "title", "txt"),
    "label": ("label", "labels", "cls"),
    "audio": ("audio", "wav", "flac"),
    "id": ("id", "__key__"),
    "group": ("group",),
}
KINDS = {"image": "Image", "audio": "Audio", "label": "ClassLabel"}


@dataclass(frozen=True)
class Columns:
    """Which column is what, and what its cells mean.

    Args:
        names: image, label, audio, id, group -> column, where there is one.
        texts: the columns of captions.
        label_names: of a ClassLabel column; None for others.
        multi_label: the label column holds lists.
        notes: what should be said of the choice.
    """

    names: Mapping[str, str]
    texts: tuple[str, ...]
    label_names: list[str] | None
    multi_label: bool
    notes: tuple[str, ...] = ()


def find_columns(
    features: Mapping[str, Any], asked: Mapping[str, str | None], source: str, taken: Collection[str] = ()
) -> Columns:
    """Which column is what: as asked (an empty name: none), or by type and usual name.

    Raises: ConfigError for a column that does not exist, several of the type that could be it, or no modality at all.
    """
    names: dict[str, str] = {}
    texts: list[str] = []
    notes: list[str] = []
    for what, column in asked.items():
        if column == "":
            continue
        if column is not None:
            columns = text_columns(column, features) if what == "text" else [column]
            for one in columns:
                _check_column(features, one, what, source)
            names[what], texts = columns[0], columns if what == "text" else texts
            continue
        likely = _by_type(features, what, source, taken, notes)
        likely = likely or next((n for n in USUAL[what] if n in features and n not in taken), None)
        if likely is not None:
            names[what], texts = likely, [likely] if what == "text" else texts
        elif what == "text" and (texts := numbered_texts(features)):
            names[what] = texts[0]
            notes.append(f"the texts are those of the columns {', '.join(texts)}")
    if not names.keys() & {"image", "text", "audio"}:
        raise ConfigError(
            f"'{source}' has no column that is an image, a text or a sound by name; say them with --image-column,"
            " --text-column, --audio-column." + known_names(features, "Columns"),
            path=("image_column",),
        )
    notes += _without(features, names, {*names.values(), *texts, *taken}, asked)
    feature = features.get(names.get("label", ""))
    inner = getattr(feature, "feature", None)
    named = feature if hasattr(feature, "names") else inner if hasattr(inner, "names") else None
    names.pop("text", None)
    label_names = list(named.names) if named is not None else None
    return Columns(names, tuple(texts), label_names, inner is not None, tuple(notes))


def _check_column(features: Mapping[str, Any], column: str, what: str, source: str) -> None:
    if column not in features:
        raise ConfigError(
            f"no column '{column}' for the {what} (--{what}-column) in '{source}'."
            + did_you_mean(column, features)
            + known_names(features, "Columns"),
            path=(f"{what}_column",),
        )


def _by_type(
    features: Mapping[str, Any], what: str, source: str, taken: Collection[str], notes: list[str]
) -> str | None:
    """The only column of the type that says what it is.

    Raises: ConfigError where there are several, none of which has a usual name.
    """
    columns = [
        name
        for name, feature in features.items()
        if type(feature).__name__ == KINDS.get(what) and name not in taken and not _holds_splits(feature)
    ]
    if len(columns) < 2:
        return columns[0] if columns else None
    listed = "', '".join(columns)
    usual = next((n for n in USUAL[what] if n in columns), None)
    if usual is None:
        raise ConfigError(
            f"the columns '{listed}' of '{source}' all hold a {what}; say which is meant with --{what}-column (an empty"
            f" name: none).",
            path=(f"{what}_column",),
        )
    notes.append(f"the columns '{listed}' all hold a {what}; '{usual}' is used (--{what}-column)")
    return usual


def _holds_splits(feature: Any) -> bool:
    names = getattr(feature, "names", None) or ()
    return bool(names) and {str(n).lower() for n in names} <= SPLIT_NAMES.keys()


def _without(
    features: Mapping[str, Any], names: Mapping[str, str], used: Collection[str], asked: Mapping[str, str | None]
) -> list[str]:
    """What is missing although columns without use could be it."""
    missing = [what for what in ("text", "label") if what not in names and asked.get(what) is None]
    unused = [n for n, f in features.items() if n not in used and not n.startswith("__") and _is_plain(f)]
    if not missing or not unused:
        return []
    options = " or ".join(f"--{what}-column" for what in missing)
    return [f"no {' and no '.join(missing)}; columns without use: {', '.join(unused[:10])} ({options})"]


def _is_plain(feature: Any) -> bool:
    """Whether a column holds texts, numbers of classes or lists of either."""
    inner = getattr(feature, "feature", feature)
    return hasattr(inner, "names") or str(getattr(inner, "dtype", "")).startswith(("string", "large_string", "int"))


def undecoded(table: Any, columns: Columns) -> Any:
    """The table with images and sounds as the bytes they came in."""
    from datasets import Audio, Image

    for what, kind in (("image", Image), ("audio", Audio)):
        if what in columns.names:
            table = table.cast_column(columns.names[what], kind(decode=False))
    return table


def split_map(found: list[str], said: str | None, source: str) -> dict[str, str | None]:
    """The source's splits -> ours; None where all are made by rule.

    Raises: ConfigError for a split that is not there, or one whose name says nothing.
    """
    if said is not None:
        pairs = dict(pair.strip().partition("=")[::2] for pair in said.split(","))
        for theirs, ours in pairs.items():
            if theirs not in found:
                raise ConfigError(
                    f"'{source}' has no split '{theirs}'."
                    + did_you_mean(theirs, found)
                    + known_names(found, "There are"),
                    path=("splits",),
                )
            if ours not in SPLITS:
                raise ConfigError(
                    f"split '{theirs}={ours}': '{ours}' is none of {', '.join(SPLITS)}.", path=("splits",)
                )
        return dict(pairs)
    if len(found) == 1:
        return {found[0]: None}
    unknown = [name for name in found if name.lower() not in SPLIT_NAMES]
    if unknown:
        guess = ",".join(f"{n}={SPLIT_NAMES.get(n.lower(), 'rest')}" for n in found)
        raise ConfigError(
            f"'{source}' has a split '{unknown[0]}'; say what each is, such as --splits {guess}",
            path=("splits",),
        )
    return {name: SPLIT_NAMES[name.lower()] for name in found}


def column_of_splits(
    requested: str | None, tables: Mapping[str, Any], features: Mapping[str, Any], source: str, cells: Cells
) -> tuple[str | None, list[str]]:
    """A column of the source that holds splits, and what should be said of the choice.

    Looked for where the source has a single split of its own, or where it is asked for.

    Raises: ConfigError for a column that does not exist; DataError where the choice is not clear.
    """
    if requested:
        _check_column(features, requested, "split", source)
    if requested is not None:
        return requested or None, []
    if len(tables) > 1:
        unused = [name for name in features if name.strip().lower() in SPLIT_COLUMNS]
        said = "is not used: the source has splits of its own (--split-column uses it)"
        return None, [f"column '{name}' {said}" for name in unused]
    (table,) = tables.values()
    plain = {
        name: column_values(table, name, feature)
        for name, feature in features.items()
        if not hasattr(feature, "feature") and _is_plain(feature) and not name.startswith("__")
    }
    labels = [n for n, f in features.items() if hasattr(f, "names") and not _holds_splits(f)]
    return split_column_of(None, plain, labels, source, cells)


def column_values(table: Any, column: str, feature: Any) -> Iterable[Any]:
    """Every cell of a column; numbers of classes as their names."""
    for row in table.select_columns([column]):
        yield named(row[column], feature)


def named(cell: Any, feature: Any) -> Any:
    """A number of a class as its name; other cells as they are."""
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
    """

    tables: Tables
    columns: Columns
    features: Mapping[str, Any]
    cells: Cells
    labels: Labels | None
    split: str | None
    lines: bool
    splits_of: dict[str, str] = field(default_factory=dict)  # id -> the source's split where it stands first
    renamed: int = 0
    divided: int = 0

    def drafts(self, table: Any, theirs: str, ours: str | None) -> Iterator[Draft]:
        """The rows of a split."""
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
            item = Item(one, None, self._texts(row, problems), label, split=split, group=group or None)
            where = f"{theirs} row {number} (id '{one}')"
            yield Draft(where, item, image=image, audio=audio, problems=tuple(problems))

    def notes(self) -> list[str]:
        """What should be said of the ids and texts."""
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

    def _encoded(self, cell: Any, what: str, problems: list[str]) -> bytes | None:
        """The bytes of an image or sound cell, from the cell or from the file that it names."""
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


def same_features(tables: Mapping[str, Any], columns: Columns, source: str) -> None:
    """Check that every split has the columns in use, and that class numbers mean the same in all of them.

    Raises: DataError that names the split.
    """
    used = [*columns.names.values(), *columns.texts]
    for split, table in tables.items():
        features = table.features
        if features is None:  # a stream does not say
            continue
        missing = [name for name in used if name not in features]
        if missing:
            raise DataError(f"split '{split}' of '{source}' has no column '{missing[0]}'." + known_names(features))
        feature = features.get(columns.names.get("label", ""))
        feature = getattr(feature, "feature", None) or feature
        names = getattr(feature, "names", None)
        if columns.label_names is not None and names is not None and list(names) != columns.label_names:
            raise DataError(
                f"split '{split}' of '{source}' numbers its classes differently:"
                f" {', '.join(map(str, names[:5]))} instead of {', '.join(columns.label_names[:5])}."
            )
