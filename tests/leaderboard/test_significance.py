"""What a page says of intervals, groups and baselines."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from board_texts import page
from commands import vsebench
from outcome_boards import made_up, write_predictions

from vsebench.leaderboard.render import render, stale
from vsebench.runs.item_scores import items_file
from vsebench.runs.item_scores import save as save_item_scores
from vsebench.runs.snapshot import results_file, save
from vsebench.stats.rank_groups import Comparisons

ROWS = {"both": 0.9, "a|b <i>x</i>": 0.88, "picture": 0.5, "words": 0.3}
USES = {"picture": "image", "words": "text"}


def tables(text: str) -> list[list[dict[str, str]]]:
    """The page's tables, a row as head -> cell."""
    results = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *body = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()]
        results.append([dict(zip(head, cells, strict=True)) for cells in body])
    return results


def test_the_page_shows_intervals_and_groups() -> None:
    board, item_scores = made_up(ROWS, uses=USES)
    text = page(board, item_scores)
    made = Comparisons(board, item_scores)
    heads = ("95 %", "Rank by R@k", "Baseline")
    systems, further, alone, order = (table for table in tables(text) if any(head in table[0] for head in heads))
    for (name, ranked_row), shown in zip(made["systems", "accuracy"].ranked_rows.items(), systems, strict=True):
        low, high = 100 * ranked_row.interval.low, 100 * ranked_row.interval.high
        assert shown["95 %"] == f"[{low:.1f}, {high:.1f}]"
        assert shown["Rank"] == str(ranked_row.group)
        assert "±" in shown["Test accuracy %"], name
    assert [row["Rank"] for row in systems] == ["1", "1", "2", "3"]
    best = made["systems", "recall"].ranked_rows["both"]
    cell = f"{100 * best.value:.1f} [{100 * best.interval.low:.1f}, {100 * best.interval.high:.1f}]"
    assert further[0]["Mean R@1/5/10, 95 % over items"] == cell
    for part in (
        "percentile bootstrap, 10,000 resamples of the 60 clusters of test items (views of one thing stay together)",
        "corrected for the rows of a table and for the choice of the first on validation",
        f"Differences below {100 * (made['systems', 'accuracy'].resolvable or 0):.1f} points are not resolvable here.",
        "Group 1: both, best on validation",
    ):
        assert part in text
    assert "a\\|b \\<i\\>" in text
    assert "<i>" not in text.replace("\\<i\\>", "")
    assert [row["Baseline"] for row in alone] == ["Most frequent class", "Random answer", "Image only", "Text only"]
    assert [row["Test accuracy"] for row in alone][:2] == ["30.0", "25.0"]
    assert alone[2]["95 % over items"] == systems[2]["95 %"]
    assert order[0]["i→t R@1"] == "0.4"
    assert order[0]["t→i R@10"] == "8.3"


def test_without_outcomes_the_page_says_so_once() -> None:
    board, item_scores = made_up(ROWS, uses=USES)
    text = page(board)
    assert text.count("are not available") == 1
    assert "`vsebench outcomes demo`" in text
    assert "95 % over items" not in text.split("<b>Baselines</b>")[0]
    gone = set(list(board.results)[:3])
    right = {run: v for run, v in item_scores.right["accuracy"].items() if run not in gone}
    text = page(board, replace(item_scores, right={"accuracy": right}))
    assert "for 1 rows, whose per-item results are missing here: both." in text
    assert {row["System"]: row["Rank"] for row in tables(text)[0]}["both"] == "–"


def test_a_board_of_whole_lists_says_why_there_is_nothing() -> None:
    board, item_scores = made_up({"one": 0.5})
    results = {run: replace(r, metrics={"val/accuracy": 0.5, "test/i2t/map": 0.4}) for run, r in board.results.items()}
    text = page(replace(board, results=results), item_scores)
    assert "no per-item results are stored for these metrics" in text


def test_baselines_that_are_missing_are_named() -> None:
    board, item_scores = made_up({"both": 0.9, "words": 0.3}, uses={"words": "text"}, ranked=False)
    text = page(board, item_scores)
    assert "No row uses image only (`text_encoder: none`); such a row would show what the other modality adds." in text
    (baselines,) = [table for table in tables(text) if "Baseline" in table[0]]
    assert [row["Baseline"] for row in baselines] == ["Most frequent class", "Random answer", "Text only"]


def test_one_seed_and_a_row_that_is_better_than_the_leader() -> None:
    board, item_scores = made_up({"chosen": 0.4, "better": 0.9}, seeds=1, ranked=False)
    results = dict(board.results)
    run = board.rows[1].runs["0"]
    results[run] = replace(results[run], metrics={**results[run].metrics, "val/accuracy": 0.1})
    text = page(replace(board, results=results), item_scores)
    assert "Significantly better on test, though not on validation: better." in text
    assert "Rows of one seed are compared as trained models" in text
    assert [row["Rank"] for row in tables(text)[0]] == ["1", "1"]


def test_pages_follow_from_the_committed_files(tmp_path: Path) -> None:
    board, item_scores = made_up(ROWS, uses=USES)
    save(board, results_file(tmp_path, "demo"))
    render(tmp_path)
    assert stale(tmp_path) == []
    save_item_scores(item_scores, items_file(tmp_path, "demo"))
    assert {p.name for p in stale(tmp_path)} == {"demo.md", "demo-rows.svg", "demo-thumbnail.svg"}
    render(tmp_path)
    assert stale(tmp_path) == []
    assert "Group 1: both" in (tmp_path / "demo.md").read_text(encoding="utf-8")
    save_item_scores(replace(item_scores, fingerprint="0" * 16), items_file(tmp_path, "demo"))
    render(tmp_path)
    page = (tmp_path / "demo.md").read_text(encoding="utf-8")
    assert "`items/demo.npz` cannot be used (outcomes are of dataset 0000" in page
    assert "Group 1: both" not in page


def test_the_command_collects_and_renders(tmp_path: Path) -> None:
    board, item_scores = made_up(ROWS, uses=USES)
    save(board, results_file(tmp_path / "board", "demo"))
    write_predictions(replace(board, results=dict(list(board.results.items())[:9])), item_scores, tmp_path / "runs")
    message = ["outcomes", "demo", "--runs", str(tmp_path / "runs"), "--board", str(tmp_path / "board")]
    done = vsebench(*message)
    assert done.returncode == 0, done.stderr
    assert "demo.npz: 9 of 12 runs" in done.stdout
    assert f"without predictions in {tmp_path / 'runs' / 'demo'}: {', '.join(list(board.results)[9:])}" in done.stdout
    assert "Rank" in (tmp_path / "board" / "demo.md").read_text(encoding="utf-8")
    done = vsebench("outcomes", "dem", *message[2:])
    assert done.returncode == 2
    assert "no results of 'dem'. Did you mean 'demo'?" in done.stderr
