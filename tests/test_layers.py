"""Imports only point down, and what must not need torch does not."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vsebench"
KINDS = (
    *("attention", "pooling", "fusion", "heads", "objectives", "scorers", "rerankers", "fitters", "index"),
    *("optimizers", "schedules", "metrics"),
)
LEVELS: dict[str, int] = {
    **dict.fromkeys(("errors", "sizes", "terminal", "types", "component", "plugins", "registry", "home", "names"), 0),
    **dict.fromkeys(("files", "result_form", "culprit"), 0),
    **dict.fromkeys(("config", "masking", "positions", "word_vectors", "_vector_files", "augment", "batch_norm"), 1),
    **dict.fromkeys(("lattice", "corruptions", "file_schemas", "weights", "circumstances", "process_state"), 1),
    **dict.fromkeys((*KINDS, "data", "encoders", "scoring"), 2),
    "model": 3,
    **dict.fromkeys(
        ("features", "sources", "feed", "pairs", "team", "parallel", "evaluate", "gallery", "embed", "material"), 4
    ),
    **dict.fromkeys(("stored", "dry_run"), 4),
    **dict.fromkeys(("checkpoint", "train", "pretrain", "embedded"), 5),
    **dict.fromkeys(("store", "tracking"), 6),
    **dict.fromkeys(("sweep", "leaderboard", "load", "search", "look", "combine", "indexing"), 7),
    **dict.fromkeys(("measures", "results"), 7),
    **{file.stem: 8 for file in PACKAGE.glob("cli*.py")},
    **dict.fromkeys(("commands", "serve", "testing", "scaffold", "templates", "__main__"), 8),
}
#: The experiment's list of metrics is validated by the one module that knows them; it imports no metric.
ALLOWED = {("config", "scoring"), ("data", "config")}


def top_level_imports(file: Path) -> list[str]:
    """Modules of the package that a file imports anywhere but under TYPE_CHECKING."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    hidden = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and isinstance(guard.test, ast.Name) and guard.test.id == "TYPE_CHECKING"
        for node in ast.walk(guard)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if name.startswith("vsebench.")]


def part(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_point_down(file: Path) -> None:
    relative = file.relative_to(PACKAGE)
    own = relative.parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for module in top_level_imports(file):
        other = part(module)
        if other == own or (own, other) in ALLOWED:
            continue
        assert LEVELS[other] <= LEVELS[own], f"{relative} imports {module} from above"
        if own in KINDS:
            assert other not in KINDS, f"{relative} imports another kind: {module}"
        assert not (LEVELS[own] == LEVELS[other] == 2 and "encoders" in (own, other) and other != "encoders"), module


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


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_loads_nothing_heavy(argument: str) -> None:
    code = (
        "import sys\nsys.argv = ['vsebench', sys.argv[1]]\nfrom vsebench.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'pandas', 'wandb', 'pydantic', 'yaml'} & set(sys.modules)\nassert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code, argument], check=True, stdout=subprocess.DEVNULL)
