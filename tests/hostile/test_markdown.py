"""Hostile texts on boards in Markdown: rendered, they are text, in the cell where they belong, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from board_texts import blocks_text, page
from hostile_strings import CONTROL, STRINGS, Read, assert_harmless, board, file_name, read_html
from markdown_it import MarkdownIt

from vsebench.leaderboard.folder_index import folder_page
from vsebench.leaderboard.pivot import pivot_blocks
from vsebench.leaderboard.table import code, comment, escape, link, printable, prose, table
from vsebench.runs.snapshot import INDEX_FORM, BoardRow, Snapshot
from vsebench.stats.rows import views

ELEMENTS = {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "strong", "code", "a", "img",
            "details", "summary", "b", "br"}  # fmt: skip
PARTS = re.compile(r"\\.|\|")


def rendered(text: str) -> Read:
    """What a reader makes of it that allows HTML, as GitHub's does."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return read_html(reader.render(text))


def assert_plain(text: str, *, comments: int = 1) -> Read:
    """A page of which nothing but its own marks has an effect."""
    assert not CONTROL.search(text.replace("\n", ""))
    message = re.sub(r"`[^`\n]*`|\]\([^)\n]*\)| src=\"[^\"\n]*\"|<!--.*-->", "", text)
    assert not re.search(r"(?<!\\)://|www\.", message), "outside of code, GitHub makes links of addresses"
    read = rendered(text)
    assert read.names <= ELEMENTS, read.names - ELEMENTS
    assert len(read.comments) == comments
    assert_harmless(read)
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        counts = {sum(part == "|" for part in PARTS.findall(line)) for line in block.splitlines()}
        assert len(counts) == 1, block[:2_000]
    return read


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)
def test_boards(text: str) -> None:
    shown = board(text)
    text_of = page(shown)
    read = assert_plain(text_of)
    files = [value for _, attributes in read.elements for value in (attributes.get("href"),) if value]
    assert len(files) == 3
    assert {file.rsplit(".", 1)[1] for file in files} == {"csv", "md"}
    titles = re.findall("<summary><b>(.*?)</b>", text_of)
    assert {"Contribution of each part", "Gain over one modality", "Baselines", "Failed", "Protocol"} <= set(titles)
    name = printable(text)
    name = name if len(name) <= 1_000 else name[:999] + "…"
    assert name.strip() in " ".join("".join(read.text).split()), "it is shown, as text"
    assert max(map(len, text_of.splitlines())) < 30_000


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)
def test_boards_of_indexes_and_the_list_of_boards(text: str) -> None:
    shown = indexes(text)
    assert_plain(page(shown))
    read = assert_plain(blocks_text(folder_page([shown, board(text)])), comments=0)
    assert sum(name == "a" for name, _ in read.elements) == 2


def indexes(text: str) -> Snapshot:
    """A comparison of indexes that says the text everywhere."""
    base = board(text)
    result = next(iter(base.results.values()))
    metrics = {"recall@10": 0.9, "qps@10": 10.0, "qps@10:single": 5.0, "bytes_per_vector": 8.0, "code_bytes": 4.0}
    measured = replace(result, metrics=metrics, config={"index": {"name": text, "options": {text: text}}})
    return replace(
        base,
        form=INDEX_FORM,
        rows=[BoardRow(text, "indexes", {}, {"0": result.run_id})],
        results={result.run_id: measured},
        select={"metric": "recall@10", "mode": "max"},
        dataset={**base.dataset, "dim": 4, "splits": {"gallery": 10, "queries": 5, text: 1}},
    )


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)
def test_axes_across(text: str) -> None:
    shown = board(text)
    requested = {"by": text, "metrics": [f"test/{text}"]}
    assert_plain(blocks_text(pivot_blocks(requested, views(shown, "sweep"))), comments=0)


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)
def test_parts_of_a_page(text: str) -> None:
    for message in (escape(text), prose(text), f"x {code(text)} y"):
        read = assert_plain(message, comments=0)
        assert read.names <= {"p", "code"} or text.startswith(("#", "-"))
    cell = "\n".join(table(["a", "b"], [[escape(text), code(text)]]))
    read = assert_plain(cell, comments=0)
    assert [name for name, _ in read.elements].count("td") == 2
    read = rendered(link(text, file_name(text)))
    assert [name for name, _ in read.elements] == ["p", "a"]
    assert_harmless(read)
    read = rendered(comment(text) + "\n")
    assert (read.elements, len(read.comments)) == ([], 1)


def test_a_bar_that_a_stroke_cannot_hold_in_code() -> None:
    """GitHub reads two strokes before a bar as one stroke, and the bar ends the cell."""
    assert code("a|b") == "`a\\|b`"
    assert code("a\\|b") == escape("a\\|b")
    assert "``" not in code("")
