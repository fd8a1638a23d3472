"""Outcomes of single items: written, read, gathered, and refused where they are not those of the results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from outcome_boards import CLUSTERS, ITEMS, OWNER, made_up, write_predictions

from vsebench.errors import DataError
from vsebench.leaderboard.gather import gather, update
from vsebench.leaderboard.outcomes import Outcomes, check, items_file, load, load_for, save, values_of

ROWS = {"good": 0.8, "poor": 0.5}


def same(a: Outcomes, b: Outcomes) -> bool:
    pairs = [(a.positions, b.positions), (a.clusters, b.clusters)]
    assert {m: set(v) for m, v in a.right.items()} == {m: set(v) for m, v in b.right.items()}
    assert {m: set(v) for m, v in a.ranks.items()} == {m: set(v) for m, v in b.ranks.items()}
    pairs += [(a.right[m][run], b.right[m][run]) for m in a.right for run in a.right[m]]
    for way, by_run in a.ranks.items():
        pairs.append((a.asked[way], b.asked[way]))
        for run, ranks in by_run.items():
            other = b.ranks[way][run]
            assert ranks.gallery == other.gallery
            pairs += [(getattr(ranks, p), getattr(other, p)) for p in ("above", "tied", "tied_relevant", "relevant")]
    return all(np.array_equal(x, y) for x, y in pairs)


def test_round_trip_in_the_same_bytes(tmp_path: Path) -> None:
    _, outcomes = made_up(ROWS)
    assert save(outcomes, tmp_path / "a.npz")
    assert save(outcomes, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert not save(outcomes, tmp_path / "a.npz"), "nothing changed"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b.npz"]
    assert same(load(tmp_path / "a.npz"), outcomes)
    with np.load(tmp_path / "a.npz") as stored:
        assert stored["accuracy/bits"].shape == (6, ITEMS // 8), "right or wrong takes a bit"
        assert stored["i2t/above"].dtype == np.uint8


def test_partly_right_answers_keep_their_value(tmp_path: Path) -> None:
    _, outcomes = made_up(ROWS, ranked=False)
    soft = {run: 0.3 * values + 0.1 for run, values in outcomes.right["accuracy"].items()}
    outcomes = replace(outcomes, right={"accuracy": outcomes.right["accuracy"], "vqa_accuracy": soft})
    save(outcomes, tmp_path / "a.npz")
    assert same(load(tmp_path / "a.npz"), outcomes)


def test_gathered_from_folders(tmp_path: Path) -> None:
    board, outcomes = made_up(ROWS)
    write_predictions(board, outcomes, tmp_path / "runs")
    assert update(board, tmp_path / "runs", tmp_path / "board") == []
    found = load_for(board, tmp_path / "board")
    assert found is not None
    assert same(found, outcomes)
    for run, result in board.results.items():
        for key, value in values_of(found, run).items():
            assert result.metrics[f"test/{key}"] == pytest.approx(value)


def test_a_run_without_a_folder_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    board, outcomes = made_up(ROWS)
    runs = list(board.results)
    part = {run: board.results[run] for run in runs[:2]}
    write_predictions(replace(board, results=part), outcomes, tmp_path / "runs")
    assert update(board, tmp_path / "runs", tmp_path / "board") == runs[2:]
    assert update(board, tmp_path / "nowhere", tmp_path / "board") == runs[2:]
    found = load_for(board, tmp_path / "board")
    assert found is not None
    assert found.runs == set(runs[:2])
    assert update(board, tmp_path / "nowhere", tmp_path / "elsewhere") == runs
    assert load_for(board, tmp_path / "elsewhere") is None


def test_the_datasets_groups_count_where_they_are_known(tmp_path: Path) -> None:
    board, outcomes = made_up(ROWS)
    write_predictions(board, outcomes, tmp_path / "runs")
    groups = np.arange(200) // 4
    update(board, tmp_path / "runs", tmp_path / "board", groups=groups)
    expected = np.unique(groups[outcomes.positions], return_inverse=True)[1]
    for _ in range(2):  # gathering again without the dataset keeps them
        found = load_for(board, tmp_path / "board")
        assert found is not None
        assert np.array_equal(found.clusters, expected)
        update(board, tmp_path / "runs", tmp_path / "board")


def test_stored_groups_are_clusters_only_where_they_are_no_classes(tmp_path: Path) -> None:
    board, outcomes = made_up(ROWS)
    write_predictions(board, outcomes, tmp_path / "runs")
    for relevance, expected in (("group", CLUSTERS), ("label", np.arange(ITEMS))):
        data = {**board.dataset, "relevance": relevance}
        results = {run: replace(r, dataset=data) for run, r in board.results.items()}
        found = gather(replace(board, results=results), tmp_path / "runs" / "demo")
        assert found is not None
        assert np.array_equal(found.clusters, expected)


def test_captions_in_another_order_are_the_same_captions(tmp_path: Path) -> None:
    board, outcomes = made_up(ROWS)
    write_predictions(board, outcomes, tmp_path / "runs")
    file = tmp_path / "runs" / "demo" / min(board.results) / "predictions-test.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    order = np.concatenate([np.arange(0, len(OWNER), 2), np.arange(1, len(OWNER), 2)])  # first captions, then second
    arrays |= {name: arrays[name][order] for name in arrays if name.startswith("t2i/")} | {"owner": OWNER[order]}
    np.savez_compressed(file, **arrays)
    found = gather(board, tmp_path / "runs" / "demo")
    assert found is not None
    assert same(found, outcomes)


def test_what_is_refused(tmp_path: Path) -> None:
    board, outcomes = made_up(ROWS)
    run = min(board.results)
    file = items_file(tmp_path, "demo")
    with pytest.raises(DataError, match="no such file of outcomes"):
        load(file)
    file.parent.mkdir()
    file.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(DataError, match="not a file of outcomes"):
        load(file)
    with pytest.raises(DataError, match="outcomes are of dataset other"):
        check(board, replace(outcomes, fingerprint="other"))
    wrong = dict(outcomes.right["accuracy"])
    wrong[run] = 1 - wrong[run]
    save(replace(outcomes, right={"accuracy": wrong}), file)
    with pytest.raises(DataError, match=rf"run {run}: outcomes give accuracy 0\.\d+, its result says"):
        load_for(board, tmp_path)
    np.savez_compressed(file, format=np.array(99))
    with pytest.raises(DataError, match="outcomes of format 99"):
        load(file)


def test_predictions_of_other_items_are_refused(tmp_path: Path) -> None:
    board, outcomes = made_up(ROWS, ranked=False)
    write_predictions(board, outcomes, tmp_path / "runs")
    file = tmp_path / "runs" / "demo" / max(board.results) / "predictions-test.npz"
    with np.load(file) as stored:
        arrays = {**stored, "positions": stored["positions"] + 1}
    np.savez_compressed(file, **arrays)
    with pytest.raises(DataError, match="other test items"):
        update(board, tmp_path / "runs", tmp_path / "board")
    file.write_bytes(b"broken")
    with pytest.raises(DataError, match="not a file of predictions"):
        update(board, tmp_path / "runs", tmp_path / "board")
