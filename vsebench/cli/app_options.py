"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[list[str] | None, typer.Option("-o", "--override", help="key=value, as in train.epochs=3.")]
Plugins = Annotated[list[Path] | None, typer.Option("--plugin", help="A Python file that registers components.")]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Import the plug-ins that runs name as well: code. For results whose code you trust."),
]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder of the runs.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")]
BoardFolder = Annotated[Path, typer.Option("--board", help="Folder of the leaderboards.")]
