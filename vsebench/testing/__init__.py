"""Conformance kit for components, built in or of one's own, and the files that a new component starts from.

Imports components, core and ops. ``check_component`` is loaded on first use, because it needs torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vsebench.testing.kit import check_component as check_component

__all__ = ["check_component"]


def __getattr__(name: str) -> Any:
    if name == "check_component":
        from vsebench.testing.kit import check_component

        return check_component
    raise AttributeError(f"module 'vsebench.testing' has no attribute '{name}'")
