"""What an experiment asks to be measured of its finished runs, beside their metrics."""

from __future__ import annotations

from typing import Any

from pydantic import RootModel

from vsebench.core.component import short
from vsebench.core.errors import Collector, ConfigError
from vsebench.core.registry import MEASUREMENTS


class Measures(RootModel[dict[str, Any]]):
    """The block ``measure`` of an experiment file: measurements by name, each ``true`` or a block of its options.

    It changes no run and no run's id: a finished run's model is loaded again and measured, so that a block that is
    added later completes the runs that are there.
    """

    def requested(self) -> dict[str, dict[str, Any]]:
        """Return each requested measurement with all its options, as plain data.

        Raises: ConfigError of every measurement and option at fault, with its path.
        """
        requested: dict[str, dict[str, Any]] = {}
        faults = Collector()
        for name, value in self.root.items():
            with faults:
                try:
                    options = _options(name, value)
                except ConfigError as error:
                    raise error.under(name) from None
                if options is not None:
                    requested[name] = options
        faults.check()
        return requested

    def given(self, name: str) -> set[str]:
        """Return the options of a measurement that the file gives."""
        value = self.root.get(name)
        return set(value) if isinstance(value, dict) else set()


def _options(name: str, value: Any) -> dict[str, Any] | None:
    component = MEASUREMENTS.get(name)
    if value is None or value is False:
        return None
    if value is not True and not isinstance(value, dict):
        block = " or a block of keys" if component.options else ""
        switch = "true, false" if block else "true or false"
        raise ConfigError(f"'measure.{name}': must be {switch}{block}. Got {short(value)}.")
    options = component.validate({} if value is True else value)
    checked: dict[str, Any] = component.target.check_options(options)  # type: ignore[attr-defined]
    return checked
