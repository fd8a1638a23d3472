"""A run's best, worst and random queries as one HTML page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from vsebench.core.errors import DataError
from vsebench.data.dataset import Dataset
from vsebench.data.pixels import jpeg
from vsebench.inspect.examples import Classified, Examples, Found, Query, Thing
from vsebench.inspect.standalone_page import document, escape, jpeg_uri

SIDE = 160
_DIRECTIONS = {"i2t": ("Image to text", "captions"), "t2i": ("Text to image", "images")}
_KINDS = {"best": "Best", "worst": "Worst", "random": "Random"}
_CLASS_METRICS = ("accuracy", "top5_accuracy", "balanced_accuracy", "average_precision", "f1", "vqa_accuracy")

STYLE = """
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .75rem 0 0; }
a { color: var(--accent); }
h3 { font-size: 1rem; margin: 1.5rem 0 .6rem; }
.query { display: grid; grid-template-columns: 11rem 1fr; gap: 1rem; padding: .9rem 0; }
.query { border-top: 1px solid var(--line); }
.asked p { margin: .4rem 0; overflow-wrap: anywhere; } .asked .words { font-size: 1.05rem; }
.asked img { width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--mat); border-radius: .5rem; }
.asked img { border: 1px solid var(--line); display: block; }
.results { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .7rem; }
.results { padding: 0; margin: 0; list-style: none; }
.results figure { height: 100%; }
figcaption p { margin: .15rem 0; }
.right figure { border: 3px solid var(--good); }
.right b { color: var(--good); }
@media (max-width: 40rem) { .query { grid-template-columns: 1fr; } .asked img { width: 9rem; } }
""".strip()


def page(gallery: Examples, dataset: Dataset) -> str:
    """One HTML page, with the pictures in it. Captions and names are escaped.

    Raises: DataError for a picture that cannot be decoded.
    """
    picture = pictures_of(dataset)
    classes_first = bool(gallery.items) and (gallery.classifies or not gallery.queries)
    title = "What the model predicts" if classes_first else "What the model finds"
    parts = [f'<h1>{title}</h1>\n<p class="about">{escape(gallery.about)}</p>']
    parts += [f'<p class="about">{escape(note)}</p>' for note in gallery.notes]
    sections: list[tuple[str, str, list[str]]] = []
    for direction, kinds in gallery.queries.items():
        heading, what = _DIRECTIONS[direction]
        requested, against = gallery.sizes[direction]
        message = f"{requested:,} queries among {against:,} {what}. {_numbers(gallery, f'{direction}/')}"
        body = [f'<p class="about">{escape(message)}</p>']
        for kind, queries in kinds.items():
            body.append(f'<h3 id="{direction}-{kind}">{_KINDS[kind]} {len(queries)}</h3>')
            body += [_query(query, direction, against, picture) for query in queries]
        sections.append((direction, heading, body))
    if gallery.items:
        message = _numbers(gallery, "")
        body = [f'<p class="about">{escape(message)}</p>'] if message else []
        for kind, items in gallery.items.items():
            body.append(f'<h3 id="classes-{kind}">{_KINDS[kind]} {len(items)}</h3>\n<ul class="results">')
            body += [_item(item, picture) for item in items]
            body.append("</ul>")
        sections.insert(0 if classes_first else len(sections), ("classes", "Classes", body))
    links = " ".join(f'<a href="#{name}-{kind}">{head}: {kind}</a>' for name, head, _ in sections for kind in _KINDS)
    parts.append(f'<nav aria-label="Sections">{links}</nav>')
    parts += ["\n".join([f"<section>\n<h2>{head}</h2>", *body, "</section>"]) for _, head, body in sections]
    return document(f"{gallery.about}: {title[:1].lower()}{title[1:]}", parts, style=STYLE)


def _numbers(gallery: Examples, prefix: str) -> str:
    """Format a split's metrics in one line, of a direction or of the classifier, without chance levels."""
    chosen = {
        name.removeprefix(prefix): value
        for name, value in gallery.metrics.items()
        if (name.startswith(prefix) and "/chance/" not in name if prefix else name in _CLASS_METRICS)
    }
    return " · ".join(f"{name} {value:.3g}" for name, value in chosen.items())


def _query(query: Query, direction: str, against: int, picture: Callable[[int], str]) -> str:
    thing = query.thing
    image = _image(thing, picture) if direction == "i2t" else ""
    words = f'<p class="words">{escape(thing.text)}</p>' if direction == "t2i" else ""
    tied = "" if query.rank.is_integer() else ", expected among equal scores"
    shown = f"{query.rank:.4g}" if query.rank < 1000 else f"{query.rank:,.0f}"
    rank = f"<p>first right one at rank <b>{shown}</b> of {against:,}{tied}</p>"
    about = f'<p class="about"><small>{escape(thing.id)}</small></p>'
    results = "\n".join(_result(hit, picture) for hit in query.results)
    return (
        f'<article class="query"><div class="asked">{image}{words}{rank}{about}</div>\n'
        f'<ol class="results">\n{results}\n</ol></article>'
    )


def _result(hit: Found, picture: Callable[[int], str]) -> str:
    kind, marks = (' class="right"', " ✓ right") if hit.right else ("", "")
    return (
        f'<li{kind} value="{hit.rank}"><figure>{_image(hit.thing, picture)}<figcaption><b>{hit.rank}</b>'
        f"{marks} · {hit.score:.3f}<p>{escape(hit.thing.text)}</p><small>{escape(hit.thing.id)}</small>"
        "</figcaption></figure></li>"
    )


def _item(item: Classified, picture: Callable[[int], str]) -> str:
    kind, marks = (' class="right"', "<b>✓ right</b>") if item.right else ("", "<b>✗ wrong</b>")
    return (
        f"<li{kind}><figure>{_image(item.thing, picture)}<figcaption>{marks}"
        f"<p>is {escape(_classes(item.true))}</p><p>predicted {escape(_classes(item.predicted))}</p>"
        f"<p>{escape(item.thing.text)}</p><small>{escape(item.thing.id)}</small></figcaption></figure></li>"
    )


def _classes(some: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} ({share:.3f})" for name, share in some) or "nothing"


def _image(thing: Thing, picture: Callable[[int], str]) -> str:
    uri = picture(thing.position)
    return f'<img src="{uri}" alt="picture of {escape(thing.id)}" loading="lazy">' if uri else ""


def pictures_of(dataset: Dataset) -> Callable[[int], str]:
    """Return an item's picture inside the page, by its position; empty where it has none."""

    @cache
    def picture(position: int) -> str:
        data = dataset.image_bytes(position)
        if data is None:
            return ""
        try:
            return jpeg_uri(jpeg(data, SIDE))
        except OSError as error:
            raise DataError(f"the picture of '{dataset.ids[position]}': {error}") from None

    return picture
