"""Options that several components share are each component's own to whoever sets, reads or lists them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import pytest
from annotated_types import Gt

from vsebench.core.errors import ConfigError
from vsebench.core.registry import FUSIONS, OPTIMIZERS
from vsebench.core.shared_options import SharedOptions


@dataclass(frozen=True)
class Size(SharedOptions):
    """A size.

    Args:
        width: of it, > 0, described
            over two lines.
        height: of it.

    Raises: ConfigError if it is a square.
    """

    width: Annotated[int, Gt(0)] = 1
    height: int = 2

    def __post_init__(self) -> None:
        if self.width == self.height:
            raise ConfigError("a square", path=("width",))


class Sized:
    """Have a size.

    Args:
        dim: wired.
        first: before it.
        size: its fields
            are options.
        last: behind it.
    """

    def __init__(self, dim: int, *, first: int = 0, size: Size = Size(height=5), last: int = 0) -> None:
        self.dim, self.first, self.size, self.last = dim, first, size, last


@pytest.fixture
def name() -> Iterator[str]:
    FUSIONS.register("sized", source="none")(Sized)
    yield "sized"
    FUSIONS.forget("sized")


@pytest.fixture(autouse=True)
def as_written() -> Iterator[None]:
    plain, doc = Sized.__init__, Sized.__doc__
    yield
    Sized.__init__, Sized.__doc__ = plain, doc  # type: ignore[method-assign]


def test_the_fields_stand_where_the_parameter_stood(name: str) -> None:
    component = FUSIONS.get(name)
    assert component.wired == ("dim",)
    defaults = {option: parameter.default for option, parameter in component.options.items()}
    assert list(defaults.items()) == [("first", 0), ("width", 1), ("height", 5), ("last", 0)]
    assert component.options["width"].annotation == Annotated[int, Gt(0)]
    assert list(inspect.signature(Sized).parameters) == ["dim", "first", "width", "height", "last"]
    args = (inspect.getdoc(Sized) or "").partition("Args:\n")[2].splitlines()
    assert [line.strip() for line in args] == [
        "dim: wired.",
        "first: before it.",
        "width: of it, > 0, described",
        "over two lines.",
        "height: of it.",
        "last: behind it.",
    ]
    assert args[3].startswith("        over")


def test_they_are_checked_and_come_as_one_object(name: str) -> None:
    made = FUSIONS.build(name, {"width": 3, "last": 4}, dim=1)
    assert (made.first, made.size, made.last) == (0, Size(3, 5), 4)
    assert Sized(1, height=7).size == Size(1, 7)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match=r"option 'width' of fusion 'sized'.*greater than 0"):
        FUSIONS.build(name, {"width": 0}, dim=1)
    with pytest.raises(ConfigError, match=r"unknown option 'widht'.*Did you mean 'width'"):
        FUSIONS.build(name, {"widht": 2}, dim=1)
    with pytest.raises(ConfigError, match="a square"):
        FUSIONS.build(name, {"width": 5}, dim=1)


def test_a_parameter_without_a_description_is_refused() -> None:
    Sized.__doc__ = "Have a size."
    with pytest.raises(TypeError, match="Args do not describe 'size'"):
        FUSIONS.register("sized", source="none")(Sized)
    assert "sized" not in FUSIONS


def test_a_function_is_described_with_the_fields() -> None:
    doc = inspect.getdoc(OPTIMIZERS.get("adam").target) or ""
    assert "    beta1: in [0, 1), of the mean.\n" in doc
    assert "    options:" not in doc
