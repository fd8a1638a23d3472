"""Build, show and check datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vsebench.cli.component_options import parse_options
from vsebench.cli.options import PASSES_ON, PLAIN, Stored, complete_dataset
from vsebench.core.errors import ConfigError, DataError, did_you_mean, known_names
from vsebench.core.home import datasets_home
from vsebench.core.registry import DATASETS
from vsebench.core.sizes import in_bytes
from vsebench.core.terminal import on_one_line, say

if TYPE_CHECKING:
    from vsebench.data.dataset import Dataset

app = typer.Typer(help=__doc__, no_args_is_help=True, **PLAIN)
HUB = "hub:"


@app.command(context_settings=PASSES_ON)
def build(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the dataset; a builder of that name is used if there is one.", autocompletion=complete_dataset
        ),
    ],
    source: Annotated[Path | None, typer.Option("--from", help="Folder of the source files.")] = None,
    builder: Annotated[str | None, typer.Option(help="The builder; 'folder' by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; by default in vsebench's own folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a dataset of that name.")] = False,
) -> None:
    """Build a dataset. Further options are the builder's: 'vsebench components dataset folder' lists them.

    Example: vsebench data build photos --from photos --text-column caption
    """
    from vsebench.data.dataset import Dataset

    name, source, kind = _builder_of(name, source, builder)
    component = DATASETS.get(kind)
    options = parse_options(component, context)
    if "source" in component.options and (source is not None or not component.facts["embedded"]):
        if source is None:
            raise ConfigError(f"'{kind}' needs --from: the folder of the source files.")
        options["source"] = str(source)
    elif source is not None:
        raise ConfigError(f"'{kind}' is generated and takes no --from.")
    if "name" in component.options:
        options.setdefault("name", name)
    target = out or datasets_home() / f"{name}.h5"
    if target.exists() and not force:
        raise DataError(f"{target} exists already; give --force to replace it, or --out for another file.")
    options = component.validate(options)
    bar = _Bar(name)
    try:
        component.build(options, out=target, progress=bar.update)
    finally:
        bar.close()
    dataset = Dataset.open(target)
    sizes = ", ".join(f"{k} {len(v):,}" for k, v in dataset.splits.items())
    say(f"{target}: {len(dataset):,} items ({sizes}), {dataset.num_classes} classes, fingerprint {dataset.fingerprint}")
    if dataset.provenance.get("split_rule"):
        say(f"splits: {dataset.provenance['split_rule']}")
    for note in _notes(dataset):
        say(f"note: {note}")


def _builder_of(name: str, source: Path | None, builder: str | None) -> tuple[str, Path | None, str]:
    """Return the dataset's name, its source and the builder that is meant.

    ``hub:ORG/NAME`` is the hub builder. A builder of the dataset's name is used where the source has its layout;
    a folder with a metadata file is a folder.
    """
    if name.startswith(HUB):
        repository = name.removeprefix(HUB)
        return repository.replace("/", "--"), source or Path(repository), builder or "hub"
    if builder is not None:
        return name, source, builder
    if name in DATASETS:
        markers = DATASETS.get(name).facts["marker"]
        if source is None or not markers or any((source / marker).exists() for marker in markers):
            return name, source, name
        if any((source / f"metadata.{suffix}").is_file() for suffix in ("csv", "jsonl")):
            say(f"{source} has none of {', '.join(markers)}: read as a folder with a metadata file.")
            return name, source, "folder"
        return name, source, name
    return name, source, "folder"


@app.command()
def show(
    name: Stored,
    sheet: Annotated[Path | None, typer.Option(help="PNG of examples; NAME.png by default.")] = None,
    split: Annotated[str, typer.Option(help="Split of the examples.")] = "train",
    seed: Annotated[int, typer.Option(help="Which examples.")] = 0,
) -> None:
    """Print counts, splits, labels and text lengths, and draw a contact sheet of examples.

    Example: vsebench data show mmfrb --sheet examples.png
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from vsebench.data.open import open_dataset
    from vsebench.data.show import contact_sheet, summary

    dataset = open_dataset(name, say=say)
    if split not in dataset.splits:
        raise DataError(f"no split '{split}'." + did_you_mean(split, dataset.splits) + known_names(dataset.splits))
    facts = summary(dataset)
    console = Console()
    console.print(Text(on_one_line(f"{facts['title']}  (fingerprint {facts['fingerprint']})")))
    for key, value in facts["facts"].items():
        console.print(Text("  " + on_one_line(f"{key}: {value}")))
    table = Table(title="labels", title_justify="left")
    table.add_column("label")
    for column in dataset.splits:
        table.add_column(column, justify="right")
    for label, counts in facts["labels"].items():
        table.add_row(Text(on_one_line(label)), *(f"{counts[s]:,}" for s in dataset.splits))
    console.print(table)
    target = sheet or Path(f"{dataset.name}.png")
    contact_sheet(dataset, target, split=split, seed=seed)
    say(f"wrote {target}")


