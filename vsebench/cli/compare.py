"""``vsebench compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vsebench.cli.options import BoardFolder, DatasetOfRun, Run, RunsFolder, complete_run
from vsebench.core.errors import DataError
from vsebench.core.sizes import in_words
from vsebench.core.terminal import say
from vsebench.leaderboard.table import printable

if TYPE_CHECKING:
    from vsebench.data.dataset import Dataset
    from vsebench.results.compare import Comparison, Side


def compare(
    run_a: Run,
    run_b: Annotated[str, typer.Argument(help="Another one on the same data.", autocompletion=complete_run)],
    split: Annotated[str, typer.Option(help="That both were evaluated on: test or val.")] = "test",
    show: Annotated[int, typer.Option(min=0, help="Items that are shown of each disagreement.")] = 10,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures of the items.")] = None,
    dataset: DatasetOfRun = None,
    runs: RunsFolder = Path("runs"),
    board: BoardFolder = Path("leaderboard"),
) -> None:
    """Compare two runs: what differs in their configuration, their numbers, paired tests, and where they disagree.

    Example: vsebench compare mmfrb/VSE mmfrb/CIM
    """
    from vsebench.core.files import write_atomically
    from vsebench.results.compare import compare as comparison_of
    from vsebench.results.compare import read_sides
    from vsebench.results.paired_rows import compare_rows

    pairs = compare_rows(run_a, run_b, board) if split == "test" else []
    verdicts = [printable(rows.verdict) for rows in pairs]
    for verdict in verdicts:
        say(verdict)
    a, b, missing = read_sides(run_a, run_b, runs, board, split)
    comparison = comparison_of(a, b, split)
    for line in missing:
        say(f"note: {line}", error=True)
    data = None if a.predictions is None else _dataset(a, dataset)
    for line in lines(comparison, data, show):
        say(line)
    if html is not None:
        from vsebench.results.compare_page import page

        html.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(html, page(comparison, data, most=show, verdicts=verdicts))
        say(f"wrote {html}, {in_words(html.stat().st_size)}")


def _dataset(side: Side, reference: str | None) -> Dataset:
    from vsebench.data.open import open_dataset
    from vsebench.results.original import require_dataset

    fingerprint = str(side.result.dataset["fingerprint"])
    if reference is None:
        where = side.config["dataset"]
        return require_dataset(fingerprint, where["spec"], Path(where["path"]))
    dataset = open_dataset(reference)
    if dataset.fingerprint != fingerprint:
        raise DataError(
            f"dataset '{reference}' has fingerprint {dataset.fingerprint}; the runs were evaluated on {fingerprint}."
        )
    return dataset


def lines(comparison: Comparison, dataset: Dataset | None, show: int) -> list[str]:
    """Format a comparison: configuration, numbers, tests, and the first items on which the runs disagree."""
    from vsebench.results.disagree import about, shown

    message = [f"A: {printable(comparison.a.name)}", f"B: {printable(comparison.b.name)}", "", "Configuration:"]
    message += [
        f"  {printable(name)}: {_value(x)} | {_value(y)}" for name, (x, y) in comparison.config.items()
    ] or ["  the same"]  # fmt: skip
    message += ["", f"Numbers of {comparison.split} (A, B, A - B):"]
    for key, (x, y) in comparison.metrics.items():
        if "/chance/" not in f"/{key}":
            numbers = ["-" if value is None else f"{value:.6g}" for value in (x, y)]
            apart = "" if x is None or y is None else f"{x - y:+.4g}"
            message.append(f"  {printable(key)}: {numbers[0]}  {numbers[1]}  {apart}")
    message += ["", "Paired tests:"] if comparison.tests else []
    for test in comparison.tests:
        span = f" ({test.low:+.4f} to {test.high:+.4f})"
        message.append(
            f"  {test.key}: A - B {test.a - test.b:+.4f}{span}, only A right {test.only_a:,}, only B right "
            f"{test.only_b:,} of {test.count:,}, p = {test.p:.4g} ({test.test})"
        )
    message += [f"note: {printable(note)}" for note in comparison.notes]
    for apart_on in comparison.disagreements:
        if dataset is None:
            break  # there are none: items come from predictions
        message += ["", f"{about(apart_on, comparison)}:"]
        for one in shown(comparison, apart_on, dataset, show):
            truth = f"is {printable(one.truth)}; " if one.truth else ""
            says = f"{truth}A: {printable(one.outputs[0])}, B: {printable(one.outputs[1])}"
            message.append(f"  {printable(one.id)}: {says}; {printable(one.caption)}".rstrip("; "))
        if len(apart_on.items) > show:
            message.append(f"  and {len(apart_on.items) - show:,} more")
    return message


def _value(value: Any) -> str:
    return printable(str(value))
