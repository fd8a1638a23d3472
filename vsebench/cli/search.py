"""``vsebench search``."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vsebench.core.errors import QueryError
from vsebench.core.plugins import load_plugins
from vsebench.core.terminal import on_one_line, say
from vsebench.retrieval.query import checked_k, checked_text
from vsebench.retrieval.report import Answer, page, sheet
from vsebench.retrieval.searcher import Hit, Searcher
from vsebench.sweeps.worker import choose_device

#: What a terminal may obey or turn around, and JSON leaves as it is; it can say the same in ASCII.
_UNSEEN = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class SearchOptions:
    """The command's arguments."""

    gallery: Path
    texts: Sequence[str]
    images: Sequence[Path]
    text_file: Path | None
    k: int
    as_json: bool
    html: Path | None
    sheet: Path | None
    device: str
    rerank: int | None = None
    plugins: Sequence[Path] = ()
    trust: bool = False


def run_search(options: SearchOptions) -> None:
    """Ask the gallery, print what it answers, and write the pages that are wanted.

    Raises: QueryError, DataError.
    """
    checked_k(options.k)
    texts = [checked_text(text) for text in [*options.texts, *_lines(options.text_file)]]
    if not texts and not options.images:
        raise QueryError("nothing is asked: give --text, --image or --text-file.")
    load_plugins(options.plugins)
    searcher = Searcher.load(options.gallery, device=choose_device(options.device, 0), trust=options.trust)
    answers = []
    if options.rerank is not None:
        searcher.refuse_rerank(options.rerank)
        found = [searcher.search(text=text, k=options.k, rerank=options.rerank) for text in texts]
        answers += [Answer(text, hits) for text, hits in zip(texts, found, strict=True)]
    elif texts:
        found = searcher.nearest(searcher.embed_texts(texts), options.k)
        answers += [Answer(text, hits) for text, hits in zip(texts, found, strict=True)]
    for file in options.images:
        hits = searcher.search(image=file, k=options.k, rerank=options.rerank)
        answers.append(Answer(str(file), hits, file.read_bytes()))
    if options.as_json:
        sys.stdout.write(as_json(answers) + "\n")
    else:
        _print(answers)
    for text in texts:
        unknown = searcher.unknown_words(text)
        if unknown:
            say(f"note: words that the run has never read: {', '.join(unknown)}", error=True)
    if options.sheet is not None:
        sheet(searcher, answers, options.sheet)
        say(f"wrote {options.sheet}", error=True)
    if options.html is not None:
        page(searcher, answers, options.html)
        say(f"wrote {options.html}", error=True)


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        lines = [line for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError as error:
        raise QueryError(f"--text-file '{file}' cannot be read ({error.strerror}).") from None
    if not lines:
        raise QueryError(f"--text-file '{file}' has no text; one query a line.")
    return lines


def as_json(answers: Sequence[Answer]) -> str:
    """Answers as JSON that a terminal shows as it is."""
    said = json.dumps([_plain(answer) for answer in answers], ensure_ascii=False, indent=1)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", said)


def _plain(answer: Answer) -> dict[str, object]:
    key = "text" if answer.picture is None else "image"
    hits = [{k: v for k, v in asdict(hit).items() if k != "row"} for hit in answer.hits]
    return {"query": {key: answer.query}, "hits": hits}


def _print(answers: Sequence[Answer]) -> None:
    """Print a table on a terminal; elsewhere a line for each hit, its fields separated by tabs."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for answer in answers:
        if not console.is_terminal:
            say(f"# {on_one_line(answer.query)}")
            for hit in answer.hits:
                say("\t".join(_columns(hit)))
            continue
        table = Table(title=Text(on_one_line(answer.query)), title_justify="left", box=None, pad_edge=False)
        table.add_column("", justify="right", style="dim")
        table.add_column("score", justify="right")
        table.add_column("id", overflow="fold")
        table.add_column("caption")
        for hit in answer.hits:
            table.add_row(*map(Text, _columns(hit)))
        console.print(table)


def _columns(hit: Hit) -> list[str]:
    return [str(hit.rank), f"{hit.score:.4f}", on_one_line(hit.id), on_one_line(hit.caption)]
