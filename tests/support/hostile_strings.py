"""Texts that break pages, tables, terminals, drawings and spreadsheets, a board full of one, and readers that tell."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import html_boards

from vsebench.core.types import Result
from vsebench.runs.snapshot import BoardRow, Snapshot

STRINGS: dict[str, str] = {
    "script": "<script>alert(1)</script>",
    "attribute": "\"><img src=x onerror=alert(1)> ' onmouseover='alert(2)",
    "comment": "--> <b>out</b> <!-- ]]> </style></script></title>",
    "template": "{{ 7*7 }} {% raw %} ${7*7} &lt;b&gt; &#60;",
    "bar": "a|b \\| c \\\\| d |",
    "backticks": "`a` ``b` ```\n```",
    "link": "[x](javascript:alert(1)) [y][z] <javascript:alert(1)>",
    "picture": "![x](http://a.example/b.png)",
    "address": "see http://a.example/b and www.a.example, or a@a.example",
    "marks": "# 1 **bold** _x_ ~~y~~ \\ > z --- ===",
    "ansi": "\x1b[31mred\x1b]0;title\x07 \x9b31m \x08\x7f",
    "bidi": "abc\u202edcba\u2066x\u2069 \u200b\ufeff",
    "formula": "$\\frac{1}{$ _x^2 $\\alpha",
    "spreadsheet": "=cmd()",
    "spreadsheet tab": "\t@SUM(A1)",
    "rich": "[bold]x[/bold] [link=http://a.example]y[/link] :smile: \\[z]",
    "rich end": "[/]",
    "lines": "one\ntwo\r\nthree\rfour\u2028five\x0bsix",
    "null": "a\x00b\uffff\ud800c",
    "long": "x" * 10_000,
    "long words": "word | " * 1_500,
}
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_VOID = {"meta", "link", "img", "br", "hr", "input"}


def file_name(text: str) -> str:
    """The text as a name that a file can have."""
    return re.sub(r"[/\\\x00\ud800-\udfff]", "-", text)[:60]


def board(text: str) -> Snapshot:
    """A board that says the text wherever somebody else may have written something."""
    sizes = {"train": 80, "val": 10, "test": 60, text: 3}
    dataset = html_boards.data(
        text, splits=sizes, split_rule=text, num_classes=3, ceilings={text: 0.9}, fingerprint=text
    )
    base = html_boards.board(6, 2, dataset=dataset, title=text, command=text)
    results = {run: _result(result, text, dataset) for run, result in base.results.items()}
    first, second, third, alone, fourth, fifth = base.rows
    failed = dict.fromkeys(fourth.runs.values(), "failed")
    results |= {run: replace(results[run], status=status, error=text, metrics={}) for run, status in failed.items()}
    rows = [
        replace(first, name=text),
        second,
        replace(alone, name=f"alone {text}"),
        BoardRow(f"point {text}", "sweep", {"fusion": text, text: text}, third.runs),
        BoardRow(f"other {text}", "sweep", {"fusion": f"other {text}", text: text}, fifth.runs),
        replace(fourth, name=f"failed {text}"),
    ]
    reference = {"title": text, "source": text, "note": text, "columns": [text], "rows": {text: [text]}}
    facts = {"description": text, "protocol": [text], "reference": reference}
    return replace(base, rows=rows, results=results, board=facts, experiment=file_name(text) or "x")


def _result(result: Result, text: str, dataset: dict[str, Any]) -> Result:
    name = f"{text}{result.run_id[-6:-4]}{result.system[-1]}"
    config = {
        **result.config,
        "fusion": {"name": text if result.seed else "concat", "options": {text: text}},
        "text_encoder": None if result.system.endswith("3") else {"name": name, "options": {"note": text}},
    }
    return replace(
        result,
        dataset=dataset,
        config=config,
        system=text,
        notes=(text,),
        commit=text,
        finished_at=text,
        ranking={"by": f"{text} {result.system[-1]}", "ms_per_query": 0.5},
        versions={"vsebench": text, "torch": text},
        hardware={"device": text, "threads": text},
        metrics={**result.metrics, f"test/{text}": 0.5},
    )


@dataclass
class Read:
    """What a reader finds in a page.

    Args:
        elements: names and attributes, in order.
        text: what is shown, without scripts and styles.
        comments: in the source.
    """

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """Kinds of elements."""
        return {name for name, _ in self.elements}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.read = Read()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.read.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.read.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.read.comments.append(data)


def read_html(text: str) -> Read:
    """Read a page as a browser would."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.read


def assert_harmless(read: Read) -> None:
    """No handler of events, no address that runs or loads something."""
    for name, attributes in read.elements:
        assert name not in {"iframe", "object", "embed", "form", "base", "b-", "svg"}, name
        for key, value in attributes.items():
            assert not key.startswith("on"), (name, key, value)
            if key in ("href", "src", "action", "srcset"):
                assert re.match(r"(data:(image/[a-z+]+;base64)?,|#|[\w%.~-]+(/[\w%.~-]+)*$)", value or ""), (key, value)


def assert_drawing(svg: str) -> str:
    """Parse a drawing: XML, of shapes and text alone. Returns what its texts say."""
    root = ElementTree.fromstring(svg)
    for node in root.iter():
        name = node.tag.rsplit("}", 1)[-1]
        assert name not in {"script", "foreignObject", "a", "image", "iframe", "b"}, name
        assert not any(key.rsplit("}", 1)[-1].startswith("on") for key in node.attrib), node.attrib
    listing = "".join(root.itertext())
    assert not CONTROL.search(listing)
    return listing
