"""Dataset builders: source files to a dataset file."""

from __future__ import annotations

from collections.abc import Callable

#: Called with (items done, items in all or None).
Progress = Callable[[int, int | None], None]
