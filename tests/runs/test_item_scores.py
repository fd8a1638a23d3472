"""Outcomes of single items: written, read, gathered, and refused where they are not those of the results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import damaged, fuzzed
from outcome_boards import CLUSTERS, ITEMS, OWNER, made_up, write_predictions

from vsebench.cli.verify import verify as verify_command
from vsebench.core.errors import DataError
from vsebench.leaderboard.collect import gather, update
from vsebench.leaderboard.render import render
from vsebench.runs.item_scores import ItemScores, check, items_file, load, load_for, save, values_of
from vsebench.runs.snapshot import results_file
from vsebench.runs.snapshot import save as save_board

ROWS = {"good": 0.8, "poor": 0.5}
COMMITTED = Path(__file__).parents[2] / "leaderboard" / "items" / "av_digits.npz"


def same(a: ItemScores, b: ItemScores) -> bool:
    pairs = [(a.positions, b.positions), (a.clusters, b.clusters)]
    assert {m: set(v) for m, v in a.right.items()} == {m: set(v) for m, v in b.right.items()}
    assert {m: set(v) for m, v in a.ranks.items()} == {m: set(v) for m, v in b.ranks.items()}
    pairs += [(a.right[m][run], b.right[m][run]) for m in a.right for run in a.right[m]]
    for way, by_run in a.ranks.items():
        pairs.append((a.query_items[way], b.query_items[way]))
        for run, ranks in by_run.items():
            other = b.ranks[way][run]
            assert ranks.gallery == other.gallery
            pairs += [(getattr(ranks, p), getattr(other, p)) for p in ("above", "tied", "tied_relevant", "relevant")]
    return all(np.array_equal(x, y) for x, y in pairs)


def test_round_trip_in_the_same_bytes(tmp_path: Path) -> None:
    _, item_scores = made_up(ROWS)
    assert save(item_scores, tmp_path / "a.npz")
    assert save(item_scores, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert not save(item_scores, tmp_path / "a.npz"), "nothing changed"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b.npz"]
    assert same(load(tmp_path / "a.npz"), item_scores)
    with np.load(tmp_path / "a.npz") as stored:
        assert stored["accuracy/bits"].shape == (6, ITEMS // 8), "right or wrong takes a bit"
        assert stored["i2t/above"].dtype == np.uint8


def test_partly_right_answers_keep_their_value(tmp_path: Path) -> None:
    _, item_scores = made_up(ROWS, ranked=False)
    soft = {run: 0.3 * values + 0.1 for run, values in item_scores.right["accuracy"].items()}
    item_scores = replace(item_scores, right={"accuracy": item_scores.right["accuracy"], "vqa_accuracy": soft})
    save(item_scores, tmp_path / "a.npz")
    assert same(load(tmp_path / "a.npz"), item_scores)


def test_gathered_from_folders(tmp_path: Path) -> None:
    board, item_scores = made_up(ROWS)
    write_predictions(board, item_scores, tmp_path / "runs")
    assert update(board, tmp_path / "runs", tmp_path / "board") == []
    results = load_for(board, tmp_path / "board")
    assert results is not None
    assert same(results, item_scores)
    for run, result in board.results.items():
        for key, value in values_of(results, run).items():
            assert result.metrics[f"test/{key}"] == pytest.approx(value)


def test_a_run_without_a_folder_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    board, item_scores = made_up(ROWS)
    runs = list(board.results)
    part = {run: board.results[run] for run in runs[:2]}
    write_predictions(replace(board, results=part), item_scores, tmp_path / "runs")
    assert update(board, tmp_path / "runs", tmp_path / "board") == runs[2:]
    assert update(board, tmp_path / "nowhere", tmp_path / "board") == runs[2:]
    result = load_for(board, tmp_path / "board")
    assert result is not None
    assert result.runs == set(runs[:2])
    assert update(board, tmp_path / "nowhere", tmp_path / "elsewhere") == runs
    assert load_for(board, tmp_path / "elsewhere") is None


def test_the_datasets_groups_count_where_they_are_known(tmp_path: Path) -> None:
    board, item_scores = made_up(ROWS)
    write_predictions(board, item_scores, tmp_path / "runs")
    groups = np.arange(200) // 4
    update(board, tmp_path / "runs", tmp_path / "board", groups=groups)
    expected = np.unique(groups[item_scores.positions], return_inverse=True)[1]
    for _ in range(2):  # gathering again without the dataset keeps them
        result = load_for(board, tmp_path / "board")
        assert result is not None
        assert np.array_equal(result.clusters, expected)
        update(board, tmp_path / "runs", tmp_path / "board")


def test_stored_groups_are_clusters_only_where_they_are_no_classes(tmp_path: Path) -> None:
    board, item_scores = made_up(ROWS)
    write_predictions(board, item_scores, tmp_path / "runs")
    for relevance, expected in (("group", CLUSTERS), ("label", np.arange(ITEMS))):
        data = {**board.dataset, "relevance": relevance}
        results = {run: replace(r, dataset=data) for run, r in board.results.items()}
        result = gather(replace(board, results=results), tmp_path / "runs" / "demo")
        assert result is not None
        assert np.array_equal(result.clusters, expected)


def test_captions_in_another_order_are_the_same_captions(tmp_path: Path) -> None:
    board, item_scores = made_up(ROWS)
    write_predictions(board, item_scores, tmp_path / "runs")
    file = tmp_path / "runs" / "demo" / min(board.results) / "predictions-test.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    order = np.concatenate([np.arange(0, len(OWNER), 2), np.arange(1, len(OWNER), 2)])  # first captions, then second
    arrays |= {name: arrays[name][order] for name in arrays if name.startswith("t2i/")} | {"owner": OWNER[order]}
    np.savez_compressed(file, **arrays)
    result = gather(board, tmp_path / "runs" / "demo")
    assert result is not None
    assert same(result, item_scores)


def test_what_is_refused(tmp_path: Path) -> None:
    board, item_scores = made_up(ROWS)
    run = min(board.results)
    file = items_file(tmp_path, "demo")
    with pytest.raises(DataError, match="no such file of outcomes"):
        load(file)
    file.parent.mkdir()
    file.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(DataError, match="not a file of outcomes"):
        load(file)
    with pytest.raises(DataError, match="outcomes are of dataset other"):
        check(board, replace(item_scores, fingerprint="other"))
    wrong = dict(item_scores.right["accuracy"])
    wrong[run] = 1 - wrong[run]
    save(replace(item_scores, right={"accuracy": wrong}), file)
    with pytest.raises(DataError, match=rf"run {run}: outcomes give accuracy 0\.\d+, its result says"):
        load_for(board, tmp_path)
    np.savez_compressed(file, format=np.array(99))
    with pytest.raises(DataError, match="outcomes of format 99"):
        load(file)


def test_predictions_that_do_not_fit_are_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One damaged file used to end every sweep of the experiment, until it was deleted by hand."""
    board, item_scores = made_up(ROWS, ranked=False)
    write_predictions(board, item_scores, tmp_path / "runs")
    run = max(board.results)
    file = tmp_path / "runs" / "demo" / run / "predictions-test.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    other = {**arrays, "positions": arrays["positions"] + 1}
    wrong = {**arrays, "logits": -arrays["logits"]}
    for number, (change, message) in enumerate(((other, "different test items"), (wrong, "predictions give accuracy"))):
        np.savez_compressed(file, **change)
        assert update(board, tmp_path / "runs", tmp_path / f"board{number}") == [run]
        assert message in capsys.readouterr().err
    file.write_bytes(b"broken")
    assert update(board, tmp_path / "runs", tmp_path / "board") == [run]
    message = capsys.readouterr().err
    assert str(file) in message
    assert f"Run {run} is excluded" in message
    result = load_for(board, tmp_path / "board")
    assert result is not None
    assert result.runs == set(board.results) - {run}


