"""What stored files must be: those that a run, a board and a gallery leave behind and that are read back.

They may be damaged, written by another version, or come from anybody. They are checked here as a whole, before anything
is made of them, so that what reads them needs no checks of its own. Values pass as they are: nothing is converted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from vsebench.errors import DataError, Place
from vsebench.names import fault_of_name, fault_of_path
from vsebench.types import OWN_SPLIT

M = TypeVar("M", bound=BaseModel)
#: Of missing fields.
SHOWN = 8


def check_form(model: type[M], data: Any, place: Place, *, noun: str) -> M:
    """Compare plain data with a schema.

    Args:
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
    said = _fault(faults[0])
    return said if len(faults) == 1 else f"{said}; {len(faults) - 1} more faults"


def _where(fault: Any) -> str:
    where = ""
    for part in fault["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    return where


def _fault(fault: Any) -> str:
    where = _where(fault)
    if fault["type"] == "extra_forbidden":
        return f"it has an unknown field '{where}'"
    message = str(fault["msg"]).replace("Input should", "must").replace("Input must", "must")
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


class DatasetSource(Form):
    """What an experiment said as ``dataset``, and what it was."""

    spec: str | dict[str, Any]
    path: str
    fingerprint: str


class Selected(Form):
    """What chose the epoch."""

    metric: str
    mode: str = Field(pattern="^(max|min)$")


class Part(Form):
    """A run of a combination."""

    experiment: Name
    run_id: Name
    row: str
    seed: int


class RunFile(Form):
    """``run.yaml``: what a run is."""

    run_id: Name
    experiment: Name
    row: str
    seed: int
    metrics: list[str]
    select: Selected
    dataset: DatasetSource
    plugins: list[str]
    system: dict[str, Any]
    gallery: str = OWN_SPLIT
    combined: list[Part] = []
