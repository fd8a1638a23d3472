"""``vsebench data …``."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vsebench.cli.components import type_name
from vsebench.core.component import Component
from vsebench.core.errors import ConfigError, DataError, did_you_mean, known_names
from vsebench.core.home import datasets_home
from vsebench.core.registry import DATASETS
from vsebench.core.sizes import in_bytes
from vsebench.core.terminal import on_one_line, say
from vsebench.data.check import CHANGED, seal_again
from vsebench.data.check import check as problems_of
from vsebench.data.dataset import Dataset
from vsebench.data.open import available, open_dataset

HUB = "hub:"


def build(
    name: str, source: Path | None, builder: str | None, out: Path | None, force: bool, arguments: Sequence[str]
) -> None:
    """Build a dataset with its own builder, or as a folder of images.

    Raises: ConfigError for options that the builder does not have; DataError from the builder.
    """
    name, source, kind = _builder_of(name, source, builder)
    component = DATASETS.get(kind)
    options = parse_options(component, arguments)
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


def parse_options(component: Component, arguments: Sequence[str]) -> dict[str, Any]:
    """``--text-column title --skip-bad`` as the component's options, by its signature.

    Raises: ConfigError for an unknown option, a missing or wrong value.
    """
    options: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        said = rest.pop(0)
        key, equals, value = said.removeprefix("--").partition("=")
        name = key.replace("-", "_")
        if not said.startswith("--") or name not in component.options or name == "source":
            known = [f"--{o.replace('_', '-')}" for o in component.options if o not in ("source", "name")]
            raise ConfigError(
                f"{component.kind} '{component.name}' has no option '{said}'."
                + did_you_mean(said, known)
                + known_names(known)
            )
        kinds = _types(component.options[name])
        if kinds == {bool}:
            options[name] = True if not equals else value.lower() in ("true", "yes", "1")
            continue
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise ConfigError(f"option '--{key}' needs a value: {type_name(component.options[name].annotation)}.")
            value = rest.pop(0)
        try:
            options[name] = int(value) if int in kinds else float(value) if float in kinds else value
        except ValueError:
            wanted = type_name(component.options[name].annotation)
            raise ConfigError(f"option '--{key}' must be {wanted}. Got '{value}'.") from None
    return options


def _types(parameter: inspect.Parameter) -> set[type]:
    def flat(annotation: Any) -> set[type]:
        if typing.get_origin(annotation) is typing.Annotated:
            return flat(typing.get_args(annotation)[0])
        arguments = [a for a in typing.get_args(annotation) if a is not type(None)]
        if arguments and typing.get_origin(annotation) is not typing.Literal:
            return set().union(*(flat(a) for a in arguments))
        return {annotation} if isinstance(annotation, type) else {str}

    return flat(parameter.annotation)


def show(name: str, sheet: Path | None, split: str, seed: int) -> None:
    """Print the summary and draw the contact sheet.

    Raises: DataError for an unknown dataset or split.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from vsebench.data.show import contact_sheet, summary

    dataset = open_dataset(name, say=say)
    if split not in dataset.splits:
        raise DataError(f"no split '{split}'." + did_you_mean(split, dataset.splits) + known_names(dataset.splits))
    said = summary(dataset)
    console = Console()
    console.print(Text(on_one_line(f"{said['title']}  (fingerprint {said['fingerprint']})")))
    for key, value in said["facts"].items():
        console.print(Text("  " + on_one_line(f"{key}: {value}")))
    table = Table(title="labels", title_justify="left")
    table.add_column("label")
    for column in dataset.splits:
        table.add_column(column, justify="right")
    for label, counts in said["labels"].items():
        table.add_row(Text(on_one_line(label)), *(f"{counts[s]:,}" for s in dataset.splits))
    console.print(table)
    target = sheet or Path(f"{dataset.name}.png")
    contact_sheet(dataset, target, split=split, seed=seed)
    say(f"wrote {target}")


def check(name: str) -> int:
    """Print every problem; 1 when there are some. A file of an earlier version is sealed where it is what was built."""
    dataset = open_dataset(name, say=say, sealed=False)
    problems = problems_of(dataset)
    for problem in problems:
        say(problem)
    if not dataset.is_sealed and CHANGED not in problems:
        seal_again(dataset)
        say(f"{dataset.path}: had no seal, is what its fingerprint says, and is sealed now")
    say(f"{dataset.path}: {'sound' if not problems else f'{len(problems)} problems'}")
    return 1 if problems else 0


def export(name: str, out: Path, form: str, shard_size: str, force: bool) -> None:
    """Write a dataset as Parquet or Arrow.

    Raises: ConfigError for an unknown format or size; DataError when the folder exists.
    """
    from vsebench.data.export import export as write

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


def vectors(file: Path, name: str, min_count: int) -> None:
    """Read word vectors for a dataset's training words, keep them, and print how many words they cover.

    Raises: DataError for an unreadable file or an unknown dataset.
    """
    import time

    from vsebench.data.vocabulary import Vocabulary
    from vsebench.ops.word_vectors import load_vectors

    dataset = open_dataset(name, say=say)
    texts = [text for texts in dataset.all_texts("train") for text in texts]
    vocabulary = Vocabulary.build(texts).restrict(min_count)
    if not vocabulary.words:
        raise DataError(f"the training split of '{name}' has no words.")
    begin = time.perf_counter()
    found = load_vectors(file, vocabulary.words)
    taken = time.perf_counter() - begin
    known = found.found | found.subword
    counts = np.array(vocabulary.counts)
    say(f"{file}: {found.values.shape[1]} numbers a word, read in {taken:.2f} s and kept for the next time")
    listed, parts, none = found.found.sum(), found.subword.sum(), (~known).sum()
    say(f"{len(known):,} training words of '{name}': {listed:,} listed, {parts:,} from subwords, {none:,} random")
    share, mass = found.coverage, counts[known].sum() / counts.sum()
    say(f"coverage: {100 * share:.1f} % of the words, {100 * mass:.1f} % of the text")
    missing = sorted((int(counts[i]), vocabulary.words[i]) for i in np.flatnonzero(~known))[::-1]
    if missing:
        say("most frequent words without a vector: " + ", ".join(f"{w} ({n})" for n, w in missing[:10]))


def list_all() -> None:
    """Print names of datasets and builders."""
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
        self.said = 0.0

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
        elif time.monotonic() - self.said > 5:
            self.said = time.monotonic()
            say(f"{self.verb} {self.name}: {done}/{total or '?'}", error=True)

    def close(self) -> None:
        if self.live is not None:
            self.live.stop()
