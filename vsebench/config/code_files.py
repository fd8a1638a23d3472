"""The code that a run's numbers rest on: which files, and their digests."""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from vsebench.config.schema import System
from vsebench.core.digests import digest
from vsebench.core.errors import ConfigError
from vsebench.core.public_names import HOME_OF
from vsebench.core.python_files import Import, code_of
from vsebench.core.registry import registry_of

PACKAGE = Path(__file__).parent.parent
#: Modules that cannot change a run's numbers although the training code imports them.
WITHOUT_EFFECT = (
    "vsebench.core.errors",
    "vsebench.core.registry",
    "vsebench.core.checked",
    "vsebench.core.component",
    "vsebench.core.plugins",
    "vsebench.core.home",
    "vsebench.core.files",
    "vsebench.config",
    "vsebench.components.metric",
    "vsebench.core.metric_specs",
)


def code_digest(system: System, module: str = "vsebench.engine.train") -> str:
    """Return the digest of the training code and of the components in use: a check stored with a run, not in its id.

    Args:
        system: whose components count.
        module: that trains, with all that it imports.
    """
    files = set(closure(module))
    if system.fitter is not None:
        files |= closure("vsebench.engine.fit_data")
    for kind, spec in system.components():
        file = source_file(kind, spec.name)
        files |= {file, *imports_of(file)}
    return digest_of_files(files)


def component_digest(kind: str, name: str, module: str) -> str:
    """Return the digest of one component's code and of a module that uses it, with all that they import."""
    current = source_file(kind, name)
    return digest_of_files({*closure(module), current, *imports_of(current)})


def plugin_digest(kind: str, name: str) -> str | None:
    """Return the digest of a plug-in's own files; None for a component of the package, which declares a version."""
    if registry_of(kind).builtin_file(name) is not None:
        return None
    files = code_files(source_file(kind, name))
    return digest_of_files(file for file in files if not file.is_relative_to(PACKAGE))


def digest_of_files(files: Iterable[Path]) -> str:
    """Return the digest of what files compute, wherever they lie: imported modules count by their content."""
    return digest(sorted(_with_imports(file) for file in files))


@cache
def _with_imports(file: Path) -> list[object]:
    """Return a file's digest, and of each name that it imports where it comes from."""
    code = code_of(file)
    imports = []
    for one in code.imports:
        source = next(filter(None, map(_module_file, reversed(_modules(one)))), None)
        imports.append([one.module if source is None else code_of(source).digest, one.name, one.local])
    return [code.digest, sorted(imports)]


def source_file(kind: str, name: str) -> Path:
    """Return the file that defines a component.

    Raises: ConfigError for one that was defined in no file.
    """
    builtin = registry_of(kind).builtin_file(name)
    if builtin is not None:
        return builtin
    file = Path(inspect.getsourcefile(inspect.unwrap(registry_of(kind).get(name).target)) or "")
    if not file.is_file():
        raise ConfigError(f"{kind} '{name}' is defined in no file; runs need its code: put it into a plug-in file.")
    return file


@cache
def closure(module: str) -> frozenset[Path]:
    """Return a module's file and all that it imports."""
    file = _module_file(module)
    return frozenset() if file is None else frozenset({file, *imports_of(file)})


@cache
def imports_of(file: Path, without: tuple[str, ...] = WITHOUT_EFFECT) -> frozenset[Path]:
    """Return the package's files that a file imports, directly or not.

    Args:
        file: that imports.
        without: beginnings of modules that are left out, by default those that cannot change a trained model.
    """
    files: set[Path] = set()
    queue = [file]
    while queue:
        for one in code_of(queue.pop()).imports:
            for module in _modules(one):
                target = _module_file(module)
                if target is not None and target not in files and not module.startswith(without):
                    files.add(target)
                    queue.append(target)
    return frozenset(files)


def _modules(one: Import) -> tuple[str, ...]:
    """Return the modules that an imported name may come from; of ``vb.NAME`` the one that defines the name."""
    if one.module == "vsebench" and one.name in HOME_OF:
        return (HOME_OF[one.name],)
    return one.module, f"{one.module}.{one.name}"


def _module_file(module: str) -> Path | None:
    """Return the file of a module in the package; None for others, and for the package itself, which is but names."""
    top, *parts = module.split(".")
    if top != "vsebench" or not parts:
        return None
    path = PACKAGE.joinpath(*parts)
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").is_file() else None


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
            bases = [file.parents[level - 1] if level <= len(file.parents) else file.parent]
        else:
            bases = [file.parent, package.parent]
        source = next((path for base in bases if (path := _module(base, name)) is not None), None)
        source = source or (_loaded(name) if not level else None)
        if source is not None and (source.is_relative_to(package) or not _is_installed(source)):
            yield source


def _imported(file: Path) -> Iterator[tuple[str, int]]:
    """Yield (module, leading dots) of every import, also of names that may be modules themselves."""
    for one in code_of(file).imports:
        module = one.module.lstrip(".")
        level = len(one.module) - len(module)
        if module:
            yield module, level
        if one.name:
            yield (f"{module}.{one.name}" if module else one.name), level


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
    return None if _is_installed(path) else path


def _is_installed(path: Path) -> bool:
    installed = [Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    return any(path.is_relative_to(folder) for folder in (*installed, PACKAGE))
