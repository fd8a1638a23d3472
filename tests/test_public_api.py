"""The public names: light at import, what they say they are, and all that plug-ins import."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vsebench as vb
from vsebench.core.public_names import HOME_OF
from vsebench.core.registry import KINDS
from vsebench.testing import scaffold

ROOT = Path(__file__).parent.parent
NAMES = sorted(HOME_OF)
#: Plug-ins of tests that reach into the package on purpose, with the reason.
PROBES = {"tests/sweeps/test_launcher.py": "checkpoints after every epoch"}


def test_import_is_light() -> None:
    code = (
        "import sys, vsebench as vb\n"
        "assert vb.list_components('fusion', 'gated*') == ['gated', 'gated_sum']\n"
        "assert {'Fusion', 'FUSIONS'} <= set(dir(vb)) and vb.FUSIONS.kind == 'fusion'\n"
        "heavy = {'torch', 'numpy', 'pandas', 'pydantic', 'yaml', 'scipy', 'wandb'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_where_it_is_said_to_be(name: str) -> None:
    value, module = getattr(vb, name), importlib.import_module(HOME_OF[name])
    assert value is (module if name == "metrics" else getattr(module, name))
    assert name in vb.__all__
    assert name in dir(vb)
    if hasattr(value, "__module__") and not isinstance(value, type(vb.FUSIONS)):
        assert value.__module__ == HOME_OF[name], "it is defined elsewhere"


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "vsebench" / "__init__.py").read_text(encoding="utf-8"))
    guard = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module for node in guard.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == {**HOME_OF, "metrics": "vsebench"}


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'vsebench' has no attribute 'Fusoin'"):
        vb.Fusoin  # noqa: B018


@pytest.mark.parametrize("kind", KINDS)
def test_every_registry_is_public(kind: str) -> None:
    assert any(getattr(vb, name) is KINDS[kind] for name in NAMES if name.isupper())


def test_components_are_listed_and_created() -> None:
    assert vb.list_components("pooling") == KINDS["pooling"].names()
    assert "max" in vb.list_components("pooling", "m?x")
    fusion = vb.create("fusion", "gated", dims={"image": 4, "text": 3}, dim_out=8, temperature=0.5)
    assert isinstance(fusion, vb.Fusion)
    assert fusion.dim_out == 8


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("fusoin", "gated"), {}, "unknown kind 'fusoin'. Did you mean 'fusion'?"),
        (("fusion", "gatd"), {}, "unknown fusion 'gatd'. Did you mean 'gated'?"),
        (("fusion", "gated"), {"dims": {"text": 3}}, "fusion 'gated' needs dim_out, which a model would wire."),
        (
            ("fusion", "gated"),
            {"dim": {}, "dim_out": 8},
            "unknown option 'dim' of fusion 'gated'. Did you mean 'dims'? Known: dims, dim_out, temperature.",
        ),
        (
            ("fusion", "gated"),
            {"dims": {"text": 3}, "dim_out": 8, "temperature": "hot"},
            "option 'temperature' of fusion 'gated': must be a number. Got 'hot'.",
        ),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, str], options: dict[str, object], message: str) -> None:
    with pytest.raises(vb.VsebenchError) as caught:
        vb.create(*arguments, **options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def inner_imports(text: str) -> list[str]:
    """Return the lines of Python text, in blocks of any page, that import from inside the package."""
    return re.findall(r"^\s*(?:from vsebench\.\S+ import .*|import vsebench\.(?!metrics\b).*)$", text, re.MULTILINE)


def texts_of_plugins() -> Iterator[tuple[str, str]]:
    """Texts that a user's code is like: scaffolds, pages, and plug-ins that tests write."""
    for kind in scaffold.SCAFFOLD_KINDS:
        yield f"scaffold of {kind}", scaffold.text_of_module(kind, "my_part") + scaffold.text_of_test(kind, "my_part")
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        yield page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8")
    for file in sorted((ROOT / "tests").rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        name = file.relative_to(ROOT).as_posix()
        if ".register(" in text and name not in PROBES and file != Path(__file__):
            strings = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
            yield name, "\n".join(s for s in strings if isinstance(s, str) and ".register(" in s)


def test_plugins_import_public_names_alone() -> None:
    wrong = {name: lines for name, text in texts_of_plugins() if (lines := inner_imports(text))}
    assert not wrong
    assert inner_imports("from vsebench.core.types import Tokens")  # the pattern sees one


@pytest.mark.parametrize("name", [name for name in NAMES if not name.isupper() and name not in ("metrics", "Result")])
def test_docstrings_name_every_parameter(name: str) -> None:
    assert not unnamed(getattr(vb, name))


@pytest.mark.parametrize("name", vb.metrics.__all__)
def test_docstrings_of_metrics_name_every_parameter(name: str) -> None:
    assert not unnamed(getattr(vb.metrics, name))


def unnamed(target: Any) -> list[str]:
    """Return the parameters that a docstring, with those of the classes above, does not name."""
    classes = inspect.getmro(target) if inspect.isclass(target) else (target,)
    text = "\n".join(inspect.getdoc(one) or "" for one in classes if one is not object)
    parameters = inspect.signature(target).parameters.values()
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name[0] != "_"]
    return [n for n in names if not re.search(rf"^\s*(\w+, )*{n}(, \w+)*:|``{n}``", text, re.MULTILINE)]
