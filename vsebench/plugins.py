"""Plug-ins: Python files, and entry points of installed packages, that register components when they are imported."""

from __future__ import annotations

import importlib.util
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from vsebench.errors import DuplicateComponent, Place, PluginError

ENTRY_POINT_GROUP = "vsebench.plugins"
#: Plug-ins imported in this process: how they were named → their module.
LOADED_PLUGINS: dict[str, ModuleType] = {}


def load_plugins(files: Iterable[Path]) -> None:
    """Register the components of installed packages and of files.

    Raises: PluginError when one fails on import.
    """
    load_entry_points()
    for file in files:
        load_plugin_file(file)


def load_plugin_file(path: Path | str, *, place: Place | None = None) -> ModuleType:
    """Import a Python file that registers components. A file that was imported already is not imported again.

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
