"""Tables of Hugging Face ``datasets`` as drafts of items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsebench.data.builders._build import Draft
from vsebench.data.builders._columns import SPLIT_NAMES, text_of
from vsebench.data.item import SPLITS, Item
from vsebench.errors import ConfigError, DataError, VsebenchError, did_you_mean, known_names

#: Names that columns often have, tried in this order where no option says one.
USUAL = {
    "image": ("image", "img", "jpg", "jpeg", "png", "webp"),
    "text": ("texts", "text", "caption", "captions", "sentences", "title", "txt"),
    "label": ("label", "labels", "cls"),
    "audio": ("audio", "wav", "flac"),
    "id": ("id", "__key__"),
    "group": ("group",),
}


@dataclass(frozen=True)
class Columns:
    """Which column is what, and what its cells mean.

    Args:
        names: image, text, label, audio, id, group -> column, where there is one.
        label_names: of a ClassLabel column; None for others.
        multi_label: the label column holds lists.
    """

    names: Mapping[str, str]
    label_names: list[str] | None
    multi_label: bool


def load(call: Callable[[], Any], source: str) -> Any:
    """What ``datasets`` gives, or one clear message.

    Raises: DataError.
    """
    try:
        return call()
    except (VsebenchError, MemoryError):
        raise
    except Exception as error:  # the library, its readers and the network raise some thirty kinds
        cause: BaseException = error
        while type(cause).__name__ == "DatasetGenerationError" and cause.__cause__ is not None:
            cause = cause.__cause__
        first = next((line for line in str(cause).split("\n") if line.strip()), type(cause).__name__)
        hints = {
            "ConnectionError": " The hub cannot be reached: without it only what its cache holds can be read.",
            "OfflineModeIsEnabled": " The hub is switched off (HF_HUB_OFFLINE): only what its cache holds can be read.",
            "DatasetNotFoundError": " Check the name; a private or gated dataset needs 'hf auth login'.",
            "DataFilesNotFoundError": " The folder or repository has no data files of a known kind.",
        }
        raise DataError(
            f"'{source}' cannot be loaded ({type(cause).__name__}: {first}).{hints.get(type(cause).__name__, '')}"
        ) from error


def find_columns(features: Mapping[str, Any], asked: Mapping[str, str | None], source: str) -> Columns:
    """Which column is what: as asked, or by type and usual name.

    Raises: ConfigError for a column that does not exist, or no modality at all.
    """
    names: dict[str, str] = {}
    for what, column in asked.items():
        if column is not None and column not in features:
            raise ConfigError(
                f"no column '{column}' for the {what} (--{what}-column) in '{source}'."
                + did_you_mean(column, features)
                + known_names(features, "Columns"),
                path=(f"{what}_column",),
            )
        found = column or _by_type(features, what) or next((n for n in USUAL[what] if n in features), None)
        if found is not None:
            names[what] = found
    if not names.keys() & {"image", "text", "audio"}:
        raise ConfigError(
            f"'{source}' has no column that is an image, a text or a sound by name; say them with --image-column,"
            " --text-column, --audio-column." + known_names(features, "Columns"),
            path=("image_column",),
        )
    feature = features.get(names.get("label", ""))
    inner = getattr(feature, "feature", None)
    named = feature if hasattr(feature, "names") else inner if hasattr(inner, "names") else None
    return Columns(names, list(named.names) if named is not None else None, inner is not None)


def _by_type(features: Mapping[str, Any], what: str) -> str | None:
    """The only column of the type that says what it is."""
    kind = {"image": "Image", "audio": "Audio", "label": "ClassLabel"}.get(what)
    found = [name for name, feature in features.items() if type(feature).__name__ == kind]
    return found[0] if len(found) == 1 else None


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


def drafts(table: Any, columns: Columns, theirs: str, ours: str | None, seen: dict[str, str]) -> Iterator[Draft]:
    """The rows of a split."""
    names = columns.names
    for number, row in enumerate(table):
        one = text_of(row[names["id"]]) if "id" in names else f"{theirs}-{number}"
        where = f"{theirs} row {number} (id '{one}')"
        problems = [] if one else ["empty id"]
        if one in seen:
            problems.append(f"the id stands in {seen[one]} already")
        seen.setdefault(one, f"{theirs} row {number}")
        image = _encoded(row[names["image"]], "image", problems) if "image" in names else None
        audio = _encoded(row[names["audio"]], "audio", problems) if "audio" in names else None
        label = _label(row[names["label"]], columns, problems) if "label" in names else None
        group = row[names["group"]] if "group" in names else None
        texts = _texts(row[names["text"]], problems) if "text" in names else ()
        item = Item(one, None, texts, label, split=ours, group=None if group is None else str(group))
        yield Draft(where, item, image=image, audio=audio, problems=tuple(problems))


def _encoded(cell: Any, what: str, problems: list[str]) -> bytes | None:
    """The bytes of an image or sound cell, from the cell or from the file that it names."""
    data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, Mapping) else (cell, None)
    if isinstance(data, bytes) and data:
        return data
    if path:
        try:
            return Path(path).read_bytes()
        except (OSError, ValueError) as error:
            problems.append(f"{what} '{path}' cannot be read ({getattr(error, 'strerror', None) or error})")
            return None
    problems.append(f"no {what}")
    return None


def _texts(cell: Any, problems: list[str]) -> tuple[str, ...]:
    texts = tuple(text_of(t) for t in (cell if isinstance(cell, list | tuple) else [cell]))
    if not texts:
        problems.append("no text")
    return texts


def _label(cell: Any, columns: Columns, problems: list[str]) -> Any:
    if cell is None or cell == "" or cell == [] or cell == -1:
        problems.append("no label")
        return ()
    values = cell if isinstance(cell, list) else [cell]
    found = tuple(v if columns.label_names is not None else text_of(v) for v in values)
    return found if columns.multi_label else found[0]
