"""What a Python file computes, however it is spelt: digests that decide whether code has changed."""

from __future__ import annotations

import ast
import builtins
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

#: Fields of syntax trees that say nothing about results, or that not every version of Python has.
_WITHOUT_EFFECT = {"ctx", "kind", "type_comment", "type_ignores", "type_params", "returns"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LOGGERS = {"log", "logger", "logging", "warnings"}


@dataclass(frozen=True)
class Import:
    """One name that a file imports and uses.

    Args:
        module: absolute; empty for a relative import.
        name: in that module; empty where the module itself is imported.
        local: what the file calls it.
    """

    module: str
    name: str
    local: str


@dataclass(frozen=True)
class Code:
    """What a file computes.

    Args:
        digest: of its syntax tree without comments, docstrings, annotations and the text of messages, with local
            variables numbered; imports apart.
        imports: the names that are used, sorted.
    """

    digest: str
    imports: tuple[Import, ...]


@cache
def code_of(file: Path) -> Code:
    """Return what a file computes; the same in every version of Python.

    Raises: SyntaxError.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imports = list(_imports(tree))
    tree = _Normalise().visit(tree)
    for function in _outermost(tree.body):
        _number_locals(function, _bound(tree.body))
    imports += list(_attributes(tree, imports))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {str(name) for name in _exported(tree)}
    selected = {one for one in imports if one.local.partition(".")[0] in used or one.local == "*"}
    text = repr(_plain(tree))
    return Code(
        hashlib.sha256(text.encode()).hexdigest()[:16],
        tuple(sorted(selected, key=lambda one: (one.module, one.name, one.local))),
    )


def _imports(tree: ast.AST) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, "", alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (Import(module, alias.name, alias.asname or alias.name) for alias in node.names)


def _attributes(tree: ast.AST, imports: Iterable[Import]) -> Iterator[Import]:
    """Yield ``NAME`` of each ``module.NAME`` in use of a module that is imported whole."""
    whole = {one.local: one.module for one in imports if not one.name}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in whole:
            yield Import(whole[node.value.id], node.attr, f"{node.value.id}.{node.attr}")


def _exported(tree: ast.Module) -> Iterator[object]:
    """Yield the names in ``__all__``, which others import from here."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            yield from (c.value for c in ast.walk(node.value) if isinstance(c, ast.Constant))


class _Normalise(ast.NodeTransformer):
    """Drop docstrings, imports, annotations, and texts: citations, errors, warnings, logs."""

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(arg=node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        # A field of a dataclass has no value; its name and its place among the others count.
        return ast.Expr(node.target) if node.value is None else ast.Assign(targets=[node.target], value=node.value)

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return ast.Raise(exc=raised, cause=None)

    def visit_Call(self, node: ast.Call) -> ast.Call:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "register":
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "source"]  # a citation
        self.generic_visit(node)
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        self.generic_visit(node)
        return ast.Assert(test=node.test, msg=None)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            owner = call.func.value
            if isinstance(owner, ast.Name) and owner.id in _LOGGERS:
                return ast.Pass()
        self.generic_visit(node)
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            if body and _is_docstring(body[0]):
                body = body[1:]
            node.body = body or [ast.Pass()]  # type: ignore[attr-defined]
        return node


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _outermost(body: Iterable[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions of a module and methods of its classes."""
    for node in body:
        if isinstance(node, _FUNCTIONS):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _outermost(node.body)


def _bound(body: Iterable[ast.stmt]) -> frozenset[str]:
    """Return the names that a module binds anywhere, which a local variable may hide."""
    names = {node.id for s in body for node in ast.walk(s) if isinstance(node, ast.Name) and _is_global(node, s)}
    names |= {node.name for node in body if isinstance(node, (*_FUNCTIONS, ast.ClassDef))}
    return frozenset(names)


def _is_global(node: ast.Name, statement: ast.stmt) -> bool:
    return not isinstance(statement, (*_FUNCTIONS, ast.ClassDef)) and not isinstance(node.ctx, ast.Load)


def _number_locals(function: ast.FunctionDef | ast.AsyncFunctionDef, module_names: frozenset[str]) -> None:
    """Replace the local variables of a function and of those inside it by numbers in order of appearance.

    Only names that are nothing but variables: no parameter (a caller may give it by its name), nothing that is global
    or nonlocal, nothing that an ``except``, ``match``, ``import``, ``def`` or ``class`` binds too.
    """
    nodes = list(_in_order(function))
    if any(isinstance(node, ast.ClassDef) for node in nodes):
        return
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    others = {name for node in nodes for name in _other_bindings(node)}
    local = stored - others - module_names - set(dir(builtins))
    numbers: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in local:
            node.id = numbers.setdefault(node.id, f"%{len(numbers)}")


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _other_bindings(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.arg(arg=name):
            yield name
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from names
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name


def _plain(node: Any) -> Any:
    """Return the tree as nested tuples, without what differs between versions of Python."""
    if isinstance(node, ast.AST):
        fields = ((name, getattr(node, name, None)) for name in node._fields if name not in _WITHOUT_EFFECT)
        return (type(node).__name__, *((name, _plain(value)) for name, value in fields))
    if isinstance(node, list):
        return tuple(map(_plain, node))
    return repr(node)
