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
    """Digest of what a Python file computes: its syntax tree without docstrings, imports and annotations."""
    tree = _Normalise().visit(ast.parse(file.read_text(encoding="utf-8")))
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


class _Normalise(ast.NodeTransformer):
    """Drop docstrings, imports and annotations."""

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(arg=node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        self.generic_visit(node)
        return None if node.value is None else ast.Assign(targets=[node.target], value=node.value)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            if body and _is_docstring(body[0]):
                body = body[1:]
            node.body = body or [ast.Pass()]  # type: ignore[attr-defined]
        return node


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
