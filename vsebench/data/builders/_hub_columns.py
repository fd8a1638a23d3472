"""Which column of a table of Hugging Face ``datasets`` is what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from vsebench.core.errors import ConfigError, DataError, did_you_mean, known_names
from vsebench.data.builders._columns import SPLIT_NAMES, numbered_texts, text_columns

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
    features: Mapping[str, Any], requested: Mapping[str, str | None], source: str, taken: Collection[str] = ()
) -> Columns:
    """Return which column is what: as asked (an empty name: none), or by type and usual name.

    Raises: ConfigError for a column that does not exist, several of the type that could be it, or no modality at all.
    """
    names: dict[str, str] = {}
    texts: list[str] = []
    notes: list[str] = []
    for what, column in requested.items():
        if column == "":
            continue
        if column is not None:
            columns = text_columns(column, features) if what == "text" else [column]
            for one in columns:
                check_column(features, one, what, source)
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
    notes += _without(features, names, {*names.values(), *texts, *taken}, requested)
    feature = features.get(names.get("label", ""))
    inner = getattr(feature, "feature", None)
    named = feature if hasattr(feature, "names") else inner if hasattr(inner, "names") else None
    names.pop("text", None)
    label_names = list(named.names) if named is not None else None
    return Columns(names, tuple(texts), label_names, inner is not None, tuple(notes))


def check_column(features: Mapping[str, Any], column: str, what: str, source: str) -> None:
    """Check that a column exists.

    Raises: ConfigError for a column that does not exist.
    """
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
    """Return the only column of a type that fits.

    Raises: ConfigError where there are several, none of which has a usual name.
    """
    columns = [
        name
        for name, feature in features.items()
        if type(feature).__name__ == KINDS.get(what) and name not in taken and not holds_splits(feature)
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


def holds_splits(feature: Any) -> bool:
    """Return whether the classes of a column are names of splits."""
    names = getattr(feature, "names", None) or ()
    return bool(names) and {str(n).lower() for n in names} <= SPLIT_NAMES.keys()


def _without(
    features: Mapping[str, Any], names: Mapping[str, str], used: Collection[str], requested: Mapping[str, str | None]
) -> list[str]:
    """Return the roles that have no column, although unused columns could fill them."""
    missing = [what for what in ("text", "label") if what not in names and requested.get(what) is None]
    unused = [n for n, f in features.items() if n not in used and not n.startswith("__") and is_plain(f)]
    if not missing or not unused:
        return []
    options = " or ".join(f"--{what}-column" for what in missing)
    return [f"no {' and no '.join(missing)}; columns without use: {', '.join(unused[:10])} ({options})"]


def is_plain(feature: Any) -> bool:
    """Return whether a column holds texts, numbers of classes or lists of either."""
    inner = getattr(feature, "feature", feature)
    return hasattr(inner, "names") or str(getattr(inner, "dtype", "")).startswith(("string", "large_string", "int"))


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
