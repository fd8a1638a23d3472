"""Digests of plain data, and of files and folders."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any


def digest(value: Any) -> str:
    """16 hex digits of plain data, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def path_digest(path: Path) -> str:
    """Digest of a file's bytes, or of the weights, settings and vocabularies in a folder."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    sums = []
    for file in files:
        with file.open("rb") as stream:
            sums.append((file.name, hashlib.file_digest(stream, "sha256").hexdigest()))
    return digest(sums)
