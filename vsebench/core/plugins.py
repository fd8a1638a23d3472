"""Plug-ins: Python files, and entry points of installed packages, that register components when they are imported.

A plug-in is code. One is imported when the user names it (``--plugin``, or ``plugins:`` of an experiment file that is
run), or has installed its package. Those that stored results name are imported on request alone (``--trust``), because
results may come from anybody.
"""

from __future__ import annotations

import importlib.util
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from vsebench.core.errors import DuplicateComponent, Place, PluginError, UnknownComponent, UntrustedPlugin

ENTRY_POINT_GROUP = "vsebench.plugins"
#: Plug-ins imported in this process: how they were named → their module.
LOADED_PLUGINS: dict[str, ModuleType] = {}


def load_plugins(files: Iterable[Path]) -> None:
    """Register the components of installed packages and of files.

    Raises: PluginError when one fails on import.
    """
    load_entry_points()
    for file in files:
        load_plugin(file)


def load_plugin(path: Path | str, *, place: Place | None = None) -> ModuleType:
    """Import a Python file that registers components. A file that was imported already is not imported again.

    Args:
        path: of the file.
        place: where it was named, for errors.

    Returns: its module.

    Raises: PluginError when it is missing or its import fails, with the line at fault.
    """
    file = Path(path).expanduser().resolve()
    if str(file) in LOADED_PLUGINS:
        return LOADED_PLUGINS[str(file)]
    if not file.is_file():
        raise PluginError(f"plug-in '{path}' does not exist (looked at {file}).", place=place)
    if file.suffix != ".py":
        raise PluginError(f"plug-in '{path}' is not a .py file.", place=place)
    name = f"vsebench_plugin_{file.stem}_{zlib.crc32(str(file).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise PluginError(f"plug-in '{path}' cannot be imported.", place=place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        if isinstance(error, DuplicateComponent):
            raise
        message = f"plug-in '{path}' fails on import{_fault_line(error, file)}: {_say(error)}"
        raise PluginError(message, place=place) from error
    LOADED_PLUGINS[str(file)] = module
    return module


def imported_files() -> list[Path]:
    """Return the plug-in files that this process has imported, for processes that it starts."""
    return [Path(name) for name in LOADED_PLUGINS if Path(name).is_absolute()]


def import_stored(named: Iterable[str], *, trust: bool) -> list[str]:
    """Import the plug-ins that stored results name, where the user trusts them.

    A plug-in file of the same name that the user has named in this command takes the place of a stored one, which may
    lie elsewhere on this machine.

    Args:
        named: paths, as a run's file has them.
        trust: whether the user has asked to import what results name.

    Returns: those that were not imported.

    Raises: PluginError when one fails on import.
    """
    files = {file.name for file in imported_files()}
    left = [name for name in named if Path(name).name not in files]
    if not trust:
        return left
    present = [name for name in left if Path(name).expanduser().is_file()]
    for name in present:
        load_plugin(name)
    return [name for name in left if name not in present]


@contextmanager
def refusing_unknown(left_out: Iterable[str], *, run: str, place: Place, without: str = "") -> Iterator[None]:
    """Turn an unknown component inside into one message about the plug-in that may have it.

    Args:
        left_out: plug-ins that the run names and that were not imported.
        run: whose they are.
        place: file and line that errors name.
        without: what can be done without them, as a sentence.

    Raises: UntrustedPlugin.
    """
    try:
        yield
    except UnknownComponent as error:
        message = refusal(left_out, run=run, component=error.component)
        raise UntrustedPlugin(f"{message} {without}".rstrip(), place=place) from None


def refusal(left_out: Iterable[str], *, run: str, component: str) -> str:
    """Say which plug-in a run needs, and how the user has it imported."""
    names = list(left_out)
    if not names:
        return (
            f"run {run} needs {component}, which is not part of vsebench, and no plug-in that has it was imported. "
            "Name its file with --plugin."
        )
    missing = [name for name in names if not Path(name).expanduser().is_file()]
    listed = ", ".join(f"'{name}'" for name in names)
    noun = "plug-in" if len(names) == 1 else "one of the plug-ins"
    if missing == names:
        return f"run {run} needs {component} of {noun} {listed}, not found here. Name its file with --plugin."
    return (
        f"run {run} needs {component} of {noun} {listed}, not imported because plug-ins are code and results may come "
        f"from anybody. Read it, then name it with --plugin, or give --trust."
    )


def load_entry_points() -> None:
    """Import the plug-ins of installed packages (entry-point group ``vsebench.plugins``).

    Raises: PluginError when one fails on import.
    """
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name in LOADED_PLUGINS:
            continue
        try:
            LOADED_PLUGINS[point.name] = point.load()
        except DuplicateComponent:
            raise
        except Exception as error:
            raise PluginError(f"plug-in '{point.name}' ({point.value}) fails on import: {_say(error)}") from error


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _fault_line(error: BaseException, file: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f" (line {error.lineno})"
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""
