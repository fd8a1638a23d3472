"""Files of a source folder: read only where they are regular files inside the folder, and not too large."""

from __future__ import annotations

import os
import posixpath
import stat
from pathlib import Path

from vsebench.core.sizes import in_bytes, in_words

#: Size above which an image, a sound or the features of one item are not read; ``VSEBENCH_MAX_FILE_SIZE`` replaces it.
MAX_FILE_SIZE = "256MB"
#: Environment variable: 1 reads files that symbolic links inside the folder lead to outside of it.
FOLLOW_LINKS = "VSEBENCH_FOLLOW_LINKS"
KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def read_inside(root: Path, path: str, what: str) -> bytes:
    """Read the bytes of a file that metadata name.

    Args:
        root: the source folder.
        path: relative to it.
        what: how messages call the file: ``image``.

    Raises: OSError with ``what`` and the path: outside the folder (also through a symbolic link), missing, no regular
    file, or larger than ``VSEBENCH_MAX_FILE_SIZE``.
    """
    name = f"{what} '{path}'"
    if is_outside(path):
        raise OSError(f"{name} lies outside the folder")
    try:
        check_links(root, root / path)
        return read_regular(root / path)
    except FileNotFoundError:
        raise OSError(f"{name} does not exist") from None
    except (OSError, ValueError) as error:  # a folder, no permission, a name too long; a NUL in the name
        raise OSError(f"{name} cannot be read ({reason(error)})") from None


def reason(error: Exception) -> str:
    """Return the system's reason why a file cannot be read."""
    return str(getattr(error, "strerror", None) or error)


def is_outside(path: str) -> bool:
    """Return whether a relative path, as it is written, leaves its folder.

    Example:
        >>> is_outside("images/1.png"), is_outside("images/../../1.png"), is_outside("/etc/passwd")
        (False, True, True)
    """
    return posixpath.normpath(path).split("/")[0] == ".." or Path(path).is_absolute()


def check_links(root: Path, file: Path) -> None:
    """Check that symbolic links below a folder do not lead out of it.

    Raises: OSError where one does, unless ``VSEBENCH_FOLLOW_LINKS`` is 1; ValueError for a NUL in the path.
    """
    if os.environ.get(FOLLOW_LINKS) == "1":
        return
    target = os.path.realpath(file)
    if not Path(target).is_relative_to(os.path.realpath(root)):
        raise OSError(f"a link leads out of the folder, to {target}; {FOLLOW_LINKS}=1 follows links of your own")


def check_regular(file: Path) -> os.stat_result:
    """Check that a path is a regular file, so that reading it can neither block nor go on for ever.

    Raises: OSError where it is missing, or a folder, FIFO, socket or device.
    """
    state = file.stat()
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(21, "Is a directory")
    if not stat.S_ISREG(state.st_mode):
        raise OSError(f"it is {KINDS.get(stat.S_IFMT(state.st_mode), 'something else')}, not a regular file")
    return state


def read_regular(file: Path) -> bytes:
    """Read the bytes of a regular file of limited size.

    Raises: OSError where it is none, or larger than ``VSEBENCH_MAX_FILE_SIZE``.
    """
    limit = in_bytes(os.environ.get("VSEBENCH_MAX_FILE_SIZE") or MAX_FILE_SIZE)
    if check_regular(file).st_size <= limit:
        with file.open("rb") as stream:
            data = stream.read(limit + 1)  # the size of a file may change, or be unknown as in /proc
        if len(data) <= limit:
            return data
    raise OSError(f"it is larger than {in_words(limit)}; VSEBENCH_MAX_FILE_SIZE sets another limit")
