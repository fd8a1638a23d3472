"""Folders import each other without cycles, on few floors, and what must not need torch does not.

Nothing is listed here: nodes, edges, floors and cycles are computed from the imports. A node is an entry of
``vsebench/`` (a folder or a module), and each kind of component is a node of its own. ``python tests/test_layers.py``
prints the table.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vsebench"
MAX_ROOT_ENTRIES = 20
MAX_FLOORS = 12
Graph = dict[str, dict[str, list[str]]]


def root_entries() -> list[str]:
    """Names in the package's root that a reader has to know: folders and modules but ``__*__.py`` and py.typed."""
    names = [entry.name for entry in PACKAGE.iterdir() if not entry.name.startswith("__") and entry.name != "py.typed"]
    return sorted(name for name in names if not name.startswith("."))


def node_of(parts: tuple[str, ...]) -> str | None:
    """Name the node of a dotted name or of a path below the package; None for the root itself.

    ``vsebench.components`` alone is no node: only its kinds are.
    """
    if not parts or parts[0].startswith("__"):
        return None
    if parts[0] != "components":
        return parts[0]
    kind = PACKAGE.joinpath(*parts[:2])
    return "/".join(parts[:2]) if len(parts) > 1 and kind.is_dir() else None


def imported(file: Path) -> list[tuple[str, ...]]:
    """Dotted names below the package that a file imports anywhere, except under ``if TYPE_CHECKING``.

    Each name of ``from a import b`` counts as ``a.b``, so that a folder's modules are seen whichever way they come.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    hidden = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and ast.unparse(guard.test).endswith("TYPE_CHECKING")
        for statement in guard.body
        for node in ast.walk(statement)
    }
    folder = ("vsebench", *file.relative_to(PACKAGE).parent.parts)
    names: list[tuple[str, ...]] = []
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else ()
            base = (*base, *(node.module or "").split(".")) if node.module else base
            names += [(*base, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [tuple(alias.name.split(".")) for alias in node.names]
    return [name[1:] for name in names if name[0] == "vsebench"]


@cache
def graph() -> Graph:
    """Edges between nodes: for each node, what it imports and the files that do so."""
    edges: Graph = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        relative = file.relative_to(PACKAGE)
        source = node_of(relative.with_suffix("").parts)
        if source is None:
            continue
        targets = edges.setdefault(source, {})
        for name in imported(file):
            target = node_of(name)
            if target is not None and target != source and relative.as_posix() not in targets.get(target, ()):
                targets.setdefault(target, []).append(relative.as_posix())
    return edges


def components_of(edges: Graph) -> list[set[str]]:
    """Strongly connected components (Tarjan 1972), each after all that it imports."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    result: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in edges.get(node, {}):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            position = stack.index(node)
            result.append(set(stack[position:]))
            del stack[position:]

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return result


def floors_of(edges: Graph) -> dict[str, int]:
    """Floor of each node, from 1: one above the highest that it imports. A cycle stands on one floor."""
    floors: dict[str, int] = {}
    for group in components_of(edges):
        below = [floors[target] for node in group for target in edges.get(node, {}) if target not in group]
        floors.update(dict.fromkeys(group, 1 + max(below, default=0)))
    return floors


def cycles_of(edges: Graph) -> list[list[str]]:
    return sorted(sorted(group) for group in components_of(edges) if len(group) > 1)


def table() -> str:
    """Root entries, floors with what each node imports, and for each cycle the files that close it."""
    edges, floors = graph(), floors_of(graph())
    lines = [f"{len(root_entries())} root entries, {max(floors.values())} floors, {len(cycles_of(edges))} cycles"]
    for node in sorted(floors, key=lambda name: (floors[name], name)):
        lines.append(f"{floors[node]:>3}  {node}: {', '.join(sorted(edges[node])) or '-'}")
    for cycle in cycles_of(edges):
        lines.append(f"cycle: {', '.join(cycle)}")
        for source in cycle:
            for target in sorted(set(edges[source]) & set(cycle)):
                lines.append(f"  {source} -> {target}: {', '.join(edges[source][target])}")
    return "\n".join(lines)


#: Edges that close a cycle and still stand, with the reason. Remove lines; add none.
KNOWN_CYCLES: dict[tuple[str, str], str] = {}


def without(edges: Graph, removed: dict[tuple[str, str], str]) -> Graph:
    return {
        source: {target: files for target, files in targets.items() if (source, target) not in removed}
        for source, targets in edges.items()
    }


def test_the_root_is_small() -> None:
    entries = root_entries()
    assert len(entries) <= MAX_ROOT_ENTRIES, entries


def test_few_floors() -> None:
    floors = floors_of(without(graph(), KNOWN_CYCLES))
    assert max(floors.values()) <= MAX_FLOORS, table()


