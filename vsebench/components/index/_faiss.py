"""faiss, where an index needs it."""

from __future__ import annotations

from typing import Any

from vsebench.core.errors import ConfigError


def faiss_for(name: str) -> Any:
    """Import and return the library.

    Raises: ConfigError that says how to install it, and what works without.
    """
    try:
        import faiss
    except ImportError:
        raise ConfigError(
            f"index '{name}' needs faiss: pip install 'vsebench[index]'. Index 'flat' works without it."
        ) from None
    return faiss
