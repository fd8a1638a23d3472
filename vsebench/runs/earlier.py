"""Runs of the earlier form of ids, which a digest of the code's spelling was part of."""

from __future__ import annotations

from vsebench.core.types import Result

#: How the note of a run begins that has been given its id of today.
CARRIED = "carried over from run "


def has_earlier_id(result: Result) -> bool:
    """Return whether a result's id is of the earlier form: it was made before the digest of its code was recorded."""
    combined = "combined" in result.ranking  # of runs; it has no code of its own
    return not result.code and not combined and not any(note.startswith(CARRIED) for note in result.notes)
