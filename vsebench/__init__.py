"""vsebench: a benchmark suite for multimodal classification and cross-modal retrieval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vsebench.retrieval.searcher import Searcher as Searcher

__version__ = "0.1.0"

__all__ = ["Searcher", "__version__"]


def __getattr__(name: str) -> Any:
    """``vsebench.Searcher`` on first use: it imports torch, the package does not."""
    if name == "Searcher":
        from vsebench.retrieval.searcher import Searcher

        return Searcher
    raise AttributeError(f"module 'vsebench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
