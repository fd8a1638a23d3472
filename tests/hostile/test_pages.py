"""Hostile texts on HTML pages: a reader finds the page's own elements and attributes, and the texts as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hostile_strings import CONTROL, STRINGS, Read, assert_harmless, board, read_html

from vsebench.inspect import examples_page as gallery_page
from vsebench.inspect import explain_page
from vsebench.inspect.examples import Classified, Examples, Found, Query, Thing
from vsebench.inspect.explain import Explanation
from vsebench.inspect.panels import Panel
from vsebench.inspect.words import Piece
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.renderers import html
from vsebench.results import compare_page
from vsebench.results.compare import Comparison, Disagreement
from vsebench.retrieval import report
from vsebench.retrieval.searcher import Hit
from vsebench.retrieval.server import app

PLAIN = "a plain text"
every = pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)


def shape(read: Read) -> list[tuple[str, tuple[str, ...]]]:
    """Elements with the names of their attributes."""
    return [(name, tuple(attributes)) for name, attributes in read.elements]


def assert_only_text_differs(make: Any, text: str) -> None:
    """A page has the elements that it has of a plain text, and shows this one as it is."""
    read, plain = read_html(make(text)), read_html(make(PLAIN))
    assert shape(read) == shape(plain)
    assert read.comments == plain.comments
    assert_harmless(read)
    listing = "".join(read.text)
    assert not CONTROL.search(listing)
    values = [value or "" for _, attributes in read.elements for value in attributes.values()]
    assert not any(CONTROL.search(value) for value in values)
    shown = CONTROL.sub("", text).replace("\uffff", "").replace("\r", "")
    assert shown.strip() in listing.replace("\r", "")


def gallery(text: str) -> str:
    thing = Thing(text, 0, text)
    query = Query(thing, 1.0, [Found(thing, 1, 0.5, True), Found(thing, 2, 0.4, False)])
    item = Classified(thing, [(text, 0.5)], [(text, 0.5)])
    made = Examples(
        text,
        {"accuracy": 0.5, "i2t/recall@1": 0.5},
        {"i2t": (1, 1), "t2i": (1, 1)},
        {way: {"best": [query], "worst": [query], "random": [query]} for way in ("i2t", "t2i")},
        {"best": [item], "worst": [item], "random": [item]},
        [text],
    )
    return gallery_page.page(made, dataset(text))


def explanation(text: str) -> str:
    pieces = [Piece(text), Piece(text, special=True), Piece(text, unknown=True)]
    panel = Panel(text, "text", pieces[:1], np.array([[0.2, 0.3, 0.5]]), 1 / 3)
    return explain_page.page(Explanation(text, text, text, 1, 2, None, pieces, None, 0, None, [panel], [text]))


def answers(text: str, folder: Path) -> str:
    manifest = SimpleNamespace(run={"experiment": text, "row": text}, modality="image")
    searcher: Any = SimpleNamespace(
        gallery=SimpleNamespace(manifest=manifest, items=[None]),
        pictures=SimpleNamespace(thumbnail=lambda item, side: b"x"),
    )
    searcher = type("Searcher", (), {**vars(searcher), "__len__": lambda self: 1})()
    report.page(searcher, [report.Answer(text, [Hit(1, text, 0.5, text, 0)])], folder / "x.html")
    return (folder / "x.html").read_text(encoding="utf-8")


def comparison(text: str) -> str:
    predictions = SimpleNamespace(positions=np.zeros(1, np.int64), labels=np.zeros(1, np.int64))
    result = SimpleNamespace(dataset={"title": text})
    side: Any = SimpleNamespace(name=text, predictions=predictions, result=result)
    both = (text, f"{text} too")
    apart = Disagreement("accuracy", "a", np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros((1, 2)))
    made = Comparison(side, side, text, {text: both}, {text: (0.5, 0.4)}, [], [apart], [text])
    return compare_page.page(made, dataset(text), most=1)


def dataset(text: str) -> Any:
    return SimpleNamespace(
        title=text, name=text, label_names=(text,), ids=(text,), labels=np.zeros(1, np.int64), multi_label=False,
        texts=lambda position: [text], image_bytes=lambda position: None,
    )  # fmt: skip


@every
def test_galleries(text: str) -> None:
    assert_only_text_differs(gallery, text)


@every
def test_explanations(text: str) -> None:
    assert_only_text_differs(explanation, text)


@every
def test_answers(text: str, tmp_path: Path) -> None:
    assert_only_text_differs(lambda message: answers(message, tmp_path), text)


@every
def test_comparisons(text: str) -> None:
    assert_only_text_differs(comparison, text)


def strings(value: Any) -> Iterator[str]:
    """All texts in JSON, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value:
            yield from strings(one)
        for one in value.values() if isinstance(value, dict) else ():
            yield from strings(one)


@every
def test_boards(text: str) -> None:
    written = html.page(BoardData(board(text)))
    written.encode("utf-8")
    read, plain = read_html(written), read_html(html.page(BoardData(board(PLAIN))))
    assert read.names == plain.names
    scripts = [attributes.get("type") for name, attributes in read.elements if name == "script"]
    assert scripts == [attributes.get("type") for name, attributes in plain.elements if name == "script"]
    assert not read.comments
    assert_harmless(read)
    assert not CONTROL.search("".join(read.text))
    for part in written.split('<script type="application/json"')[1:]:
        data = json.loads(part.split(">", 1)[1].split("</script>", 1)[0])
        assert not any(CONTROL.search(one) for one in strings(data))


def test_the_search_page_makes_no_html_of_what_it_is_told() -> None:
    page = Path(app.__file__).with_name("page.html").read_text(encoding="utf-8")
    assert not any(way in page for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("))
