"""A board notices when it says nothing: each case is fed, beside one where nothing is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import grid_boards
import numpy as np
import pytest
from outcome_boards import DATA, ITEMS, made_up

from vsebench.leaderboard.facts import (
    encoders_at_majority,
    failing_levels,
    headroom,
    not_better_than_unimodal,
    placebos_better_than_unimodal,
    retrieval_at_chance,
)
from vsebench.runs.item_scores import ItemScores
from vsebench.runs.snapshot import BoardRow, Snapshot
from vsebench.stats.rank_groups import Comparisons

CNN, VIT, LSTM = {"name": "cnn"}, {"name": "vit"}, {"name": "lstm"}
#: Row -> image encoder, text encoder, accuracy. The ViT has not learned: what it reaches with text is the text's.
ROWS: Mapping[str, tuple[Any, Any, float]] = {
    "cnn + lstm": (CNN, LSTM, 0.9),
    "vit + lstm": (VIT, LSTM, 0.5),
    "cnn": (CNN, None, 0.6),
    "vit": (VIT, None, 0.32),
    "lstm": (None, LSTM, 0.52),
}


def board(rows: Mapping[str, tuple[Any, Any, float]] = ROWS, **dataset: Any) -> tuple[Snapshot, ItemScores]:
    """Rows of three seeds with outcomes of every item, right by share; the two of ``vit`` and text alike."""
    shares = {name: share for name, (_, _, share) in rows.items()}
    snapshot, item_scores = made_up(shares, ranked=False)
    results = {
        run: replace(result, config={"image_encoder": rows[result.system][0], "text_encoder": rows[result.system][1]})
        for run, result in snapshot.results.items()
    }
    return replace(snapshot, results=results, dataset={**DATA, **dataset}), item_scores


def test_rows_that_are_not_better_than_their_own_best_unimodal_row() -> None:
    snapshot, item_scores = board()
    for items in (item_scores, None):
        result = not_better_than_unimodal(snapshot, items)
        assert [gain.row.row.name for gain in result] == ["vit + lstm"]
        assert result[0].best is not None
        assert result[0].best.row.row.name == "lstm"


def test_an_encoder_that_alone_is_no_better_than_the_majority() -> None:
    snapshot, item_scores = board()
    for compared in (Comparisons(snapshot, item_scores), {}):
        assert [(slot, row.row.name) for slot, row in encoders_at_majority(snapshot, compared)] == [
            ("image_encoder", "vit")
        ]
    assert encoders_at_majority(replace(snapshot, dataset={**DATA, "majority": {"test": 0.1}}), {}) == []


def test_a_factor_level_that_fails() -> None:
    """The ViT's two rows are no better than their text alone; one of the CNN's is."""
    accuracies = {("cnn", "a"): 0.9, ("cnn", "b"): 0.5, ("vit", "a"): 0.5, ("vit", "b"): 0.5}
    axes = {"image_encoder": ("cnn", "vit"), "fusion": ("a", "b")}
    grid = grid_boards.grid_board(axes, 3, lambda p, seed: accuracies[p["image_encoder"], p["fusion"]] + 0.001 * seed)
    results = {
        run: replace(result, config={"image_encoder": {"name": result.system.split(" · ")[0]}, "text_encoder": LSTM})
        for run, result in grid.results.items()
    }
    alone = grid_boards.result("text-0", "lstm", 0, {"val/accuracy": 0.52, "test/accuracy": 0.52})
    runs = {
        f"text-{seed}": replace(alone, run_id=f"text-{seed}", seed=seed, config={"text_encoder": LSTM})
        for seed in range(3)
    }
    row = BoardRow("lstm", "systems", {}, {str(seed): f"text-{seed}" for seed in range(3)})
    snapshot = replace(grid, results={**results, **runs}, rows=[*grid.rows, row])
    assert failing_levels(snapshot, {}) == {"image_encoder": ["vit"], "fusion": ["b"]}
    at_majority = replace(grid, dataset={**grid.dataset, "majority": {"test": 0.6}})  # without any row of one modality
    assert failing_levels(at_majority, {}) == {"image_encoder": ["vit"], "fusion": ["b"]}
    assert failing_levels(grid, {}) == {}
    # Of another grid: its rows have no level of fusion, not one more.
    points = [{"image_encoder": encoder, "head": head} for encoder in ("cnn", "vit") for head in ("c", "d")]
    other = grid_boards.board_of(points, 1, lambda p, seed: 0.9 if p["image_encoder"] == "cnn" else 0.5)
    runs = {f"other-{key}": replace(r, run_id=f"other-{key}") for key, r in other.results.items()}
    more = [replace(row, runs={seed: f"other-{run}" for seed, run in row.runs.items()}) for row in other.rows]
    two = replace(at_majority, results={**at_majority.results, **runs}, rows=[*at_majority.rows, *more])
    assert failing_levels(two, {}) == {"image_encoder": ["vit"], "fusion": ["b"]}


def test_headroom_below_what_can_be_resolved() -> None:
    snapshot, item_scores = board()
    compared = Comparisons(snapshot, item_scores)
    wide = headroom(snapshot, compared)
    assert wide is not None
    assert (wide.top, wide.control, wide.too_small) == ("cnn + lstm", "cnn", False)
    at_ceiling = headroom(
        replace(snapshot, dataset={**DATA, "ceilings": {"image": 0.6, "both": 0.93}}), compared, "cnn + lstm"
    )
    assert at_ceiling is not None
    assert at_ceiling.top == "both"
    best = np.mean([r.metrics["test/accuracy"] for r in snapshot.results.values() if r.system == "cnn + lstm"])
    assert at_ceiling.value == pytest.approx(0.93 - best)
    assert at_ceiling.too_small
    with pytest.raises(ValueError, match="there is no row 'product'"):
        headroom(snapshot, compared, "product")
    assert headroom(snapshot, {}) is None


def test_retrieval_at_chance() -> None:
    snapshot, item_scores = made_up({"good": 0.8, "poor": 0.6}, seeds=2)
    results = {
        run: replace(
            result,
            metrics={
                key: (
                    result.metrics[key.replace("/recall", "/chance/recall")]
                    if low and "/recall@" in key and "chance" not in key and key.startswith("test")
                    else value
                )
                for key, value in result.metrics.items()
            },
        )
        for run, result in snapshot.results.items()
        for low in [result.system == "poor"]
    }
    changed = replace(snapshot, results=results)
    assert [row.row.name for row in retrieval_at_chance(changed, {})] == ["poor"]
    assert retrieval_at_chance(snapshot, Comparisons(snapshot, item_scores)) == []
    assert len(item_scores.positions) == ITEMS


def test_a_placebo_is_a_fault_only_where_it_is_better_than_one_modality() -> None:
    snapshot, item_scores = board()
    marked = {
        run: replace(r, config={**r.config, "placebo": {"modality": "text", "within": None}})
        if r.system in ("cnn + lstm", "vit + lstm")
        else r
        for run, r in snapshot.results.items()
    }
    placebos = replace(snapshot, results=marked)
    for items in (item_scores, None):
        assert [g.row.row.name for g in placebos_better_than_unimodal(placebos, items)] == ["cnn + lstm"]
        assert not_better_than_unimodal(placebos, items) == []
        assert placebos_better_than_unimodal(snapshot, items) == []
