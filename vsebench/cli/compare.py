"""``vsebench compare``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsebench.core.errors import DataError
from vsebench.core.sizes import in_words
from vsebench.core.terminal import say
from vsebench.data.dataset import Dataset
from vsebench.data.open import open_dataset
from vsebench.leaderboard.table import printable
from vsebench.results.compare import Comparison, Side, compare, read_sides
from vsebench.results.disagree import about, shown
from vsebench.results.original import find_dataset
from vsebench.runs.store import write_atomically


@dataclass(frozen=True)
class CompareOptions:
    """The command's arguments."""

    a: str
    b: str
    split: str
    show: int
    html: Path | None
    dataset: str | None
    runs: Path
    board: Path


def run_compare(options: CompareOptions) -> None:
    """Compare, print, and write the page where one is asked for.

    Raises: DataError.
    """
    a, b, missing = read_sides(options.a, options.b, options.runs, options.board, options.split)
    comparison = compare(a, b, options.split)
    for line in missing:
        say(f"note: {line}", error=True)
    dataset = None if a.predictions is None else _dataset(a, options.dataset)
    for line in lines(comparison, dataset, options.show):
        say(line)
    if options.html is not None:
        from vsebench.results.compare_page import page

        options.html.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(options.html, page(comparison, dataset, most=options.show))
        say(f"wrote {options.html}, {in_words(options.html.stat().st_size)}")


def _dataset(side: Side, said: str | None) -> Dataset:
    fingerprint = str(side.result.dataset["fingerprint"])
    if said is None:
        where = side.said["dataset"]
        return find_dataset(fingerprint, where["spec"], Path(where["path"]))
    dataset = open_dataset(said)
    if dataset.fingerprint != fingerprint:
        raise DataError(
            f"dataset '{said}' has fingerprint {dataset.fingerprint}; the runs were evaluated on {fingerprint}."
        )
    return dataset


def lines(comparison: Comparison, dataset: Dataset | None, show: int) -> list[str]:
    """Format a comparison: configuration, numbers, tests, and the first items on which the runs disagree."""
    said = [f"A: {printable(comparison.a.name)}", f"B: {printable(comparison.b.name)}", "", "Configuration:"]
    said += [
        f"  {printable(name)}: {_value(x)} | {_value(y)}" for name, (x, y) in comparison.config.items()
    ] or ["  the same"]  # fmt: skip
    said += ["", f"Numbers of {comparison.split} (A, B, A - B):"]
    for key, (x, y) in comparison.metrics.items():
        if "/chance/" not in f"/{key}":
            numbers = ["-" if value is None else f"{value:.6g}" for value in (x, y)]
            apart = "" if x is None or y is None else f"{x - y:+.4g}"
            said.append(f"  {printable(key)}: {numbers[0]}  {numbers[1]}  {apart}")
    said += ["", "Paired tests:"] if comparison.tests else []
    for test in comparison.tests:
        span = f" ({test.low:+.4f} to {test.high:+.4f})"
        said.append(
            f"  {test.key}: A - B {test.a - test.b:+.4f}{span}, only A right {test.only_a:,}, only B right "
            f"{test.only_b:,} of {test.count:,}, p = {test.p:.4g} ({test.test})"
        )
    said += [f"note: {printable(note)}" for note in comparison.notes]
    for apart_on in comparison.disagreements:
        if dataset is None:
            break  # there are none: items come from predictions
        said += ["", f"{about(apart_on, comparison)}:"]
        for one in shown(comparison, apart_on, dataset, show):
            truth = f"is {printable(one.truth)}; " if one.truth else ""
            says = f"{truth}A: {printable(one.said[0])}, B: {printable(one.said[1])}"
            said.append(f"  {printable(one.id)}: {says}; {printable(one.caption)}".rstrip("; "))
        if len(apart_on.items) > show:
            said.append(f"  and {len(apart_on.items) - show:,} more")
    return said


def _value(value: Any) -> str:
    return printable(str(value))