@app.command()
def check(name: Stored) -> int:
    """Verify a dataset: fingerprint, images, sounds, texts, splits. It exits with 1 where something is wrong.

    A file of an earlier version is sealed where it is what was built.

    Example: vsebench data check mmfrb
    """
    from vsebench.data.check import CHANGED, seal_again
    from vsebench.data.check import check as problems_of
    from vsebench.data.open import open_dataset

    dataset = open_dataset(name, say=say, sealed=False)
    problems = problems_of(dataset)
    for problem in problems:
        say(problem)
    if not dataset.is_sealed and CHANGED not in problems:
        seal_again(dataset)
        say(f"{dataset.path}: had no seal, is what its fingerprint says, and is sealed now")
    say(f"{dataset.path}: {'sound' if not problems else f'{len(problems)} problems'}")
    return 1 if problems else 0


@app.command()
def export(
    name: Stored,
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    form: Annotated[str, typer.Option("--format", help="parquet or arrow.")] = "parquet",
    shard_size: Annotated[str, typer.Option(help="A Parquet file is closed when it is larger.")] = "500MB",
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
) -> None:
    """Write a dataset as Parquet or Arrow, for 'datasets.load_dataset' or 'load_from_disk'.

    Example: vsebench data export mmfrb --out mmfrb-parquet
    """
    from vsebench.data.export import export as write
    from vsebench.data.open import open_dataset

    forms = ("parquet", "arrow")
    if form not in forms:
        raise ConfigError(f"unknown format '{form}'." + did_you_mean(form, forms) + known_names(forms))
    dataset = open_dataset(name, say=say)
    bar = _Bar(dataset.name, "exporting")
    try:
        write(dataset, out, form=form, shard_bytes=in_bytes(shard_size), force=force, progress=bar.update)  # type: ignore[arg-type]
    finally:
        bar.close()
    call = f"load_dataset('{out}')" if form == "parquet" else f"load_from_disk('{out}')"
    say(f"wrote {out}: {len(dataset):,} items; read it with datasets.{call}")


@app.command()
def vectors(
    file: Annotated[Path, typer.Argument(help="GloVe, word2vec or FastText: .txt, .vec, .gz, .bin.")],
    name: Annotated[
        str, typer.Option("--for", help="Name or .h5 file of the dataset.", autocompletion=complete_dataset)
    ],
    min_count: Annotated[int, typer.Option(min=1, help="Leave rarer words out.")] = 1,
) -> None:
    """Read word vectors for a dataset's training words, keep them for its runs, and print the coverage.

    Example: vsebench data vectors glove.6B.300d.txt --for mmfrb
    """
    import time

    import numpy as np

    from vsebench.data.open import open_dataset
    from vsebench.data.vocabulary import Vocabulary
    from vsebench.ops.word_vectors import load_vectors

    dataset = open_dataset(name, say=say)
    texts = [text for texts in dataset.all_texts("train") for text in texts]
    vocabulary = Vocabulary.build(texts).restrict(min_count)
    if not vocabulary.words:
        raise DataError(f"the training split of '{name}' has no words.")
    begin = time.perf_counter()
    result = load_vectors(file, vocabulary.words)
    taken = time.perf_counter() - begin
    known = result.has_vector | result.subword
    counts = np.array(vocabulary.counts)
    say(f"{file}: {result.values.shape[1]} numbers a word, read in {taken:.2f} s and kept for the next time")
    listed, parts, none = result.has_vector.sum(), result.subword.sum(), (~known).sum()
    say(f"{len(known):,} training words of '{name}': {listed:,} listed, {parts:,} from subwords, {none:,} random")
    share, mass = result.coverage, counts[known].sum() / counts.sum()
    say(f"coverage: {100 * share:.1f} % of the words, {100 * mass:.1f} % of the text")
    missing = sorted((int(counts[i]), vocabulary.words[i]) for i in np.flatnonzero(~known))[::-1]
    if missing:
        say("most frequent words without a vector: " + ", ".join(f"{w} ({n})" for n, w in missing[:10]))


@app.command("list")
def list_() -> None:
    """List the datasets that can be opened, and the builders.

    Example: vsebench data list
    """
    from vsebench.data.open import available

    say("datasets: " + ", ".join(available()))
    say("builders: " + ", ".join(DATASETS.names()))


def _notes(dataset: Dataset) -> list[str]:
    notes = list(dataset.provenance.get("notes", []))
    skipped = dataset.provenance.get("skipped_rows", 0)
    return [*notes, f"{skipped} bad rows were left out"] if skipped else notes


class _Bar:
    """Progress on a terminal; a line every five seconds elsewhere."""

    def __init__(self, name: str, verb: str = "building") -> None:
        from rich.console import Console

        self.console = Console(stderr=True)
        self.name, self.verb = name, verb
        self.live: Any = None
        self.printed_at = 0.0

    def update(self, done: int, total: int | None) -> None:
        import time

        if self.console.is_terminal:
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            if self.live is None:
                name = TextColumn("{task.description}", markup=False)
                columns = (name, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
                self.live = Progress(*columns, console=self.console)
                self.task = self.live.add_task(on_one_line(f"{self.verb} {self.name}"), total=total)
                self.live.start()
            self.live.update(self.task, completed=done, total=total)
        elif time.monotonic() - self.printed_at > 5:
            self.printed_at = time.monotonic()
            say(f"{self.verb} {self.name}: {done}/{total or '?'}", error=True)

    def close(self) -> None:
        if self.live is not None:
            self.live.stop()