def test_no_cycles() -> None:
    assert not cycles_of(without(graph(), KNOWN_CYCLES)), table()


def test_known_cycles_still_stand() -> None:
    cyclic = [set(cycle) for cycle in cycles_of(graph())]
    ended = [e for e in KNOWN_CYCLES if e[1] not in graph().get(e[0], {}) or not any(set(e) <= c for c in cyclic)]
    assert not ended, f"remove from KNOWN_CYCLES: {ended}"


def test_kinds_do_not_import_each_other() -> None:
    """``encoder`` is no kind: it holds what image, text and audio encoders share."""
    wrong = [
        f"{source} imports {target}: {files}"
        for source, targets in without(graph(), KNOWN_CYCLES).items()
        for target, files in targets.items()
        if source.startswith("components/") and target.startswith("components/")
        if not (target == "components/encoder" and source.endswith("_encoder"))
    ]
    assert not wrong, wrong


def folders() -> list[str]:
    """Folders of the package that hold Python files, as posix paths below it."""
    return sorted({file.parent.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py")} - {"."})


@pytest.mark.parametrize("folder", folders())
def test_folders_say_what_they_are_for(folder: str) -> None:
    file = PACKAGE / folder / "__init__.py"
    assert file.is_file(), f"{folder} has no __init__.py"
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    assert text.partition("\n")[0].endswith("."), f"{file}: the docstring's first line is a sentence"
    if folder not in graph():  # a part of a folder, or the roof of the kinds
        return
    assert "Imports " in text, f"{file}: the docstring says what the folder may import"
    allowed = text.rpartition("Imports ")[2].replace("\n", " ")
    if "everything" in allowed:
        return
    known = (without(graph(), KNOWN_CYCLES))[folder]
    undeclared = [
        target
        for target in known
        if not re.search(rf"(?<![\w/]){target}(?![\w/])", allowed)
        and not (target.startswith("components/") and re.search(r"\bcomponents\b(?!/)", allowed))
    ]
    assert not undeclared, f"{file} does not name what the folder imports: {undeclared}"


def test_a_cycle_is_seen() -> None:
    """The computation itself, on a graph with a cycle of two folders below a third."""
    edges: Graph = {"a": {"b": ["a.py"]}, "b": {"c": ["b.py"]}, "c": {"b": ["c.py"], "d": ["c.py"]}, "d": {}}
    assert cycles_of(edges) == [["b", "c"]]
    assert floors_of(edges) == {"d": 1, "b": 2, "c": 2, "a": 3}
    assert not cycles_of(without(edges, {("c", "b"): "a test"}))


def test_type_checking_imports_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "part").mkdir()
    file = tmp_path / "part" / "module.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nfrom . import near\nfrom ..core import errors\n"
        "if TYPE_CHECKING:\n    import vsebench.hidden\nelse:\n    import vsebench.shown\n"
        "def f():\n    from vsebench.late import g\n",
        encoding="utf-8",
    )
    expected = {("part", "near"), ("core", "errors"), ("shown",), ("late", "g")}
    assert set(imported(file)) == expected


@pytest.mark.parametrize(
    "code",
    [
        "import vsebench.core.registry, vsebench.core.types, vsebench.core.errors",
        "import vsebench.cli.app",
        "from vsebench.core.registry import KINDS; [r.names() for r in KINDS.values()]",
        "import vsebench.leaderboard.render, vsebench.runs.store",
        "import vsebench.cli.components as c; c.summary('fusion', 'gated')",
        "import vsebench; assert 'Searcher' in dir(vsebench)",
    ],
)
def test_no_torch(code: str) -> None:
    check = f"{code}\nimport sys\nassert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


HELP = """
import sys
from vsebench.cli.app import PANELS, main
for arguments in {arguments}:
    sys.argv = ["vsebench", *arguments]
    try:
        main()
    except SystemExit as error:
        assert not error.code, arguments
    heavy = {heavy} & set(sys.modules)
    assert not heavy, (arguments, heavy)
"""


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        ('[["--help"], ["--version"]]', {"torch", "numpy", "pandas", "wandb", "pydantic", "yaml"}),
        ('[[name, "--help"] for names in PANELS.values() for name in names]', {"torch", "pandas", "wandb", "scipy"}),
        ('[["data", "build", "--help"], ["results", "merge", "--help"]]', {"torch", "pandas", "wandb", "scipy"}),
    ],
    ids=["vsebench", "every command", "commands of groups"],
)
def test_help_loads_nothing_heavy(arguments: str, heavy: set[str]) -> None:
    code = HELP.format(arguments=arguments, heavy=heavy)
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    print(table())
