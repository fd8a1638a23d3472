"""Systems that are evaluated as they are: no objective, and nothing that one would train."""

from __future__ import annotations

from vsebench.config.schema import System
from vsebench.core.errors import ConfigError


def check_trains(system: System) -> None:
    """Refuse a system that has an objective and no epochs, or parts that nothing trains.

    Raises: ConfigError.
    """
    if system.objective:
        if system.train.epochs == 0:
            raise ConfigError(
                "epochs: 0 trains nothing. Write objective: none for a system that is evaluated as it is.",
                path=("train", "epochs"),
            )
        return
    if system.fitter is not None:
        return  # the fitter learns in its own way; see fitted.py
    if system.head is not None:
        raise ConfigError(
            f"without an objective nothing trains head '{system.head.name}'. Write head: none, or give an objective.",
            path=("head",),
        )
    if system.scorer is not None:
        raise ConfigError(
            f"without an objective nothing trains scorer '{system.scorer.name}'. Write scorer: none, or give an "
            "objective.",
            path=("scorer",),
        )
    if system.projection is not None:
        raise ConfigError(
            f"without an objective nothing trains projection '{system.projection.name}'. Write projection: none, or "
            "give an objective.",
            path=("projection",),
        )
