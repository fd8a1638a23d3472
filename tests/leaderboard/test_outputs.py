"""What every output owes to every metric, and what ``--check`` owes to every file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from board_texts import page
from html_boards import board as html_board
from hypothesis import given
from hypothesis import strategies as st

from vsebench.core.display import shown
from vsebench.core.registry import METRICS
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.details import Details
from vsebench.leaderboard.metric_columns import row_table
from vsebench.leaderboard.page import code, link, spans, strong, unmarked
from vsebench.leaderboard.pages import board_page
from vsebench.leaderboard.render import board_of, render, stale, table_csv
from vsebench.leaderboard.renderers import html, text
from vsebench.leaderboard.renderers.markdown import inline
from vsebench.results.board import load_board as loaded
from vsebench.results.wandb_board import rows_table
from vsebench.runs.snapshot import Snapshot, load_board, results_file, save

ROOT = Path(__file__).parents[2]


def key_of(name: str) -> str:
    """A key that a metric gives, of classification or of one direction."""
    facts = METRICS.get(name).facts
    bare = f"test/{name}" if set(facts["needs"]) <= {"logits", "answers"} else f"test/i2t/{name}"
    return bare + ("@7" if any("{k}" in form for form in facts["forms"]) else "")


def with_number(key: str) -> tuple[Snapshot, Snapshot]:
    """A board without and with a number of a metric."""
    plain = html_board(2, 1)
    results = {
        run: replace(result, metrics={**result.metrics, key: 0.8642 + 0.01 * at})
        for at, (run, result) in enumerate(plain.results.items())
    }
    return plain, replace(plain, results=results)


OUTPUTS: dict[str, Callable[[Snapshot], object]] = {
    "markdown": page,
    "html": lambda s: html.page(BoardData(s)),
    "csv": table_csv,
    "table": lambda s: text.table_csv(row_table(BoardData(s), "systems")),
    "wandb": rows_table,
}


@pytest.mark.parametrize("name", [*METRICS.names(), "of_a_plug_in"])
def test_a_metric_that_is_asked_for_is_shown_everywhere(name: str) -> None:
    key = key_of(name) if name in METRICS else f"test/{name}"
    plain, more = with_number(key)
    for what, output in OUTPUTS.items():
        assert output(plain) != output(more), what
    number = shown(key)
    for output in (page(more), html.page(BoardData(more))):
        assert number.plain(0.8642) in output, "in its unit and with its digits"


def test_what_leads_a_table_is_in_its_terminal_and_latex_forms() -> None:
    snapshot, table = html_board(2, 1), row_table(BoardData(html_board(2, 1)), "systems")
    assert board_page(BoardData(snapshot)).tables()
    first = [replace(line, leading=at == 0) for at, line in enumerate(table.lines)]
    lines = text.terminal(replace(table, lines=first)).splitlines()
    assert lines[0].split()[:2] == ["System", "Test"]
    assert [line[0] for line in lines] == [" ", "*", " "]
    latex = text.latex(replace(table, lines=first))
    assert latex.count(r"\textbf{") == 2, "its name and its number"
    assert r"Test accuracy \%" in latex


KINDS = {"fashion_hashing": "lookup topn rows factors", "emoji": "cost-time cost-operations robustness",
         "indexes": "speed size"}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three boards that have every kind of file, as they are committed."""
    folder = tmp_path_factory.mktemp("boards")
    for name in KINDS:
        save(load_board(ROOT / "leaderboard", name), results_file(folder, name))
    render(folder)
    return folder


FILES = ["README.md", "emoji.md", "emoji.csv", "indexes.csv"]
FILES += [f"plots/{name}-{kind}.svg" for name, kinds in KINDS.items() for kind in kinds.split()]


@pytest.mark.parametrize("name", FILES)
def test_an_edited_file_of_every_kind_is_stale(written: Path, name: str) -> None:
    file = written / name
    before = file.read_text(encoding="utf-8")
    changed = before.replace("</svg>", "<g/></svg>") if name.endswith(".svg") else before.replace("1", "2", 1)
    assert changed != before
    file.write_text(changed, encoding="utf-8")
    experiment = [] if name == "README.md" else [name.removeprefix("plots/").split("-")[0].split(".")[0]]
    try:
        assert stale(written, experiment) == [file]
    finally:
        file.write_text(before, encoding="utf-8")


@given(st.text(max_size=20), st.text(max_size=20))
def test_marked_text_is_what_was_marked(a: str, b: str) -> None:
    for mark in (code, strong, lambda one: link(one, "x.md")):
        parts = list(spans(f"see {mark(a)} and {mark(b)}."))
        assert [kind for kind, _, _ in parts].count("text") == 3
        assert not any(c < " " for _, part, _ in parts for c in part)
    assert unmarked(strong("x") + " y") == "x y"
    assert inline(f"{strong('a_b')} < {code('<c>')}") == "**a_b** < `<c>`"


def test_a_number_of_validation_alone_is_said() -> None:
    """Rows are sorted by a number that no run has of test: the page shows that of validation, not a dash."""
    plain = html_board(3, 2)
    results = {
        run: replace(result, metrics={"val/nll": 0.5 + 0.1 * at, "test/i2t/recall@1": 0.3})
        for at, (run, result) in enumerate(plain.results.items())
    }
    text = page(replace(plain, results=results, select={"metric": "val/nll", "mode": "min"}))
    (sentence,) = [line for line in text.splitlines() if "At a glance" in line]
    assert "Best on validation is **Row 0**: val NLL 0.550 ± " in sentence
    assert "Val NLL" in text.split("At a glance")[1].split("| --")[0]


@pytest.mark.parametrize("name", ["av_digits", "fashion_retrieval", "indexes_fashion"])
def test_a_number_has_one_name_in_html_csv_and_data_frame(name: str) -> None:
    """Of the tables of rows; 95 % of all numbers that stand in them, folded columns too."""
    board = board_of(load_board(ROOT / "leaderboard", name), ROOT / "leaderboard")
    frame = set(loaded(name, ROOT / "leaderboard").to_dataframe().columns)
    every, reached = 0, 0
    for table in board_page(board).tables():
        head = text.table_csv(table).splitlines()[0].split(",")
        (data,) = html._board(name, [table], Details(shared=[{}]))["tables"]
        for at, column in enumerate(table.columns):
            number = sum(bool(re.search(r"\d", line.cells[at].text)) for line in table.lines)
            key, ends = data["heads"][at][4], data["heads"][at][6]
            assert [*filter(None, [key]), *([f"{ends}.low", f"{ends}.high"] if ends else [])] == column.names
            every += number if column.group != "name" else 0
            if column.names and column.group != "name" and {*column.names} <= frame & {*head}:
                reached += number
    assert every > 20
    assert reached >= 0.95 * every
