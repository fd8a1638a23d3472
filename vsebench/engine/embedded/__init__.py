"""Small encoders that ship with the package, made from generated scenes by ``python -m vsebench.engine.embedded``.

They have seen scenes of other seeds than any dataset's. ``provenance.json`` says how they were made and what they
reach.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "weights"
PROVENANCE = FOLDER / "provenance.json"


def provenance() -> dict[str, Any]:
    """Return how each of the shipped encoders was made: command, seed, versions, and the numbers reached."""
    result: dict[str, Any] = json.loads(PROVENANCE.read_text(encoding="utf-8"))
    return result
