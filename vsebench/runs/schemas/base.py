"""What all forms share: how a fault is said, names that become paths, and numbers that can be worked with."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from vsebench.core.errors import DataError, Place
from vsebench.core.names import fault_of_name, fault_of_path

M = TypeVar("M", bound=BaseModel)
#: Of missing fields.
SHOWN = 8
LARGEST, LARGEST_COUNT, DEEPEST = 1e18, 2**53, 40


def check_form(model: type[M], data: Any, place: Place, *, noun: str) -> M:
    """Compare plain data with a schema.

    Args:
        model: the schema.
        data: as read from the file.
        place: the file, for messages.
        noun: what the file is, for messages: ``a run file``.

    Raises: DataError naming the file, the first field at fault, what it must be and what it is.
    """
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        raise DataError(f"not {noun} as it was written: {_faults(error)}.", place=place) from None
    except RecursionError:
        raise DataError(f"not {noun} as it was written: nested too deeply.", place=place) from None


def _faults(error: pydantic.ValidationError) -> str:
    faults = error.errors(include_url=False)
    missing = [f"'{_where(one)}'" for one in faults if one["type"] == "missing"]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        return f"it lacks {', '.join(missing[:SHOWN])}{more}"
    message = _fault(faults[0])
    return message if len(faults) == 1 else f"{message}; {len(faults) - 1} more faults"


def _where(fault: Any) -> str:
    where = ""
    for part in fault["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    return where


def _fault(fault: Any) -> str:
    where = _where(fault)
    if fault["type"] == "extra_forbidden":
        return f"it has an unknown field '{where}'"
    message = re.sub("(Input|String) (should|must)", "must", str(fault["msg"]))
    subject = f"'{where}'" if where else "it"
    return f"{subject} {message}, is {_short(fault['input'])}"


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # of numbers with more digits than Python prints
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _named(check: Callable[[object], str | None]) -> AfterValidator:
    def checked(value: str) -> str:
        fault = check(value)
        if fault is not None:
            raise PydanticCustomError("name", "must be a plain name, but {fault}", {"fault": fault})
        return value

    return AfterValidator(checked)


#: A name that becomes a part of a path.
Name = Annotated[str, _named(fault_of_name)]
#: A path below a folder.
Below = Annotated[str, _named(fault_of_path)]


class Form(BaseModel):
    """A block of a stored file. Fields that a newer version may have added are let through."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


def _within_reach(value: float) -> float:
    """Not a number and infinity may be results; a finite one that squares to infinity is no measurement."""
    if math.isfinite(value) and abs(value) > LARGEST:
        raise PydanticCustomError("large", "must be a number of at most {most} either way", {"most": f"{LARGEST:g}"})
    return value


#: A measured number, and one that is shown or compared and must be finite.
Number = Annotated[float, AfterValidator(_within_reach)]
Finite = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_within_reach)]
Positive = Annotated[Finite, Field(ge=0)]
Share = Annotated[Finite, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
Whole = Annotated[int, Field(ge=-LARGEST_COUNT, le=LARGEST_COUNT)]
Numbers = dict[str, Number]


def check_depth(data: Any, place: Place, *, noun: str) -> None:
    """Refuse data that is nested deeper than anything that is written, before something walks through it.

    Raises: DataError.
    """
    level: list[Any] = [data]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise DataError(f"not {noun} as it was written: nested deeper than {DEEPEST} levels.", place=place)
