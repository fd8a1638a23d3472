"""``vsebench reproduce``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vsebench.core.plugins import load_plugins
from vsebench.core.terminal import say
from vsebench.core.types import Result
from vsebench.leaderboard.table import printable, table
from vsebench.results.original import Original, dataset_of, find_original, precision_of
from vsebench.results.reproduce import Line, Reproduction, do_again, judge, plain, shown
from vsebench.runs.snapshot import load
from vsebench.runs.store import Store, write_atomically
from vsebench.sweeps.worker import choose_device, prepare

REPORT = "reproduction.json"


@dataclass(frozen=True)
class ReproduceOptions:
    """The command's arguments."""

    said: str
    seed: int | None
    runs: Path
    board: Path
    out: Path
    dataset: str | None
    tolerance: float | None
    threads: int | None
    device: str
    plugins: Sequence[Path]
    trust: bool
    cache: bool


def run_reproduce(options: ReproduceOptions) -> int:
    """Do a run again and compare. Returns: the exit code, 1 where a number differs by more than it may.

    Raises: VsebenchError.
    """
    load_plugins(options.plugins)
    original = find_original(options.said, options.runs, options.board, options.seed)
    run, result = original.run, original.result
    original.check_components(trust=options.trust)
    dataset = dataset_of(original, options.dataset)
    prepare(options.threads or int(result.hardware.get("threads", 1)))
    say(f"{printable(run.experiment)}, {printable(run.name)}, seed {run.seed} (run {run.run_id})")
    say(f"from {printable(str(original.source))}: {precision_of(original)}")
    store = Store(options.out, run.experiment)
    again = do_again(
        original, dataset, store, device=choose_device(options.device, 0), cache=options.cache, say=_say
    )  # fmt: skip
    found = judge(original, again, row=_row(original, options), tolerance=options.tolerance)
    for line in lines(found):
        say(line)
    file = store.run_folder(again.run_id) / REPORT
    write_atomically(file, json.dumps(plain(found), indent=1, ensure_ascii=False))
    say(f"wrote {file}")
    return int(not found.holds)


def _row(original: Original, options: ReproduceOptions) -> list[Result]:
    """Return the finished runs of the same row, from where the run was found."""
    if original.exact:
        everything = list(Store(original.source.parent.parent, original.run.experiment).results())
    else:
        everything = list(load(original.source).results.values())
    fingerprint = original.result.dataset["fingerprint"]
    return [
        r
        for r in everything
        if r.status == "finished" and r.system == original.result.system and r.dataset["fingerprint"] == fingerprint
    ]


def lines(found: Reproduction) -> list[str]:
    """Format a reproduction: a table of the numbers computed from scores, other differences, and the verdict."""
    judged = [line for line in found.lines if "/chance/" not in line.key or line.verdict != "same"]
    header = ["Number", "Stored", "Again", "Difference", "Allowed", "Verdict"]
    said = [line.replace("\\", "") for line in table(header, [_cells(line) for line in judged])]
    for name, (before, now) in found.circumstances.items():
        said.append(f"{printable(name)}: was {printable(shown(before))}, is {printable(shown(now))}")
    if found.code:
        said.append(
            f"code, metrics or local weights have changed since: the same configuration is run {found.code} here"
        )
    count = Counter(line.verdict for line in found.lines)
    told = ", ".join(f"{count[v]} {v}" for v in ("same", "rounding", "within", "differs", "missing") if count[v])
    said.append(f"{len(found.lines)} numbers: {told}.")
    if found.identical and count["same"] < len(found.lines):
        said.append("The same versions, code, hardware and threads should have given the same numbers to the last bit.")
    return said


def _cells(line: Line) -> list[str]:
    allowed = "" if line.allowed is None else f"{line.allowed:.3g} ({line.by})"
    return [line.key, f"{line.stored:.8g}", f"{line.again:.8g}", f"{line.difference:+.3g}", allowed, line.verdict]


def _say(text: str) -> None:
    say(f"  {text}")
