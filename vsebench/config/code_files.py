"""The Python files that a file's code rests on: of vsebench, and those beside a plug-in."""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from vsebench.config.identity import PACKAGE, imports_of


@cache
def code_files(file: Path) -> frozenset[Path]:
    """Return a file and all that it imports, directly or not: modules of vsebench that can change numbers, and modules
    of the user's own that lie in the same project or were imported from elsewhere than the installed packages.
    """
    files: set[Path] = set()
    queue = [file.resolve()]
    while queue:
        one = queue.pop()
        if one in files:
            continue
        files.add(one)
        files |= imports_of(one)
        if not one.is_relative_to(PACKAGE):
            queue += _own_modules(one)
    return frozenset(files)


def _own_modules(file: Path) -> Iterator[Path]:
    """Files of the modules that a file of the user's imports, as far as these are the user's too."""
    package = _top(file)
    for name, level in _imported(file):
        if level:
            base = file.parents[level - 1] if level <= len(file.parents) else file.parent
            bases = [base]
        else:
            bases = [file.parent, package.parent]
        found = next((path for base in bases if (path := _module(base, name)) is not None), None)
        found = found or (_loaded(name) if not level else None)
        if found is not None:
            yield found


def _imported(file: Path) -> Iterator[tuple[str, int]]:
    """Yield (module, leading dots) of every import, also of names that may be modules themselves."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module:
                yield node.module, node.level
            for alias in node.names:
                yield f"{node.module}.{alias.name}" if node.module else alias.name, node.level


def _top(file: Path) -> Path:
    """Return the outermost package that a file lies in; its own folder where it lies in none."""
    folder = file.parent
    if not (folder / "__init__.py").is_file():
        return folder / file.name
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _module(base: Path, name: str) -> Path | None:
    path = base.joinpath(*name.split("."))
    for candidate in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate.resolve()
    return None


def _loaded(name: str) -> Path | None:
    """Return the file of a module that was imported from elsewhere than Python and its installed packages."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or not file.endswith(".py"):
        return None
    path = Path(file).resolve()
    installed = [Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    if any(path.is_relative_to(folder) for folder in installed) or path.is_relative_to(PACKAGE):
        return None
    return path
