"""Rows of a large file kept on disk by key, to join files whose orders differ without holding them in memory."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from types import TracebackType

from vsebench.core.errors import DiskError


class Spill:
    """A temporary table of text by (name, key).

    Example:
        >>> with Spill() as spill:
        ...     spill.put("regions", "7", "a red hat")
        ...     spill.get("regions", "7"), spill.get("regions", "8")
        ('a red hat', None)
    """

    def __enter__(self) -> Spill:
        self.folder = tempfile.TemporaryDirectory(prefix="vsebench-")
        self.connection = sqlite3.connect(Path(self.folder.name) / "rows.db", check_same_thread=False)
        self.connection.execute("pragma journal_mode = off")
        self.connection.execute("pragma synchronous = off")
        self.connection.execute("create table rows (name text, key text, value text, primary key (name, key))")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
        self.folder.cleanup()

    def put(self, name: str, key: str, value: str) -> None:
        """Keep a value; one that is there already is replaced.

        Raises: DiskError when the disk of the temporary files is full.
        """
        try:
            self.connection.execute("insert or replace into rows values (?, ?, ?)", (name, key, value))
        except sqlite3.OperationalError as error:
            raise DiskError(f"{self.folder.name}: {error}. Free some space there, or set TMPDIR elsewhere.") from None

    def get(self, name: str, key: str) -> str | None:
        """Return the value of a key, or None."""
        result = self.connection.execute("select value from rows where name = ? and key = ?", (name, key)).fetchone()
        return None if result is None else str(result[0])
