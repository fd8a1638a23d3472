"""``vsebench new``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vsebench.core.terminal import say


def new(
    kind: Annotated[str, typer.Argument(help="fusion, pooling, attention, head or objective.")],
    name: Annotated[str, typer.Argument(help="Lower-case name, such as my_fusion.")],
    folder: Annotated[Path, typer.Option(help="Where to write.")] = Path("."),
) -> None:
    """Write a working component of your own and its test.

    Example: vsebench new fusion my_fusion
    """
    from vsebench.testing.scaffold import write_component

    for file in write_component(kind, name, folder):
        say(f"wrote {file}")
