"""The documentation does what it says: a page is executed, the catalogue is current, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess
from types import MappingProxyType

import api_page
import pytest
from commands import vsebench
from datasets_page import page as datasets_page

from vsebench.cli.components import catalogue
from vsebench.config.schema import System, Train
from vsebench.core.registry import METRICS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.slow
def test_add_a_fusion_works_as_written(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "add-a-fusion.md").read_text(encoding="utf-8")
    blocks = re.findall(r"<!-- (file: (?P<name>\S+)|run) -->\n```\w+\n(?P<body>.*?)```", page, re.DOTALL)
    assert len(blocks) == 6
    for _, name, body in blocks:
        if name:
            (tmp_path / name).write_text(body, encoding="utf-8")
            continue
        for line in body.splitlines():
            program, *words = shlex.split(line)
            assert program in ("vsebench", "python")
            done = vsebench(*words, cwd=tmp_path) if program == "vsebench" else python(*words, cwd=tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr
    assert "| my\\_fusion" in (tmp_path / "leaderboard" / "my_experiment.md").read_text(encoding="utf-8")
    message = re.search(r"```text\nerror: my_experiment.yaml:(\d+): (.*)\n```", page)
    assert message is not None
    experiment = tmp_path / "my_experiment.yaml"
    experiment.write_text(experiment.read_text().replace("scale: 2.0", "scle: 2.0"))
    done = vsebench("sweep", "my_experiment.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip() == f"error: my_experiment.yaml:{message[1]}: {message[2]}"


def test_the_catalogue_is_current() -> None:
    page = ROOT / "docs" / "components.md"
    assert page.read_text(encoding="utf-8") == catalogue(), "run python -m vsebench.cli.components"
    page = ROOT / "docs" / "datasets.md"
    assert page.read_text(encoding="utf-8") == datasets_page(), "run python docs/generators/datasets_page.py"


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    # In the first column of a table: the word somewhere in a sentence documents no key.
    documented = {key for row in re.findall(r"^\| (.*?) \|", page, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
    assert set(Train.model_fields) | set(System.model_fields) - {"recipe"} <= documented


def test_every_metric_is_documented() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.*?) \|", page, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)[^`]*`", row)}
    assert set(METRICS.names()) <= documented


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_names_both_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "vsebench sweep experiments/mmfrb.yaml" in text
    assert "<!-- test command -->" in text


def test_the_readme_shows_the_board() -> None:
    """The README's first command rewrites the page in the checkout, so the committed one counts where there is git."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split("<!-- board -->")[1].split("<!-- /board -->")[0]
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    page = "leaderboard/mmfrb.md"
    committed = git("show", f"HEAD:{page}", cwd=ROOT) if (ROOT / ".git").exists() else ""
    boards = [(ROOT / page).read_text(encoding="utf-8"), committed]
    assert len(rows) > 5
    assert any(all(row in board for row in rows) for board in boards)


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout: nothing to clone")
def test_the_tests_of_the_documents_pass_after_a_sweep(tmp_path: Path) -> None:
    """The README's two commands in sequence, in one clone: a sweep (a part of it) changes the board, no test."""
    clone = tmp_path / "clone"
    git("clone", "-q", str(ROOT), str(clone), cwd=tmp_path)
    command = [
        "sweep",
        "experiments/mmfrb.yaml",
        "--only",
        "word vectors only",
        "--wandb",
        "disabled",
        "-o",
        "train.epochs=1",
    ]
    command += ["-o", "seeds=[0]"]
    tests = ["tests/test_docs.py", "-k", "readme", "-q", "-p", "no:cacheprovider"]
    for module in (["vsebench", *command], ["pytest", *tests]):
        done = python("-m", *module, cwd=clone, env={"PYTHONPATH": str(clone)})
        assert done.returncode == 0, done.stdout + done.stderr
    assert "leaderboard/mmfrb.md" in git("status", "--porcelain", cwd=clone)


def python(*arguments: str, cwd: Path, env: Mapping[str, str] = MappingProxyType({})) -> CompletedProcess[str]:
    """Run Python in a new process."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **env}, check=False)


def git(*arguments: str, cwd: Path) -> str:
    """Return what a git command prints."""
    return subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True).stdout


def test_the_page_of_the_api_is_current() -> None:
    page = ROOT / "docs" / "api.md"
    assert page.read_text(encoding="utf-8") == api_page.page(), "run python docs/generators/api_page.py"


@pytest.mark.slow
def test_the_python_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- run in Python -->\n```python\n(.*?)```", text, re.DOTALL)
    assert block is not None
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    exec(block[1], names)
    assert "board" in names
