"""What a measurement of finished runs is. Importing this imports no torch: boards are written without it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from vsebench.leaderboard.measured import BoardColumn, measured_table
from vsebench.leaderboard.page import Section
from vsebench.runs.snapshot import Snapshot

if TYPE_CHECKING:
    from vsebench.data.dataset import Dataset
    from vsebench.runs.load import LoadedRun

__all__ = ["BoardColumn", "Measurement"]


class Measurement(ABC):
    """A measurement of a finished run: its options (the constructor's), what it computes, and what boards show.

    Attributes:
        title: of its section on a board's page.
        description: a sentence or two above the table.
        columns: of the table, a row for each row of the board.
    """

    title: ClassVar[str] = ""
    description: ClassVar[str] = ""
    columns: ClassVar[Sequence[BoardColumn]] = ()

    @abstractmethod
    def measure(self, run: LoadedRun, dataset: Dataset) -> Mapping[str, Any]:
        """Measure a loaded run.

        Args:
            run: with its model.
            dataset: that it was trained on.

        Returns: plain data for JSON, such as ``{"norm": {"image": 1.5}}``.
        """

    @classmethod
    def check_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options as they are stored with the values, checked beyond their types.

        Raises: ConfigError with the path of the option at fault.
        """
        return options

    @classmethod
    def applies(cls, config: Mapping[str, Any]) -> bool:
        """Return whether it says anything of a resolved system; by default of all that have a model.

        Args:
            config: ``Result.config``; a combination of runs has no training in it.
        """
        return "train" in config

    @classmethod
    def sections(cls, snapshot: Snapshot, name: str) -> list[Section]:
        """Return the sections of a board's page; by default a table of ``columns``.

        Args:
            snapshot: the board's content.
            name: under which the measurement is registered.
        """
        tables = measured_table(snapshot, name, cls.columns)
        description = [cls.description] if cls.description else []
        return [Section(cls.title or name, [*description, *tables])] if tables else []
