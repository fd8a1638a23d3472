"""A board's sections, a file each: ``PLACE`` orders them, ``sections(board)`` returns what the file adds to the page.

Imports leaderboard and stats. A file of this folder is all that a new section needs.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.page import Section


def all_sections(board: BoardData) -> list[Section]:
    """Return every file's sections, in their order."""
    return [section for module in _modules() for section in module.sections(board)]


@cache
def _modules() -> list[ModuleType]:
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted((importlib.import_module(f"{__name__}.{name}") for name in names), key=lambda one: one.PLACE)
