"""Digests of plain data, of files and folders, and of what Python files do."""

from __future__ import annotations

import ast
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


@cache
def file_digest(file: Path) -> str:
    """Digest of a Python file's syntax tree without docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
