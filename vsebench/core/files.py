"""Files that appear whole or not at all, locks that a read-only disk does not need, and what an OSError means."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from vsebench.core.errors import DiskError, VsebenchError

if TYPE_CHECKING:
    from filelock import FileLock

#: Faults of a disk or of its permissions: no other run or command that writes there will do better.
DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO, errno.EACCES, errno.EPERM})
#: Those of a disk that takes nothing more, whoever writes.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
DAMAGED = ".damaged"
#: Stands between a file's content and its digest.
SEAL = b"vsebench-sha256:"


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Give a place to write to. It becomes ``file`` when the block ends well, and is removed when it does not.

    The bytes are on the disk before the name is: after a power cut a reader finds the old file or the new one, whole.

    Raises: DiskError, with the file, when its disk is full or cannot be written.
    """
    partial = file.with_name(f".{file.stem}.partial-{os.getpid()}{file.suffix}")
    with writing(file):
        try:
            with partial.open("wb"):  # its permissions are the usual ones, whatever a library would give it
                mode = partial.stat().st_mode & 0o777
            yield partial
            partial.chmod(mode)
            sync(partial)
            os.replace(partial, file)
            sync(file.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to fill. It becomes ``folder`` when the block ends well, and is removed when it does not.

    Its files are on the disk before its name is. A folder of that name is replaced.

    Raises: DiskError, with the folder, when its disk is full or cannot be written.
    """
    partial, old = (folder.with_name(f".{folder.name}.{what}-{os.getpid()}") for what in ("partial", "old"))
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with writing(folder):
            partial.mkdir(parents=True)
            yield partial
            for file in partial.rglob("*"):
                sync(file)
            if folder.exists():
                os.replace(folder, old)
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def write_atomically(file: Path, text: str) -> None:
    """Write a text file so that a reader sees the old one or the new one, whole. One that holds the text already is
    left as it is: where nothing changed, nothing is written to a read-only disk.

    Raises: DiskError.
    """
    with contextlib.suppress(OSError, ValueError):
        if file.read_bytes() == text.encode("utf-8"):
            return
    with replacing(file) as partial:
        partial.write_text(text, encoding="utf-8")


def sync(place: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk. Folders cannot be synchronised everywhere."""
    with contextlib.suppress(OSError) if place.is_dir() else contextlib.nullcontext():
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def writing(file: Path) -> Iterator[None]:
    """Name the file in faults of the disk that it is written to, also in those that a library has wrapped.

    Raises: DiskError.
    """
    try:
        yield
    except VsebenchError:
        raise
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        elsewhere = error.filename is not None and ".partial-" not in str(error.filename)
        raise DiskError(explain(error, None if elsewhere else file)) from error
    except Exception as error:
        number = _wrapped_errno(error)
        if number is None:
            raise
        raise DiskError(explain(OSError(number, os.strerror(number)), file)) from error


def _wrapped_errno(error: Exception) -> int | None:
    """Return the system's error number in an error of safetensors (``os error 28``) or h5py (``errno = 28``)."""
    match = re.search(r"(?:os error|errno =) (\d+)", str(error))
    return int(match[1]) if match and int(match[1]) in DISK_FAULTS else None


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are not there.

    Raises: DiskError.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def require_writable(file: Path) -> None:
    """Refuse a file that cannot be written, before hours go into what it is to hold.

    Raises: DiskError.
    """
    make_folder(file.parent)
    trial = file.with_name(f".{file.stem}.partial-{os.getpid()}{file.suffix}")
    with writing(file):
        trial.touch()
        trial.unlink()


class Hashing:
    """A binary stream that is written through, with the digest of all that was written."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._sum = stream, hashlib.sha256()
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write and take into account."""
        try:
            count = self._stream.write(data)
        except OSError as error:
            self.error = error
            raise
        self._sum.update(data)
        return count

    def flush(self) -> None:
        """Flush what was written."""
        self._stream.flush()


@contextlib.contextmanager
def sealing(file: Path) -> Iterator[Hashing]:
    """Open a stream whose content is followed by its digest. :func:`is_sealed` checks it; readers that look for the end
    of a zip archive (``torch.load``, NumPy) are not disturbed by it.

    Raises: OSError, also where the library that writes hides it.
    """
    with file.open("wb") as stream:
        hashing = Hashing(stream)
        try:
            yield hashing
        except Exception:
            if hashing.error is not None:
                raise hashing.error from None
            raise
        stream.write(SEAL + hashing._sum.digest())


def seal(file: Path) -> None:
    """Append a file's digest to it, as :func:`sealing` does for libraries that write to a stream."""
    total = bytes.fromhex(file_digest(file))
    with file.open("ab") as stream:
        stream.write(SEAL + total)


def is_sealed(file: Path) -> bool:
    """Return whether a file is whole: it ends in the digest of what stands before.

    Raises: OSError when it cannot be read.
    """
    length = file.stat().st_size - len(SEAL) - hashlib.sha256().digest_size
    if length < 0:
        return False
    total = hashlib.sha256()
    with file.open("rb") as stream:
        while length:
            part = stream.read(min(length, 1 << 20))
            if not part:
                return False
            total.update(part)
            length -= len(part)
        return stream.read() == SEAL + total.digest()


def file_digest(file: Path) -> str:
    """SHA-256 of a file's bytes, in hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def set_aside(file: Path) -> Path:
    """Rename what is damaged, so that it is made again and can still be looked at. Replaces what was set aside before.

    Raises: DiskError.
    """
    away = file.with_name(file.name + DAMAGED)
    with writing(file):
        if away.is_dir() and not away.is_symlink():
            shutil.rmtree(away)
        os.replace(file, away)
    return away


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock while a shared file is looked at and, where it is not there, made. Waits for who holds it.

    On a disk that cannot be written there is nobody to wait for: nothing can be made there either, and what is there
    is read as it is.
    """
    lock = lock_of(file)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        yield
        return
    try:
        yield
    finally:
        lock.release()


def lock_of(file: Path) -> FileLock:
    """Return the lock of a file that several processes may make, ``FILE.lock`` beside it."""
    from filelock import FileLock

    return FileLock(f"{file}.lock")


def explain(error: OSError, file: Path | str | None = None) -> str:
    """Explain an OSError in one line: the file, what is wrong, and what would help."""
    named = file if file is not None else error.filename2 or error.filename
    if named is None or isinstance(named, int):  # a descriptor says nothing to anybody
        return _meaning(error, None)
    wanted = Path(re.sub(r"(^|/)\.([^/]+?)\.partial-\d+", r"\1\2", os.fsdecode(named)))
    return f"{wanted}: {_meaning(error, wanted)}"


def _meaning(error: OSError, file: Path | None) -> str:
    # What can be done differs by the number of the error; its own text names neither the file nor a way out.
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        limit = "the user's quota is used up" if error.errno == errno.EDQUOT else "no space is left"
        return f"{limit} on its disk{_space(file)}. Free some there{_cache_hint(file)}, then give the command again."
    if error.errno == errno.EROFS:
        return f"its disk is read-only. {_elsewhere(file)}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"permission denied. Change its permissions or those of its folder, or: {_elsewhere(file)}"
    if error.errno == errno.EFBIG:
        return "the file would be larger than this shell or disk allows ('ulimit -f' shows the limit)."
    if error.errno == errno.EIO:
        return "its disk reports an I/O error. Check the disk, then give the command again."
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "too many files are open. Raise the limit ('ulimit -n'), or use fewer workers."
    if error.errno == errno.ENOMEM:
        return "the system has no memory left. Use fewer workers, or a smaller train.batch_size."
    if error.errno == errno.ENAMETOOLONG:
        return "the name is too long for its disk."
    if error.errno == errno.ENOENT:
        return "no such file or folder."
    if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
        wrong = {errno.EISDIR: "a folder, not a file", errno.ENOTDIR: "a part of this path is a file, not a folder"}
        return f"{wrong.get(error.errno, 'it exists already')}. Give another place."
    lines = str(error.strerror or error).strip().splitlines() or ["no reason given"]
    return f"{lines[0]} ({type(error).__name__})."


def _space(file: Path | None) -> str:
    """`` (/disk: 12 MiB of 50 GiB free)``: the disk that holds a file."""
    from vsebench.core.sizes import in_words

    folder = next((f for f in (file, *file.parents) if f.is_dir()), None) if file is not None else None
    if folder is None:
        return ""
    folder = folder.resolve()
    try:
        usage = shutil.disk_usage(folder)
        disk = next(f for f in (folder, *folder.parents) if f.is_mount())
    except (OSError, StopIteration):
        return ""
    return f" ({disk}: {in_words(usage.free)} of {in_words(usage.total)} free)"


def _cache_hint(file: Path | None) -> str:
    return " ('vsebench cache prune' removes cached features)" if _in_home(file) else ""


def _elsewhere(file: Path | None) -> str:
    if _in_home(file):
        without = " --no-cache keeps no features." if file is not None and "features" in file.parts else ""
        return f"Set VSEBENCH_HOME to a folder that can be written; what is cached can be copied there.{without}"
    return "Give the command another place to write to."


def _in_home(file: Path | None) -> bool:
    from vsebench.core.home import home

    return file is not None and file.absolute().is_relative_to(home().absolute())
