"""Answers as pictures: a contact sheet, and an HTML page that stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vsebench.core.files import write_atomically
from vsebench.data.pixels import jpeg
from vsebench.data.show import Cell, draw_sheet
from vsebench.inspect.standalone_page import document, escape, jpeg_uri
from vsebench.retrieval.searcher import Hit, Searcher

MOST_COLUMNS = 10
SIDE = 256

STYLE = """
h2 { display: flex; gap: .75rem; align-items: center; }
h2 img { width: 5rem; height: 5rem; object-fit: contain; border: 1px solid var(--line); border-radius: .4rem; }
.hits { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(11rem, 45%), 1fr)); gap: .8rem; }
.hits { padding: 0; margin: 0; list-style: none; }
figure { height: 100%; }
figcaption b { color: var(--accent); } figcaption p { margin: .2rem 0; }
""".strip()


@dataclass(frozen=True)
class Answer:
    """What a gallery answered.

    Args:
        query: the text, or the name of the picture.
        hits: the best first.
        picture: that was asked with; None for a text.
    """

    query: str
    hits: Sequence[Hit]
    picture: bytes | None = None


def sheet(searcher: Searcher, answers: Sequence[Answer], path: Path) -> None:
    """Draw each query and its hits in rows of a contact sheet, as PNG.

    Raises: DataError when the pictures are no longer where they were.
    """
    most = max((len(answer.hits) for answer in answers), default=0)
    columns = min(MOST_COLUMNS, 1 + most)
    cells: list[Cell | None] = []
    for answer in answers:
        cells.append((answer.picture, "query", answer.query))
        for hit in answer.hits:
            picture = searcher.pictures.data(searcher.gallery.items[hit.row])
            cells.append((picture, f"{hit.rank}   {hit.score:.3f}", hit.caption or hit.id))
        cells += [None] * (-len(cells) % columns)
    draw_sheet(cells, path, columns=columns)


def page(searcher: Searcher, answers: Sequence[Answer], path: Path) -> None:
    """Write one HTML file with the pictures in it. Captions and names are escaped.

    Raises: DataError when the pictures are no longer where they were.
    """
    run = searcher.gallery.manifest.run
    about = f"{len(searcher):,} {searcher.gallery.manifest.modality}s · {run['experiment']}, {run['row']}"
    parts = [f'<h1>Search results</h1>\n<p class="about">{escape(about)}</p>']
    for answer in answers:
        picture = (
            ""
            if answer.picture is None
            else f'<img src="{jpeg_uri(jpeg(answer.picture, SIDE))}" alt="the picture asked with">'
        )
        parts.append(f'<section>\n<h2>{picture}<span>{escape(answer.query)}</span></h2>\n<ol class="hits">')
        parts += [_figure(searcher, hit) for hit in answer.hits]
        parts.append("</ol>\n</section>")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, document("vsebench search", parts, style=STYLE))


def _figure(searcher: Searcher, hit: Hit) -> str:
    data = searcher.pictures.thumbnail(searcher.gallery.items[hit.row], SIDE)
    picture = "" if data is None else f'<img src="{jpeg_uri(data)}" alt="{escape(hit.caption or hit.id)}">'
    caption = f"<p>{escape(hit.caption)}</p>" if hit.caption else ""
    message = f"<b>{hit.rank}</b> · {hit.score:.3f}{caption}<small>{escape(hit.id)}</small>"
    return f"<li><figure>{picture}<figcaption>{message}</figcaption></figure></li>"
