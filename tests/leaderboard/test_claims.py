"""The section on claims: on the board's data, by slice, and on the data of other boards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from board_texts import blocks_text
from outcome_boards import ITEMS, made_up

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.render import board_of
from vsebench.leaderboard.sections import claims
from vsebench.ops.slices import Slices
from vsebench.runs import item_scores as remaining
from vsebench.runs.snapshot import results_file, save

CLAIMS = [
    {"claim": "good helps", "row": "good", "over": "poor"},
    {"claim": "poor helps", "row": "poor", "over": "good"},
    {"claim": "none", "row": "good", "over": "gone"},
]


def board(seeds: int = 3, **block: object) -> BoardData:
    snapshot, scores = made_up({"good": 0.8, "poor": 0.5}, seeds=seeds, ranked=False)
    sliced = replace(scores, slices=Slices({"kind": ("a", "b")}, (np.arange(ITEMS) % 2)[:, None].astype(np.int32)))
    return BoardData(replace(snapshot, board={"claims": CLAIMS, **block}), sliced)


def test_a_board_without_claims_has_no_section() -> None:
    data = board()
    assert claims.sections(replace(data, snapshot=replace(data.snapshot, board={}))) == []
    assert claims.sections(replace(data, item_scores=None)) == []


def test_claims_are_given_with_verdict_difference_and_slices() -> None:
    (section,) = claims.sections(board())
    assert section.finding == "1 of 3 supported"
    text = blocks_text([section])
    whole = [line for line in text.splitlines() if "good over poor" in line]
    assert len(whole) == 1
    assert "supported" in whole[0]
    assert "+" in whole[0]
    other = next(line for line in text.splitlines() if "poor over good" in line)
    assert "contradicted" in other
    assert "−" in other
    assert "no result" in next(line for line in text.splitlines() if "good over gone" in line)
    assert "By `kind`" in text


def test_claims_are_tested_again_on_the_boards_that_are_named(tmp_path: Path) -> None:
    data = board(repeats=["other", "missing"])
    alike = replace(data.snapshot, experiment="other", board={})
    assert data.item_scores is not None
    for snapshot in (data.snapshot, alike):
        save(snapshot, results_file(tmp_path, snapshot.experiment))
        remaining.save(data.item_scores, remaining.items_file(tmp_path, snapshot.experiment))
    read = board_of(data.snapshot, tmp_path)
    assert list(read.repeats) == ["other"]
    (section,) = claims.sections(read)
    text = blocks_text([section])
    assert "Not swept yet: `missing`." in text
    first = next(line for line in text.splitlines() if "good over poor" in line)
    assert "2 of 2" in first
    assert "0 of 2" in next(line for line in text.splitlines() if "poor over good" in line)
