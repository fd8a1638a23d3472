"""Every command in the documents can be given as printed: it parses, and the files and rows that it names are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from vsebench.cli.app import app
from vsebench.core.registry import DATASETS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "experiments").glob("*.yaml")])
COMMAND: Any = typer.main.get_command(app)
CONTEXT: Any = COMMAND.make_context("vsebench", [], resilient_parsing=True)
# Commands whose first arguments are runs or rows of an experiment.
ON_ROWS = {"gallery", "explain", "index", "combine", "compare", "reproduce"}


class WrongCommand(Exception):
    """A command that the command line refuses."""


def printed(page: Path) -> Iterator[tuple[int, str]]:
    """Yield every command of a page with its line: in blocks, in inline code, and in the comments of YAML files."""
    text = page.read_text(encoding="utf-8").replace("\\\n#", "  ").replace("\\\n", "  ")
    block = False
    for number, line in enumerate(text.splitlines(), 1):
        if page.suffix == ".yaml":
            match = re.match(r"#\s+(vsebench .*)", line)
            if match is not None:
                yield number, match[1]
        elif line.startswith("```"):
            block = not block
        elif block:
            for part in re.split(r"&&|;", line):
                if part.strip().startswith("vsebench "):
                    yield number, part.strip()
        else:
            yield from ((number, code) for code in re.findall(r"`(vsebench [^`]+)`", line))


def words(command: str) -> list[str]:
    """Split a command, without its comment and without the brackets and dots of a usage line."""
    return shlex.split(
        command.replace("[", " ").replace("]...", " ").replace("]", " ").replace("…", " "), comments=True
    )


def check_parses(parts: list[str]) -> tuple[str, list[str]]:
    """Parse a command as the command line would; return the subcommand's path and the positional arguments.

    Raises: WrongCommand for what the command line would refuse.
    """
    command = COMMAND
    path: list[str] = []
    rest = parts[1:]
    while hasattr(command, "list_commands") and rest:
        if rest[0].startswith("-"):
            break
        name, *rest = rest
        path.append(name)
        command = command.get_command(CONTEXT, name)
        if command is None:
            raise WrongCommand(f"no command '{name}'")
    if not rest or "--help" in rest:  # a command that is only named, as in a heading
        return " ".join(path), []
    if rest[0] == "--version":
        return " ".join(path), []
    try:  # newer versions of typer carry a click of their own, so that the exception's class is not known here
        context = command.make_context(" ".join(path), list(rest))
    except Exception as error:
        raise WrongCommand(getattr(error, "message", str(error))) from None
    arguments = [p.name for p in command.params if p.param_type_name == "argument"]
    values = [context.params[name] for name in arguments if context.params.get(name) is not None]
    flat = [str(v) for value in values for v in (value if isinstance(value, list | tuple) else [value])]
    if path == ["data", "build"]:
        _check_builder_options(context, flat[0])
    return " ".join(path), flat


def _check_builder_options(context: Any, name: str) -> None:
    """Refuse options that no builder of a ``data build`` has: its own, or that of folders with a metadata file."""
    builder = context.params["builder"] or ("hub" if name.startswith("hub:") else name)
    builders = [builder] if context.params["builder"] or builder == "hub" else [builder, "folder"]
    given = {word.split("=")[0] for word in context.args if word.startswith("--")}
    known = [
        {f"--{option.replace('_', '-')}" for option in DATASETS.get(kind).options}
        for kind in builders
        if kind in DATASETS
    ]
    if not any(given <= options for options in known):
        raise WrongCommand(f"no builder of {builders} has all of {sorted(given)}")


def rows_of(experiment: str) -> list[str]:
    """List the named rows of an experiment file, and the rows of its board."""
    file = ROOT / "experiments" / f"{experiment}.yaml"
    assert file.is_file(), f"there is no experiment '{experiment}'"
    spec = yaml.safe_load(file.read_text(encoding="utf-8"))
    return list(spec.get("systems") or {})


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_can_be_given_as_printed(page: Path) -> None:
    for number, command in printed(page):
        place = f"{page.name}:{number}: {command}"
        try:
            name, arguments = check_parses(words(command))
        except (WrongCommand, ValueError) as error:
            pytest.fail(f"{place}\n{error}")
        for argument in arguments:
            if argument.startswith("experiments/"):
                assert (ROOT / argument).is_file(), f"{place}\nthere is no {argument}"
            elif name in ON_ROWS and re.fullmatch(r"[a-z0-9_]+/[^/.]+", argument):
                experiment, row = argument.split("/")
                assert row in rows_of(experiment), f"{place}\n{experiment}.yaml has no row '{row}'"


def commands(group: Any = COMMAND, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every command with its path, those of groups too."""
    for name in group.list_commands(CONTEXT):
        command = group.get_command(CONTEXT, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


@pytest.mark.parametrize(("name", "command"), [pytest.param(*one, id=one[0]) for one in commands()])
def test_every_command_has_an_example_in_its_help(name: str, command: Any) -> None:
    """One that parses, in one line of the narrowest terminal that help is written for."""
    examples = re.findall(r"^Example: (vsebench .*)$", command.help, re.M)
    assert len(examples) == 1, command.help
    assert len(f"  Example: {examples[0]}") <= 78
    path, arguments = check_parses(words(examples[0]))
    assert path == name
    for argument in arguments:
        if name in ON_ROWS and "/" in argument:
            experiment, row = argument.split("/")
            assert row in rows_of(experiment), f"{experiment}.yaml has no row '{row}'"


def test_a_wrong_command_is_noticed() -> None:
    for wrong in ("vsebench swep x.yaml", "vsebench sweep x.yaml --dry", "vsebench data build photos --lable-column a"):
        with pytest.raises(WrongCommand):
            check_parses(words(wrong))
    assert check_parses(words("vsebench sweep FILE [-o key=value]... [--dry-run]")) == ("sweep", ["FILE"])
