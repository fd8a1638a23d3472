"""Large JSON files, a checked row at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from vsebench.core.errors import DataError, Place
from vsebench.data.files import check_regular, reason
from vsebench.data.table import distinct


class RowModel(BaseModel):
    """A row of a source file: named fields have their types, other fields are left alone."""

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)


M = TypeVar("M", bound=RowModel)


def stream(file: Path, prefix: str, model: type[M]) -> Iterator[tuple[str, M | None, str]]:
    """Rows of a JSON list, without holding the file in memory.

    Args:
        file: the JSON file.
        prefix: of the list's elements as ijson has it: ``item`` for a list at the top, ``images.item`` for a list
            under the key ``images``.
        model: of a row.

    Yields: where the row stands (``images[3]``), the row or None, and what is wrong with it.

    Raises: DataError when the file is missing, cut short, not JSON, or has no such list.
    """
    import ijson

    name = prefix.removesuffix(".item") if prefix != "item" else ""
    count = 0
    try:
        check_regular(file)
        with file.open("rb") as opened:
            for count, row in enumerate(ijson.items(opened, prefix, use_float=True), start=1):
                where = f"{name or 'row '}[{count - 1}]" if name else f"element {count - 1}"
                try:
                    yield where, model.model_validate(row), ""
                except ValidationError as error:
                    yield where, None, describe_error(error)
    except FileNotFoundError:
        raise DataError("no such file.", place=Place(str(file))) from None
    except (ijson.JSONError, UnicodeDecodeError, ValueError, RecursionError) as error:
        first = str(error).strip().split("\n")[0].removeprefix("b'").rstrip("'")
        raise DataError(
            f"not whole JSON ({first or type(error).__name__}; {count} rows were read before).", place=Place(str(file))
        ) from None
    except OSError as error:
        raise DataError(f"cannot be read ({reason(error)}).", place=Place(str(file))) from None
    if not count:
        raise DataError(f"has no rows in {f'the list {name!r}' if name else 'its list'}.", place=Place(str(file)))


def describe_error(error: ValidationError) -> str:
    """Describe the first fault of a row in one line."""
    first = error.errors(include_url=False)[0]
    at = ".".join(str(part) for part in first["loc"])
    got = repr(first["input"])
    return f"'{at}': {first['msg']}" + (f", got {got[:60]}" if first["type"] != "missing" else "")


def read_json(file: Path, kind: type) -> Any:
    """Read a whole JSON file whose top level is a ``dict`` or a ``list``.

    Raises: DataError when it is missing, not JSON, or of another kind.
    """
    try:
        check_regular(file)
        data = json.loads(file.read_bytes(), object_pairs_hook=distinct)
    except FileNotFoundError:
        raise DataError("no such file.", place=Place(str(file))) from None
    except OSError as error:
        raise DataError(f"cannot be read ({reason(error)}).", place=Place(str(file))) from None
    except json.JSONDecodeError as error:
        raise DataError(f"not whole JSON ({error.msg}).", place=Place(str(file), error.lineno)) from None
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataError(f"not JSON ({error}).", place=Place(str(file))) from None
    if not isinstance(data, kind):
        wanted = "object" if kind is dict else "list"
        raise DataError(f"must hold a JSON {wanted} at the top.", place=Place(str(file), 1))
    return data
