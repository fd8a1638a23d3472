"""The user's faults, as a small tree of exceptions with their data on them.

A :class:`VsebenchError` is printed as one message without a traceback and ends the command with exit code 2.
Callers' faults (a wrong argument in Python) are plain ``ValueError``/``TypeError``.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Path = tuple["str | int", ...]


@dataclass(frozen=True)
class Place:
    """Where something stands in a user's file: ``experiments/mmfrb.yaml:9``."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class VsebenchError(Exception):
    """Something the user can mend. ``str(error)`` is the whole message.

    Args:
        message: what is wrong and what would be right.
        place: where it is written.
    """

    exit_code = 2

    def __init__(self, message: str, *, place: Place | None = None) -> None:
        self.message = message
        self.place = place
        super().__init__(message)

    def __str__(self) -> str:
        return self.message if self.place is None else f"{self.place}: {self.message}"


class ConfigError(VsebenchError):
    """A value in a configuration is wrong.

    Args:
        message: what is wrong and what would be right.
        path: where in the configuration, as keys and list positions; config.py turns it into file and line.
        on_key: the fault is in the last key of ``path`` (an unknown option), not in its value.
    """

    def __init__(self, message: str, *, path: Path = (), on_key: bool = False, place: Place | None = None) -> None:
        super().__init__(message, place=place)
        self.path = path
        self.on_key = on_key

    def under(self, *prefix: str | int) -> ConfigError:
        """Return the same error, seen from further up in the file."""
        error = copy.copy(self)  # of the same class, with what that class has besides
        error.path = (*prefix, *self.path)
        return error

    def at(self, place: Place) -> ConfigError:
        """Return the same error with its place in a file."""
        error = copy.copy(self)
        error.place = self.place or place
        return error

    @property
    def faults(self) -> tuple[ConfigError, ...]:
        """The faults that it tells of, each with a path and place of its own."""
        return (self,)

    def each(self, change: Callable[[ConfigError], ConfigError]) -> ConfigError:
        """Return the same error with every fault changed."""
        return all_of([change(fault) for fault in self.faults])


class ConfigFaults(ConfigError):
    """Several faults of a configuration, a line each, the first ``shown`` of them. Made by :func:`all_of`."""

    shown = 40

    def __init__(self, faults: Sequence[ConfigError]) -> None:
        first = faults[0]
        super().__init__(first.message, path=first.path, on_key=first.on_key, place=first.place)
        self._faults = tuple(faults)

    def __str__(self) -> str:
        lines = list(map(str, self._faults[: self.shown]))
        more = len(self._faults) - len(lines)
        return "\n".join([*lines, *([f"… and {more} more"] if more else [])])

    @property
    def faults(self) -> tuple[ConfigError, ...]:
        """The faults, in the order of the file as far as it is known."""
        return self._faults

    def under(self, *prefix: str | int) -> ConfigError:
        """Return the same faults, seen from further up in the file."""
        return self.each(lambda fault: fault.under(*prefix))

    def at(self, place: Place) -> ConfigError:
        """Return the same faults; those without a place get this one."""
        return self.each(lambda fault: fault.at(place))


def all_of(faults: Iterable[ConfigError]) -> ConfigError:
    """One error of one or more faults; what is told twice is told once."""
    every = [fault for error in faults for fault in error.faults]
    results = list({(str(fault), () if fault.place else fault.path): fault for fault in every}.values())
    if len(results) == 1:
        return results[0]
    files = list(dict.fromkeys(fault.place.file for fault in results if fault.place))

    def order(fault: ConfigError) -> tuple[int, int]:
        return (files.index(fault.place.file), fault.place.line or 0) if fault.place else (0, 0)

    return ConfigFaults(sorted(results, key=order))


class Collector:
    """Collects the faults of several checks, so that one error tells of them all.

    Example:
        >>> faults = Collector()
        >>> with faults:
        ...     raise ConfigError("one")
        >>> bool(faults)
        True
    """

    def __init__(self) -> None:
        self.faults: list[ConfigError] = []

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, ConfigError):
            self.faults += error.faults
            return True
        return False

    def __bool__(self) -> bool:
        return bool(self.faults)

    def check(self) -> None:
        """Raise what was collected.

        Raises: ConfigError.
        """
        if self.faults:
            raise all_of(self.faults)


class UnknownComponent(ConfigError):
    """No component of that kind has that name.

    Args:
        component: kind and name, as in ``fusion 'gatd'``.
    """

    def __init__(self, message: str, *, component: str = "", path: Path = (), place: Place | None = None) -> None:
        super().__init__(message, path=path, place=place)
        self.component = component


class DuplicateComponent(VsebenchError):
    """Two places register the same name for the same kind."""


class PluginError(VsebenchError):
    """A plug-in could not be found or imported."""


class UntrustedPlugin(PluginError):
    """Stored results need a plug-in that this command was not told to import."""


class ComponentError(VsebenchError):
    """A component does not keep what its kind promises: another shape, another type, no ``dim_out``."""


class DataError(VsebenchError):
    """A dataset, or a file it is built from, is missing, damaged or inconsistent.

    Args:
        message: the first line of the message.
        problems: one line for each bad row or item, shown below it (the first ``shown`` of them).
    """

    shown = 20

    def __init__(self, message: str, *, problems: Sequence[str] = (), place: Place | None = None) -> None:
        self.problems = tuple(problems)
        lines = [message, *(f"  {p}" for p in self.problems[: self.shown])]
        if len(self.problems) > self.shown:
            lines.append(f"  … and {len(self.problems) - self.shown} more")
        super().__init__("\n".join(lines), place=place)


class TrainingError(VsebenchError):
    """Training or fitting cannot go on: a loss is not finite, or the data do not allow what was asked."""


class MetricError(VsebenchError):
    """A metric cannot be computed: NaN scores, no positives, unknown variant."""


class QueryError(VsebenchError):
    """A gallery cannot be asked that: an empty text, no image, a number of hits out of range."""


class ClusterError(VsebenchError):
    """A cluster cannot be reached, or its nodes cannot do the runs."""


class DiskError(VsebenchError):
    """A file cannot be written: its disk is full, read-only or faulty, or its permissions forbid it."""


class RunFailed(VsebenchError):
    """Some runs of a sweep failed; the others are finished and kept."""

    exit_code = 1


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest known name, in whatever case, or an empty string."""
    near = nearest(word, known)
    return f" Did you mean '{near[0]}'?" if near else ""


def nearest(word: str, known: Iterable[str], most: int = 1) -> list[str]:
    """Return the known names that are most like a word, the nearest first, in whatever case it is typed.

    Example:
        >>> nearest("vse+bert", ["VSE", "VSE + BERT", "CIM"])
        ['VSE + BERT']
    """
    names = {name.casefold(): name for name in known}
    return [names[near] for near in difflib.get_close_matches(str(word).casefold(), names, n=most, cutoff=0.6)]


def known_names(names: Iterable[str], noun: str = "Known") -> str:
    """`` Known: a, b, c.`` or `` Known: none.``"""
    return f" {noun}: {', '.join(names) or 'none'}."
