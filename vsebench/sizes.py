"""Sizes in bytes and times in seconds, as people write them."""

from __future__ import annotations

import re

from vsebench.errors import ConfigError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def in_bytes(said: str) -> int:
    """A size such as ``500MB``, ``2GiB`` or ``1000``.

    Raises: ConfigError.

    Example:
        >>> in_bytes("500MB"), in_bytes("2GiB"), in_bytes("1000")
        (500000000, 2147483648, 1000)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", said)
    if found is None or found[2].upper() not in _UNITS:
        raise ConfigError(f"'{said}' is no size; write 500MB, 2GiB or a number of bytes.")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def in_words(size: int) -> str:
    """A number of bytes with a unit.

    Example:
        >>> in_words(999), in_words(12_345_678)
        ('999 B', '12.3 MB')
    """
    value = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def duration_in_words(seconds: float) -> str:
    """A time with units, to about two digits.

    Example:
        >>> duration_in_words(0.4), duration_in_words(95), duration_in_words(3_700), duration_in_words(200_000)
        ('0.4 s', '95 s', '62 min', '2.3 days')
    """
    for limit, unit, size in ((100.0, "s", 1), (100.0 * 60, "min", 60), (48.0 * 3600, "h", 3600)):
        if seconds < limit:
            value = seconds / size
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    return f"{seconds / 86_400:.1f} days"
