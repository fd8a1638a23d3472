"""What an experiment asks to be measured of its finished runs, beside their metrics."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Measures(BaseModel):
    """The block ``measure`` of an experiment file. It changes no run and no run's id: a finished run's model is loaded
    again and measured, so that a block that is added later completes the runs that are there.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    cost: bool = False

    def asked(self) -> dict[str, dict[str, Any]]:
        """Measure -> what is asked of it, of those that are asked for."""
        found: dict[str, dict[str, Any]] = {}
        if self.cost:
            found["cost"] = {}
        return found
