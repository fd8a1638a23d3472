"""The command line: a command is the function of its name in the file of its name, imported when it is used."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from vsebench import __version__
from vsebench.cli.options import PLAIN, FullGroup
from vsebench.core.errors import DiskError, VsebenchError
from vsebench.core.terminal import say

PANELS = {
    "Run experiments": ("sweep", "measure", "combine"),
    "Boards and results": ("leaderboard", "outcomes", "compare", "verify", "reproduce", "results"),
    "Look at what a run has learned": ("gallery", "explain"),
    "Search a gallery": ("index", "search", "serve"),
    "Data": ("data", "cache"),
    "Components and installation": ("components", "new", "doctor"),
}


class LazyGroup(FullGroup):
    """Commands that are imported when they are used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        return [name for names in PANELS.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; None for an unknown name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"vsebench.cli.{cmd_name}")
        group = getattr(module, "app", None)
        if group is None:
            group = typer.Typer(**PLAIN)
            group.command(cmd_name)(getattr(module, cmd_name))
        return typer.main.get_command(group)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands by what they are for, each with the first line of its help."""
        for panel, names in PANELS.items():
            with formatter.section(panel):
                formatter.write_dl([(name, summary(name)) for name in names])


def summary(command: str) -> str:
    """Return the first line of a command's help. Its file is parsed, not imported."""
    tree = ast.parse((Path(__file__).parent / f"{command}.py").read_text(encoding="utf-8"))

    def documented() -> Iterator[Any]:
        yield from (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == command)
        yield tree  # a group is described by its file

    return (ast.get_docstring(next(documented())) or "").split("\n")[0]


def exit_with(code: int | None, **_: Any) -> None:
    """End with the exit code that a command returns, if any."""
    raise typer.Exit(code or 0)


app = typer.Typer(
    name="vsebench",
    cls=LazyGroup,
    help="Benchmark multimodal classification and cross-modal retrieval with interchangeable components.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    result_callback=exit_with,
    # Help is as wide as the terminal; options may be typed in any case.
    context_settings={"max_content_width": 1000, "token_normalize_func": str.lower},
)


def main() -> None:
    """Entry point: a user's fault, a disk's or a component's is one message, never a traceback."""
    try:
        app(standalone_mode=True)
    except VsebenchError as error:
        say(f"error: {error}", error=True, lines=True)
        sys.exit(error.exit_code)
    except OSError as error:
        from vsebench.core.files import explain

        say(f"error: {explain(error)}", error=True)
        sys.exit(DiskError.exit_code)
    except Exception as error:
        from vsebench.core.culprit import culprit_of, in_one_line, keep_traceback

        if culprit_of(error) is None:
            raise  # a mistake of ours, to be reported with its traceback
        say(f"error: {in_one_line(error)}{keep_traceback(error)}", error=True)
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"vsebench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass
