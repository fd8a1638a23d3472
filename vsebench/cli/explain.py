"""``vsebench explain``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vsebench.core.errors import QueryError
from vsebench.core.plugins import load_plugins
from vsebench.core.terminal import say
from vsebench.data.show import draw_sheet
from vsebench.inspect.explain import explain
from vsebench.inspect.explain_page import page, sheet_cells
from vsebench.runs.load import find_run, load_run
from vsebench.runs.store import write_atomically
from vsebench.sweeps.worker import choose_device

FORMS = (".html", ".htm", ".png")


@dataclass(frozen=True)
class ExplainOptions:
    """The command's arguments."""

    run: str
    id: str
    caption: int
    out: Path
    runs: Path
    device: str
    plugins: Sequence[Path]
    trust: bool


def draw(options: ExplainOptions) -> None:
    """Run the model on the item and draw its weights, as the name of the file says.

    Raises: VsebenchError.
    """
    form = options.out.suffix.lower()
    if form not in FORMS:
        raise QueryError(f"--out '{options.out}' must end in .html or .png.")
    load_plugins(options.plugins)
    device = choose_device(options.device, 0)
    run = load_run(find_run(options.run, options.runs), device=device, trust=options.trust)
    say(f"{run.experiment}, {run.row}, seed {run.seed} (run {run.run_id})")
    explanation = explain(run, options.id, caption=options.caption)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if form == ".png":
        cells, columns = sheet_cells(explanation)
        draw_sheet(cells, options.out, columns=columns)
    else:
        write_atomically(options.out, page(explanation))
    for note in explanation.notes:
        say(f"note: {note}")
    say(f"wrote {options.out}")
