"""``vsebench search``."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vsebench.cli.options import Device, Gallery, Plugins, Trust
from vsebench.core.errors import QueryError
from vsebench.core.plugins import load_plugins
from vsebench.core.terminal import on_one_line, say

if TYPE_CHECKING:
    from vsebench.retrieval.report import Answer
    from vsebench.retrieval.searcher import Hit

#: What a terminal may obey or turn around, and JSON leaves as it is; it can say the same in ASCII.
_UNSEEN = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def search(
    gallery: Gallery,
    text: Annotated[list[str] | None, typer.Option("--text", help="What to look for; may be repeated.")] = None,
    image: Annotated[list[Path] | None, typer.Option("--image", help="A picture; may be repeated.")] = None,
    text_file: Annotated[Path | None, typer.Option(help="A text a line.")] = None,
    k: Annotated[int, typer.Option("-k", help="Number of hits.")] = 10,
    rerank: Annotated[
        int | None, typer.Option(min=1, help="Rank so many of the first again by the system's scorer of pairs.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page of the hits with their pictures.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet, as PNG.")] = None,
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
) -> None:
    """Find a gallery's items by text or picture.

    Example: vsebench search galleries/vse --text "red striped shirt" -k 5
    """
    from vsebench.data.query import checked_k, checked_text
    from vsebench.retrieval import report
    from vsebench.retrieval.searcher import Searcher
    from vsebench.sweeps.worker import choose_device

    checked_k(k)
    texts = [checked_text(query) for query in [*(text or ()), *_lines(text_file)]]
    if not texts and not image:
        raise QueryError("nothing is asked: give --text, --image or --text-file.")
    load_plugins(plugin or ())
    searcher = Searcher.load(gallery, device=choose_device(device, 0), trust=trust)
    answers = []
    if rerank is not None:
        searcher.refuse_rerank(rerank)
        hits = [searcher.search(text=query, k=k, rerank=rerank) for query in texts]
    else:
        hits = searcher.nearest(searcher.embed_texts(texts), k) if texts else []
    answers += [report.Answer(query, some) for query, some in zip(texts, hits, strict=True)]
    for file in image or ():
        answers.append(report.Answer(str(file), searcher.search(image=file, k=k, rerank=rerank), file.read_bytes()))
    if as_json:
        sys.stdout.write(json_of(answers) + "\n")
    else:
        _print(answers)
    for query in texts:
        for note in searcher.notes(query):
            say(f"note: {on_one_line(query)}: {note}" if len(texts) > 1 else f"note: {note}", error=True)
    if sheet is not None:
        report.sheet(searcher, answers, sheet)
        say(f"wrote {sheet}", error=True)
    if html is not None:
        report.page(searcher, answers, html)
        say(f"wrote {html}", error=True)


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


def json_of(answers: Sequence[Answer]) -> str:
    """Answers as JSON that a terminal shows as it is."""
    message = json.dumps([_plain(answer) for answer in answers], ensure_ascii=False, indent=1)
    return _UNSEEN.sub(lambda result: f"\\u{ord(result[0]):04x}", message)


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
