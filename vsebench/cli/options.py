"""Options that several commands share, and what completes the names that a user types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vsebench.core.errors import did_you_mean


class FullGroup(TyperGroup):
    """A group whose help has the whole first line of each command, and that takes a name in any case."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is meant, or say which is nearest."""
        if self.get_command(ctx, args[0].lower()) is None:
            ctx.fail(f"No such command '{args[0]}'." + did_you_mean(args[0], self.list_commands(ctx)))
        return super().resolve_command(ctx, [args[0].lower(), *args[1:]])

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands with the first line of their help."""
        commands: list[Any] = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help.split("\n")[0]) for name, command in commands])


#: Of a Typer of one command or of a group: help without boxes.
PLAIN: dict[str, Any] = {"cls": FullGroup, "add_completion": False, "rich_markup_mode": None}
#: Of a command whose further options are a component's.
PASSES_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def beginning(names: Iterator[str], incomplete: str) -> list[str]:
    """Return the names that begin with what was typed; shells complete nothing else."""
    return [name for name in names if name.startswith(incomplete)]


def complete_experiment(incomplete: str) -> list[str]:
    """Complete the name of an experiment, or its file."""
    folder, suffix = ("experiments/", ".yaml") if incomplete.startswith("experiments/") else ("", "")
    return beginning(
        (f"{folder}{file.stem}{suffix}" for file in sorted(Path("experiments").glob("*.yaml"))), incomplete
    )


def complete_board(incomplete: str) -> list[str]:
    """Complete the name of a board in ``leaderboard``."""
    return beginning((file.stem for file in sorted(Path("leaderboard/results").glob("*.json"))), incomplete)


def complete_run(incomplete: str) -> list[str]:
    """Complete ``experiment/row``, from the boards in ``leaderboard``: their rows once the experiment is there."""
    experiment, slash, _ = incomplete.partition("/")
    if not slash:
        return [f"{name}/" for name in complete_board(incomplete)]
    try:
        rows = json.loads(Path(f"leaderboard/results/{experiment}.json").read_text(encoding="utf-8"))["rows"]
        return beginning((f"{experiment}/{row['name']}" for row in rows), incomplete)
    except (OSError, ValueError, LookupError, TypeError):
        return []  # a shell that completes has no place for an error


def complete_dataset(incomplete: str) -> list[str]:
    """Complete the name of a dataset that was built, or of a builder."""
    from vsebench.core.home import datasets_home
    from vsebench.core.registry import DATASETS

    built = (file.stem for file in datasets_home().glob("*.h5"))
    return beginning(iter(sorted({*built, *DATASETS.names()})), incomplete)


def complete_component(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a kind, then a name of that kind; ``check`` may stand before them."""
    from vsebench.core.registry import KINDS

    words = [word for word in context.params.get("words") or () if word != "check"]
    if not words:
        return beginning(iter(["check", *KINDS]), incomplete)
    return beginning(iter(KINDS[words[0]].names() if words[0] in KINDS else ()), incomplete)


def complete_index(incomplete: str) -> list[str]:
    """Complete the name of an index."""
    from vsebench.core.registry import INDEXES

    return beginning(iter(INDEXES.names()), incomplete)


RUN_HELP = "A run's folder, the beginning of its id, or experiment/row."
Run = Annotated[str, typer.Argument(help=RUN_HELP, autocompletion=complete_run)]
Experiment = Annotated[
    Path,
    typer.Argument(
        help="A file, or the name of one in experiments/, such as mmfrb.", autocompletion=complete_experiment
    ),
]
Experiments = Annotated[
    list[Path],
    typer.Argument(help="Files, or names of some in experiments/, such as mmfrb.", autocompletion=complete_experiment),
]
Boards = Annotated[
    list[str] | None, typer.Argument(help="Names of boards; all by default.", autocompletion=complete_board)
]
Gallery = Annotated[Path, typer.Argument(help="A folder that 'vsebench index' wrote.")]
Stored = Annotated[str, typer.Argument(help="Name or .h5 file.", autocompletion=complete_dataset)]
Overrides = Annotated[list[str] | None, typer.Option("-o", "--override", help="key=value, as in train.epochs=3.")]
Plugins = Annotated[list[Path] | None, typer.Option("--plugin", help="A Python file that registers components.")]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Import the plug-ins that runs name as well: code. For results whose code you trust."),
]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder of the runs.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")]
BoardFolder = Annotated[Path, typer.Option("--board", help="Folder of the leaderboards.")]
Cache = Annotated[bool, typer.Option(help="Keep frozen features on disk.")]
DatasetOfRun = Annotated[str | None, typer.Option(help="A dataset file or name; found by fingerprint by default.")]
