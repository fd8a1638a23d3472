"""``vsebench explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vsebench.cli.opened import open_run
from vsebench.cli.options import Device, Plugins, Run, RunsFolder, Trust
from vsebench.core.errors import QueryError
from vsebench.core.terminal import say


def explain(
    run: Run,
    item: Annotated[str, typer.Option("--id", help="An item of the run's dataset.")],
    caption: Annotated[int, typer.Option(help="Which of its captions, from 1.")] = 1,
    out: Annotated[Path, typer.Option(help="A page (.html) or a picture (.png).")] = Path("explain.html"),
    runs: RunsFolder = Path("runs"),
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
) -> None:
    """Draw what a run's attention does with an item: words over the image, weights of words and regions by step.

    Example: vsebench explain mmfrb/CIM --id garment-00012
    """
    form = out.suffix.lower()
    if form not in (".html", ".htm", ".png"):
        raise QueryError(f"--out '{out}' must end in .html or .png.")
    from vsebench.core.files import write_atomically
    from vsebench.data.show import draw_sheet
    from vsebench.inspect.explain import explain as explanation_of
    from vsebench.inspect.explain_page import page, sheet_cells

    loaded = open_run(run, runs, device, plugin, trust)
    explanation = explanation_of(loaded, item, caption=caption)
    out.parent.mkdir(parents=True, exist_ok=True)
    if form == ".png":
        cells, columns = sheet_cells(explanation)
        draw_sheet(cells, out, columns=columns)
    else:
        write_atomically(out, page(explanation))
    for note in explanation.notes:
        say(f"note: {note}")
    say(f"wrote {out}")
