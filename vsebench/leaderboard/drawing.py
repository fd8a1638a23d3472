"""A plot beside a board."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Drawing:
    """A plot beside a board: where it lies, whether it is what the results give, and how it is drawn."""

    file: Path
    is_current: Callable[[], bool]
    draw: Callable[[], str]
