"""Who does a sweep's runs: ``--executor`` and what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vsebench.core.errors import ConfigError
from vsebench.core.registry import EXECUTORS

if TYPE_CHECKING:
    from vsebench.sweeps.executors.base import Executor, Work


def build_executor(name: str, work: Work, options: Mapping[str, Any]) -> Executor:
    """Make an executor.

    Args:
        name: of a registered executor.
        work: what every executor is told.
        options: of this one; those that are None are not given.

    Raises: UnknownComponent; ConfigError of an option that it does not have, and of what cannot work.
    """
    component = EXECUTORS.get(name)
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        owners = [other for other in EXECUTORS.names() if option in EXECUTORS.get(other).options]
        if option not in component.options and owners:
            flag = f"--{option.replace('_', '-')}"
            raise ConfigError(f"{flag} belongs to --executor {owners[0]}; --executor {name} has no use for it.")
    executor: Executor = component.build(given, work=work)
    executor.check()
    return executor
