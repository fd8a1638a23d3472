"""Names that stand in files of others and become parts of paths here: of experiments, runs, datasets, files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

LONGEST = 200
_REFUSED = re.compile(r"[/\\:\x00-\x1f\x7f]")
#: Windows keeps these for devices, whatever follows the dot.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def in_any_case(name: str, known: Iterable[str]) -> str:
    """Return the known name that differs from a name in case alone, if there is exactly one; else the name itself.

    Example:
        >>> in_any_case("vse", ["VSE", "CIM"]), in_any_case("a", ["A", "a"]), in_any_case("b", ["A"])
        ('VSE', 'a', 'b')
    """
    names = list(known)
    alike = [other for other in names if other.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 and name not in names else name


def fault_of_name(name: object) -> str | None:
    """Say why a name cannot be that of a file or folder, wherever the disk; None where it can.

    A name is one part of a path: it leads neither up, nor elsewhere, and is not hidden.

    Example:
        >>> fault_of_name("mmfrb"), fault_of_name("../x")
        (None, "has '/' in it")
    """
    if not isinstance(name, str):
        return "is no text"
    match = _REFUSED.search(name)
    if match:
        shown = match.group() if match.group().isprintable() else f"\\x{ord(match.group()):02x}"
        return f"has '{shown}' in it"
    if not name.strip():
        return "is empty"
    if name[0] in ".-" or name != name.strip():
        return "begins with a dot, a dash or a space, or ends in a space"
    if name.split(".")[0].lower() in _DEVICES:
        return "is the name of a device on Windows"
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "has half of a surrogate pair in it"
    return f"has {size} bytes; at most {LONGEST} are allowed" if size > LONGEST else None


def fault_of_path(path: object) -> str | None:
    """Convert a path below a folder to one with ``/`` between its parts.

    Example:
        >>> fault_of_path("run/model.safetensors"), fault_of_path("run/../../x")
        (None, "has the part '..', which begins with a dot, a dash or a space, or ends in a space")
    """
    if not isinstance(path, str):
        return "is no text"
    if not path or path.startswith("/") or PurePosixPath(path).as_posix() != path:
        return "is not a plain path below the folder"
    for part in path.split("/"):
        fault = fault_of_name(part)
        if fault is not None:
            return f"has the part '{part}', which {fault}"
    return None
