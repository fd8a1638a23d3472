"""Sizes in bytes and times in seconds, as people write them."""

from __future__ import annotations

import re

from vsebench.core.errors import ConfigError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def in_bytes(text: str) -> int:
    """Parse a size such as ``500MB``, ``2GiB`` or ``1000``.

    Raises: ConfigError.

    Example:
        >>> in_bytes("500MB"), in_bytes("2GiB"), in_bytes("1000")
        (500000000, 2147483648, 1000)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2].upper() not in _UNITS:
        raise ConfigError(f"'{text}' is no size; write 500MB, 2GiB or a number of bytes.")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def in_seconds(text: object) -> float:
    """Parse a time such as ``2h``, ``90min`` or ``1.5d``; a plain number is seconds.

    Raises: ConfigError for what is no time above 0.

    Example:
        >>> in_seconds("2h"), in_seconds("90 min"), in_seconds(30)
        (7200.0, 5400.0, 30.0)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(text)) if not isinstance(text, bool) else None
    if match is None or match[2] not in _SECONDS or not 0 < float(match[1]) * _SECONDS[match[2]] < 1e10:
        raise ConfigError(f"'{text}' is no time; write 2h, 90min, 30s, 1.5d or a number of seconds above 0.")
    return float(match[1]) * _SECONDS[match[2]]


def in_words(size: int) -> str:
    """Format a number of bytes with a unit.

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
    """Format a time with units, to about two digits.

    Example:
        >>> duration_in_words(0.4), duration_in_words(95), duration_in_words(3_700), duration_in_words(200_000)
        ('0.4 s', '95 s', '62 min', '2.3 days')
    """
    for limit, unit, size in ((100.0, "s", 1), (100.0 * 60, "min", 60), (48.0 * 3600, "h", 3600)):
        if seconds < limit:
            value = seconds / size
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    return f"{seconds / 86_400:.1f} days"