def test_a_damaged_file_is_set_aside_and_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board, item_scores = made_up(ROWS)
    write_predictions(board, item_scores, tmp_path / "runs")
    file = items_file(tmp_path / "board", "demo")
    update(board, tmp_path / "runs", tmp_path / "board")
    whole = file.read_bytes()
    file.write_bytes(whole[:-200])
    assert update(board, tmp_path / "runs", tmp_path / "board") == []
    message = capsys.readouterr().err
    assert f"{file}: not a file of outcomes" in message
    assert "set aside as demo.npz.damaged" in message
    assert file.read_bytes() == whole
    assert file.with_name("demo.npz.damaged").read_bytes() == whole[:-200]


def test_a_board_is_shown_without_what_rests_on_a_damaged_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the runs are not at hand, nothing can be made again; the rest of the board stands."""
    board, item_scores = made_up(ROWS)
    write_predictions(board, item_scores, tmp_path / "runs")
    save_board(board, results_file(tmp_path, "demo"))
    update(board, tmp_path / "runs", tmp_path)
    render(tmp_path)
    whole = (tmp_path / "demo.md").read_text()
    file = items_file(tmp_path, "demo")
    file.write_bytes(file.read_bytes()[:-200])
    assert update(board, tmp_path / "nowhere", tmp_path) == sorted(board.results)
    assert file.is_file(), "nothing takes its place"
    render(tmp_path)
    page = (tmp_path / "demo.md").read_text()
    assert "rank groups are not available: `items/demo.npz` cannot be used" in page
    assert "`vsebench outcomes demo` rebuilds it" in page
    assert "rank groups are not available" not in whole
    assert f"{file}: not a file of outcomes" in capsys.readouterr().err
    assert verify_command((), tmp_path / "nowhere", tmp_path) == 1
    assert "items/demo.npz: file is damaged" in capsys.readouterr().out.replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("positions", None, "it lacks 'positions'"),
        ("clusters", np.zeros(3, np.int64), "'clusters' must be whole numbers, of shape 120"),
        ("accuracy/bits", np.zeros((2, 2), np.uint8), "'accuracy/bits' must be"),
        ("accuracy/runs", np.array(["a", "a"]), "'accuracy/runs' must name runs, each once"),
        ("i2t/above", np.full((6, 100), 10_000, np.int64), "'i2t/above' must be"),
        ("i2t/gallery", np.array(1), "'i2t/"),
        ("fingerprint", np.array(3), "'fingerprint' must be text"),
        ("positions", np.array([1.5] * 200), "'positions' must be whole numbers"),
    ],
)
def test_what_is_at_fault_is_named(tmp_path: Path, name: str, value: np.ndarray | None, text: str) -> None:
    _, item_scores = made_up(ROWS)
    file = tmp_path / "x.npz"
    save(item_scores, file)
    with np.load(file) as stored:
        arrays = {key: stored[key] for key in stored.files if key != name}
    np.savez_compressed(file, **(arrays if value is None else {**arrays, name: value}))
    with pytest.raises(DataError) as error:
        load(file)
    assert text in str(error.value)
    assert str(error.value).startswith(str(file))


def test_what_unpacks_to_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsebench.runs.item_scores.LARGEST", 1 << 20)
    np.savez_compressed(tmp_path / "x.npz", positions=np.zeros(1 << 20, np.int64))
    with pytest.raises(DataError, match=r"it unpacks to 8.39 MB; at most"):
        load(tmp_path / "x.npz")


@fuzzed()
@given(data=st.data())
def test_damaged_files_are_refused_or_whole(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A ZIP archive has a checksum of each array: what is read is what was written."""
    whole = COMMITTED.read_bytes()
    file = tmp_path_factory.mktemp("items") / "x.npz"
    file.write_bytes(data.draw(damaged(whole)))
    try:
        result = load(file)
    except DataError as error:
        assert str(error).startswith(str(file))  # noqa: PT017
    else:
        assert same(result, load(COMMITTED))
