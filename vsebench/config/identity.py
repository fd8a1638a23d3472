"""A run's id: a digest of everything that can change its numbers."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vsebench.config.schema import System
from vsebench.core.digests import digest, file_digest, path_digest
from vsebench.core.public_names import HOME_OF
from vsebench.core.registry import registry_of
from vsebench.core.shipped import embedded_versions
from vsebench.core.types import OWN_SPLIT

PACKAGE = Path(__file__).parent.parent
#: Raise it when the engine (model, loader, training, evaluation) gives other numbers for the same configuration.
ENGINE_VERSION = 1
#: Modules that cannot change a run's numbers although the training code imports them.
_WITHOUT_EFFECT = (
    "vsebench.core.errors",
    "vsebench.core.registry",
    "vsebench.core.component",
    "vsebench.core.plugins",
    "vsebench.core.home",
    "vsebench.core.files",
    "vsebench.config",
    "vsebench.components.metric",
    "vsebench.core.metric_specs",
)


def run_id(
    system: System,
    *,
    seed: int,
    fingerprint: str,
    metric_versions: Mapping[str, int],
    metrics: list[str],
    select: Mapping[str, Any],
    gallery: str = OWN_SPLIT,
) -> str:
    """16 hex digits over configuration, data, and the declared versions of the engine, components and metrics."""
    parts: dict[str, Any] = {
        "system": _portable(system),
        "seed": seed,
        "dataset": fingerprint,
        "metrics": sorted(metrics),
        "metric_versions": dict(sorted(metric_versions.items())),
        "select": dict(select),
        "weights": _local_weights(system),
        "engine": ENGINE_VERSION,
        "versions": component_versions(system),
    }
    if gallery != OWN_SPLIT:
        parts["gallery"] = gallery
    return digest(parts)


def component_versions(system: System) -> dict[str, int]:
    """The declared version of each component in use, by ``kind.name``."""
    return {f"{kind}.{spec.name}": component_version(kind, spec.name) for kind, spec in system.components()}


def component_version(kind: str, name: str) -> int:
    """The version that a component's decorator declares."""
    return int(registry_of(kind).get(name).facts["version"])


def code_digest(system: System, module: str = "vsebench.engine.train") -> str:
    """Digest of the training code and of the components in use: a check stored with a run, no part of its id.

    Args:
        module: that trains, with all that it imports.
    """
    files = set(_closure(module))
    if system.fitter is not None:
        files |= _closure("vsebench.engine.fit_data")
    for kind, spec in system.components():
        file = Path(_source_file(kind, spec.name))
        files |= {file, *imports_of(file)}
    return digest(sorted(file_digest(f) for f in files))


def component_digest(kind: str, name: str, module: str) -> str:
    """Digest of one component's code and of a module that uses it, with all that they import."""
    own = Path(_source_file(kind, name))
    files = {*_closure(module), own, *imports_of(own)}
    return digest(sorted(file_digest(f) for f in files))


def _portable(system: System) -> dict[str, Any]:
    """Return the system without its recipe's name and without places of local files, which say nothing about the
    numbers.
    """
    plain = system.model_dump(mode="json", exclude={"recipe"})
    local = _local_weights(system)
    for kind, spec in system.components():
        slot = plain.get(kind)
        for option in spec.options:
            if f"{kind}.{option}" in local and isinstance(slot, dict):
                slot["options"][option] = "local"
    return plain


def _local_weights(system: System) -> dict[str, str]:
    """Digests of the files that options name (``weights: PATH``, ``vectors: PATH``, a model's folder, ``embedded``), so
    that another file under the same name is another run."""
    found: dict[str, str] = {}
    for kind, spec in system.components():
        versions = embedded_versions(spec.options, spec.name)
        found |= {f"{kind}.embedded.{option}": version for option, version in versions.items()}
        for option in ("weights", "vectors", "model"):
            value = spec.options.get(option)
            if isinstance(value, str) and Path(value).expanduser().exists():
                found[f"{kind}.{option}"] = path_digest(Path(value).expanduser().resolve())
    return found


def _source_file(kind: str, name: str) -> str:
    import inspect

    builtin = registry_of(kind).builtin_file(name)
    if builtin is not None:
        return str(builtin)
    return str(inspect.getsourcefile(inspect.unwrap(registry_of(kind).get(name).target)))


@cache
def _closure(module: str) -> frozenset[Path]:
    file = _module_file(module)
    return frozenset() if file is None else frozenset({file, *imports_of(file)})


@cache
def imports_of(file: Path) -> frozenset[Path]:
    """Files of the package that a file imports, directly or not, leaving out those without effect."""
    found: set[Path] = set()
    queue = [file]
    while queue:
        for module in _imported_modules(queue.pop()):
            target = _module_file(module)
            if target is not None and target not in found and not module.startswith(_WITHOUT_EFFECT):
                found.add(target)
                queue.append(target)
    return frozenset(found)


@cache
def _imported_modules(file: Path) -> tuple[str, ...]:
    """Return the modules of the package that a file imports; for ``vb.NAME`` the module that defines the name."""
    names: list[str] = []
    aliases: set[str] = set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
            aliases |= {alias.asname or alias.name for alias in node.names if alias.name == "vsebench"}
        elif isinstance(node, ast.ImportFrom) and node.module == "vsebench":
            names += [HOME_OF.get(alias.name, f"vsebench.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and aliases)
    used = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id in aliases}
    names += sorted(HOME_OF[name] for name in used & HOME_OF.keys())
    return tuple(n for n in names if n.startswith("vsebench."))


def _module_file(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    if path.with_suffix(".py").is_file() and path != PACKAGE:
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").is_file() else None
