"""faiss, where an index needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vsebench.core.errors import ConfigError


class NeedsFaiss:
    """Of an index that faiss computes."""

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """Refuse the index, with any options, where faiss is missing.

        Raises: ConfigError that says how to install it, and what works without.
        """
        faiss_module()


def faiss_module() -> Any:
    """Import and return the library.

    Raises: ConfigError that says how to install it, and what works without.
    """
    try:
        import faiss
    except ImportError:
        message = "this index needs faiss: pip install 'vsebench[index]'. Index 'flat' works without it."
        raise ConfigError(message) from None
    return faiss
