"""The conformance kit: the contract that built-in and user components pass."""

from vsebench.testing.kit import check_component

__all__ = ["check_component"]
