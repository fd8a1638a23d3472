"""What the committed board of the main experiment can tell: its controls fail, and its rows stand apart."""

from __future__ import annotations

from pathlib import Path
from statistics import mean

import pytest

from vsebench.leaderboard.factors import change, grids_of
from vsebench.leaderboard.facts import is_placebo
from vsebench.runs.snapshot import Snapshot, load_board
from vsebench.stats.rows import SECTIONS, RowView, views

BOARDS = Path(__file__).parents[2] / "leaderboard"
KEY = "test/accuracy"


@pytest.fixture(scope="module")
def board() -> Snapshot:
    result = load_board(BOARDS, "mmfrb")
    if len(result.results) < 100:
        pytest.skip("the board in this checkout is of a part of the experiment")
    return result


@pytest.fixture(scope="module")
def rows(board: Snapshot) -> dict[str, RowView]:
    return {view.row.name: view for section in SECTIONS for view in views(board, section)}


def score(row: RowView, key: str = KEY) -> float:
    return mean(result.metrics[key] for result in row.results)


def test_controls_fail_and_readers_read(rows: dict[str, RowView]) -> None:
    best = max(score(row) for row in rows.values())
    assert score(rows["product (late)"]) < best - 0.25, "scenes need more than two classifiers multiplied"
    assert score(rows["placebo"]) < score(rows["Baseline"]) + 0.01, "another item's text tells nothing"
    readers = [f"{image} · {text} · scaled_dot · mean" for image in ("CNN", "ViT") for text in ("LSTM", "BERT")]
    assert min(score(rows[name]) for name in readers) > score(rows["bag of words, scaled dot"]) + 0.1


def test_rows_of_one_modality_reach_their_ceilings(board: Snapshot, rows: dict[str, RowView]) -> None:
    ceilings = board.dataset["ceilings"]
    for name in ("Baseline", "ViT only"):
        assert score(rows[name]) == pytest.approx(ceilings["image alone"], abs=0.03)
    for name in ("LSTM only", "BERT only", "word vectors only"):
        assert score(rows[name]) == pytest.approx(ceilings["text alone"], abs=0.03)


def test_every_row_of_two_modalities_retrieves(rows: dict[str, RowView]) -> None:
    several = [row for row in rows.values() if len(row.modalities.split("+")) > 1 and not is_placebo(row)]
    assert len(several) > 40
    for row in several:
        for way in ("i2t", "t2i"):
            chance = score(row, f"test/{way}/chance/recall@10")
            assert score(row, f"test/{way}/recall@10") >= 10 * chance, row.row.name


def test_effects_of_parts_are_known_to_three_points(board: Snapshot) -> None:
    grids = grids_of(board, KEY)
    assert [len(grid.axes) for grid in grids] == [3, 4]
    for grid in grids:
        for axis, levels in enumerate(grid.levels):
            for new in range(1, len(levels)):
                effect = change(grid, axis, 0, new)
                assert effect is not None
                assert effect.half is not None
                assert effect.half <= 0.03, (grid.axes[axis], levels[new])
