"""The small encoders that ship with the package (``weights: embedded``): where they are and what they are for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vsebench.core.digests import path_digest
from vsebench.core.errors import ConfigError, did_you_mean, known_names

FOLDER = Path(__file__).parent.parent / "engine" / "embedded" / "weights"
PROVENANCE = FOLDER / "provenance.json"
#: What an option says to use them: ``weights: embedded`` with the name as ``model``, or ``vectors: embedded``.
EMBEDDED = "embedded"
VECTORS = FOLDER / "scenes_vectors.txt"


def provenance() -> dict[str, Any]:
    """Return how each of the shipped encoders was made: command, seed, versions, and the numbers reached."""
    result: dict[str, Any] = json.loads(PROVENANCE.read_text(encoding="utf-8"))
    return result


def shipped_file(name: str, component: str, version: str | None = None) -> Path:
    """Return the file, or folder, of a shipped encoder.

    Args:
        name: of the encoder, such as ``scenes_cnn``.
        component: the registered component that reads it, such as ``timm_cnn``.
        version: what :func:`version_of` must say of it; None for any.

    Raises: ConfigError for a name that does not ship, or ships for another component, and for another version.
    """
    known = {key: facts["component"] for key, facts in provenance().items()}
    if known.get(name) != component:
        names = [key for key, reader in known.items() if reader == component]
        other = f" It is for {known[name]}." if name in known else did_you_mean(name, names)
        raise ConfigError(
            f"{component} has no embedded weights of '{name}'.{other}{known_names(names)}", path=("model",)
        )
    file = next(file for file in (FOLDER / name, FOLDER / f"{name}.safetensors") if file.exists())
    if version not in (None, version_of(file)):
        raise ConfigError(
            f"the embedded weights of '{name}' are of version {version_of(file)[:8]} here, not {str(version)[:8]}; "
            "another release of vsebench has those.",
            path=("revision",),
        )
    return file


def version_of(file: Path) -> str:
    """Return the 40 hex digits that stand for a shipped encoder's content, as a commit does for one of the hub."""
    return hashlib.sha256(path_digest(file).encode()).hexdigest()[:40]


def embedded_versions(options: Mapping[str, Any], component: str) -> dict[str, str]:
    """Return the versions of the shipped files that a component's options name: option -> version.

    Raises: ConfigError as :func:`shipped_file`.
    """
    result = {}
    if options.get("weights") == EMBEDDED:
        result["weights"] = version_of(shipped_file(str(options.get("model")), component))
    if options.get("vectors") == EMBEDDED:
        result["vectors"] = version_of(VECTORS)
    return result
