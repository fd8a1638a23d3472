"""Who does a sweep's runs: ``--executor`` and what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vsebench.core.errors import ConfigError
from vsebench.core.registry import EXECUTORS
from vsebench.sweeps.executors.base import Executor, Work


@dataclass(frozen=True)
class ExecutorOptions:
    """The command's arguments about who does the runs.

    Args:
        name: of a registered executor.
        work: what every executor is told.
        options: of this one; those that are None are not given.
    """

    name: str = "local"
    work: Work = field(default_factory=Work)
    options: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> Executor:
        """Make the executor.

        Raises: UnknownComponent; ConfigError of an option that it does not have, and of what cannot work.
        """
        component = EXECUTORS.get(self.name)
        given = {name: value for name, value in self.options.items() if value is not None}
        for name in given:
            owners = [other for other in EXECUTORS.names() if name in EXECUTORS.get(other).options]
            if name not in component.options and owners:
                flag = f"--{name.replace('_', '-')}"
                raise ConfigError(
                    f"{flag} belongs to --executor {owners[0]}; --executor {self.name} has no use for it."
                )
        executor: Executor = component.build(given, work=self.work)
        executor.check()
        return executor
