"""``vsebench reproduce``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsebench.cli.options import BoardFolder, Cache, DatasetOfRun, Device, Plugins, Run, RunsFolder, Trust
from vsebench.core.files import write_atomically
from vsebench.core.plugins import load_plugins
from vsebench.core.terminal import say
from vsebench.core.types import Result
from vsebench.leaderboard.table import printable, table
from vsebench.runs.snapshot import load
from vsebench.runs.store import Store

if TYPE_CHECKING:
    from vsebench.results.original import Original
    from vsebench.results.reproduce import Line, Reproduction

REPORT = "reproduction.json"


def reproduce(
    row: Run,
    seed: Annotated[int | None, typer.Option(help="Of the row; its best on validation by default.")] = None,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
    out: Annotated[Path, typer.Option(help="Folder for the run that is done again.")] = Path("reproduced"),
    dataset: DatasetOfRun = None,
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="How far apart numbers may be; by default where a new run is expected.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="As many as the run had by default.")] = None,
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
    cache: Cache = True,
) -> int:
    """Train a run again from its stored configuration, and compare the results.

    It exits with 1 where a number differs by more than it may.

    Example: vsebench reproduce mmfrb/VSE --seed 0
    """
    from vsebench.results.original import dataset_of, find_original, precision_of
    from vsebench.results.reproduce import assess, do_again, plain
    from vsebench.sweeps.worker import choose_device, prepare

    load_plugins(plugin or ())
    original = find_original(row, runs, board, seed)
    run = original.run
    original.check_components(trust=trust)
    data = dataset_of(original, dataset)
    prepare(threads or int(original.result.hardware.get("threads", 1)))
    say(f"{printable(run.experiment)}, {printable(run.name)}, seed {run.seed} (run {run.run_id})")
    say(f"from {printable(str(original.source))}: {precision_of(original)}")
    store = Store(out, run.experiment)
    again = do_again(original, data, store, device=choose_device(device, 0), cache=cache, say=lambda s: say(f"  {s}"))
    verdict = assess(original, again, rows=_rows(original), tolerance=tolerance)
    for line in lines(verdict):
        say(line)
    file = store.run_folder(again.run_id) / REPORT
    write_atomically(file, json.dumps(plain(verdict), indent=1, ensure_ascii=False))
    say(f"wrote {file}")
    return int(not verdict.holds)


def _rows(original: Original) -> list[list[Result]]:
    """Return the finished runs of all rows on the same data, from where the run was found, its own row first."""
    if original.exact:
        everything = list(Store(original.source.parent.parent, original.run.experiment).results())
    else:
        everything = list(load(original.source).results.values())
    fingerprint = original.result.dataset["fingerprint"]
    rows: dict[str, list[Result]] = {original.result.system: []}
    for r in everything:
        if r.status == "finished" and r.dataset["fingerprint"] == fingerprint:
            rows.setdefault(r.system, []).append(r)
    return list(rows.values())


def lines(reproduction: Reproduction) -> list[str]:
    """Format a reproduction: a table of the numbers computed from scores, other differences, and the verdict."""
    from vsebench.results.reproduce import shown, summary

    compared_lines = [line for line in reproduction.lines if "/chance/" not in line.key or line.verdict != "same"]
    header = ["Number", "Stored", "Again", "Difference", "Expected", "Verdict"]
    message = [printable(summary(reproduction)), ""]
    message += [line.replace("\\", "") for line in table(header, [_cells(line) for line in compared_lines])]
    for name, (before, now) in reproduction.circumstances.items():
        message.append(f"{printable(name)}: was {printable(shown(before))}, is {printable(shown(now))}")
    if reproduction.code:
        message.append(
            "a version, a plug-in or local weights have changed since: the same configuration is run "
            f"{reproduction.code} here"
        )
    count = Counter(line.verdict for line in reproduction.lines)
    messages = ", ".join(f"{count[v]} {v}" for v in ("same", "rounding", "within", "differs", "missing") if count[v])
    message.append(f"{len(reproduction.lines)} numbers: {messages}.")
    if reproduction.identical and count["same"] < len(reproduction.lines):
        message.append(
            "The same versions, code, hardware and threads should have given the same numbers to the last bit."
        )
    return message


def _cells(line: Line) -> list[str]:
    allowed = "" if line.low is None else f"{line.low:.6g} to {line.high:.6g} ({line.by})"
    return [line.key, f"{line.stored:.8g}", f"{line.again:.8g}", f"{line.difference:+.3g}", allowed, line.verdict]
