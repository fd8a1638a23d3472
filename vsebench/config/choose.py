"""The rows that ``--only`` means."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from vsebench.core.errors import ConfigError, did_you_mean, known_names


def chosen(names: Sequence[str], patterns: Sequence[str], file: Path) -> list[str]:
    """Return the names that match one of the shell patterns, in whatever case, in their order.

    Raises: ConfigError when a pattern matches no name.
    """
    for pattern in patterns:
        if not any(_matches(name, pattern) for name in names):
            raise ConfigError(
                f"--only '{pattern}' matches no row of {file}."
                + did_you_mean(pattern, names)
                + known_names(names[:20], "Rows")
            )
    return [name for name in names if any(_matches(name, pattern) for pattern in patterns)]


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name.casefold(), pattern.casefold()) or name == pattern
