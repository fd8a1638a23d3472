"""A run's id: a digest of everything that can change its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vsebench.config.code_files import plugin_digest
from vsebench.config.schema import System
from vsebench.core.digests import digest, path_digest
from vsebench.core.registry import registry_of
from vsebench.core.shipped import embedded_versions
from vsebench.core.types import OWN_SPLIT

#: Raise it when the engine (model, loader, training, evaluation) gives other numbers for the same configuration.
ENGINE_VERSION = 1
#: The same of ``weights: pretrain``.
PRETRAIN_VERSION = 2


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
    used = {(kind, spec.name) for kind, spec in system.components()} | {("metric", name) for name in metric_versions}
    parts: dict[str, Any] = {
        "system": _portable(system),
        "seed": seed,
        "dataset": fingerprint,
        "metrics": sorted(metrics),
        "metric_versions": dict(sorted(metric_versions.items())),
        "select": dict(select),
        "weights": local_weights(system),
        "engine": ENGINE_VERSION,
        "versions": component_versions(system),
        "plugins": plugin_digests(used),
    }
    if gallery != OWN_SPLIT:
        parts["gallery"] = gallery
    if any(spec.options.get("weights") == "pretrain" for _, spec in system.components()):
        parts["pretrain"] = PRETRAIN_VERSION  # the rest of what these weights are made from stands above
    return digest(parts)


def component_versions(system: System) -> dict[str, int]:
    """Return the declared version of each component in use, by ``kind.name``."""
    return {f"{kind}.{spec.name}": component_version(kind, spec.name) for kind, spec in system.components()}


def component_version(kind: str, name: str) -> int:
    """Return the version that a component's decorator declares."""
    return int(registry_of(kind).get(name).facts["version"])


def plugin_digests(used: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the digest of the files of each plug-in among some components: its author need not declare versions."""
    digests = {f"{kind}.{name}": plugin_digest(kind, name) for kind, name in used}
    return {name: value for name, value in digests.items() if value is not None}


def _portable(system: System) -> dict[str, Any]:
    """Return the system without its recipe's name and without places of local files, which say nothing about the
    numbers.
    """
    plain = system.model_dump(mode="json", exclude={"recipe"})
    if system.placebo is None:
        del plain["placebo"]  # newer than ids: without it a run is what it was
    local = local_weights(system)
    for kind, spec in system.components():
        slot = plain.get(kind)
        for option in spec.options:
            if f"{kind}.{option}" in local and isinstance(slot, dict):
                slot["options"][option] = "local"
    return plain


def local_weights(system: System) -> dict[str, str]:
    """Digests of the files that options name (``weights: PATH``, ``vectors: PATH``, a model's folder, ``embedded``), so
    that another file under the same name is another run."""
    results: dict[str, str] = {}
    for kind, spec in system.components():
        versions = embedded_versions(spec.options, spec.name)
        results |= {f"{kind}.embedded.{option}": version for option, version in versions.items()}
        for option in ("weights", "vectors", "model"):
            value = spec.options.get(option)
            if isinstance(value, str) and Path(value).expanduser().exists():
                results[f"{kind}.{option}"] = path_digest(Path(value).expanduser().resolve())
    return results
