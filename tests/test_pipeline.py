"""Sweeps, boards and runs by the public names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import galleries
import numpy as np
import pandas as pd
import pytest

import vsebench as vb
from vsebench.cli.leaderboard_export import write_export


@pytest.fixture
def board() -> vb.Board:
    return vb.load_board("tiny", galleries.home() / "board")


@pytest.fixture
def run() -> vb.Run:
    return vb.load_run("tiny/both", galleries.home() / "runs")


def test_a_sweep_gives_its_board_and_does_nothing_twice(tiny_experiment: dict[str, Any], tmp_path: Path) -> None:
    lines: list[str] = []
    folders = {"runs": tmp_path / "runs", "board": tmp_path / "board"}
    overrides = {"train.epochs": 1, "systems.both.fusion": {"name": "gated", "temperature": 0.5}}
    options: dict[str, Any] = {**folders, "workers": 0, "device": "cpu", "overrides": overrides, "say": lines.append}
    first = vb.sweep(tiny_experiment, only="bo*", **options)
    assert (first.name, first.rows, first.failed) == ("tiny", ["image only", "both"], [])
    assert repr(first) == "Board('tiny', 2 rows, 1 finished runs)"
    assert any(line.startswith("both · seed 0: ") for line in lines)
    table = first.to_dataframe()
    assert table[["row", "seed", "epochs", "config.fusion.name"]].to_numpy().tolist() == [["both", 0, 1, "gated"]]
    assert first.page.read_text(encoding="utf-8").startswith("# tiny")

    lines.clear()
    again = vb.sweep(tiny_experiment, only=["both"], **options)
    pd.testing.assert_frame_equal(again.to_dataframe(), table)
    assert not any(line.startswith("both") for line in lines)


def test_a_file_and_a_mapping_are_the_same_runs(
    tiny_experiment: dict[str, Any], write_experiment: Any, tmp_path: Path
) -> None:
    tiny_experiment["systems"].pop("both")
    message: dict[str, Any] = {"workers": 0, "device": "cpu", "overrides": {"train.epochs": 1}, "say": lambda _: None}
    file = write_experiment(tiny_experiment)
    made = [
        vb.sweep(given, runs=tmp_path / "runs", board=tmp_path / f"board{i}", **message).to_dataframe()
        for i, given in enumerate((tiny_experiment, file, str(file)))
    ]
    for other in made[1:]:
        pd.testing.assert_frame_equal(made[0], other)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (
            {"systems": {"a": {"system": "vse", "fusion": "gatd"}}},
            {},
            "systems.a.fusion: unknown fusion 'gatd'. Did you",
        ),
        ({"seeds": []}, {}, "seeds: "),
        ({}, {"only": "boht"}, "--only 'boht' matches no row of experiment. Did you mean 'both'?"),
        ({}, {"overrides": {"train.epoch": 2}}, "-o train.epoch=2: unknown key 'epoch'"),
        ({"systems": {"a": object()}}, {}, "an experiment holds plain data: "),
        ({"dataset": "mmfbr"}, {}, "dataset: there is no dataset 'mmfbr'. Did you mean 'mmfrb'?"),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    tiny_experiment: dict[str, Any], tmp_path: Path, changes: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    folders = {"runs": tmp_path / "runs", "board": tmp_path / "board"}
    with pytest.raises(vb.VsebenchError) as caught:
        vb.sweep({**tiny_experiment, **changes}, **folders, **options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_a_failed_run_is_an_error_after_the_board_is_written(tiny_experiment: dict[str, Any], tmp_path: Path) -> None:
    tiny_experiment["systems"].pop("both")
    tiny_experiment["train"]["optimizer"]["lr"] = 1e30
    folders = {"runs": tmp_path / "runs", "board": tmp_path / "board"}
    with pytest.raises(vb.RunFailed, match="1 of 1 runs failed:\n  image only, seed 0: ") as caught:
        vb.sweep(tiny_experiment, workers=0, device="cpu", say=lambda _: None, **folders)
    assert isinstance(caught.value, vb.VsebenchError)
    assert [result.system for result in vb.load_board("tiny", tmp_path / "board").failed] == ["image only"]


def test_a_table_has_the_columns_of_the_export(board: vb.Board, tmp_path: Path) -> None:
    table = board.to_dataframe()
    write_export(board.folder, ["tiny"], tmp_path / "tiny.csv")
    exported = pd.read_csv(tmp_path / "tiny.csv")
    assert list(table) == list(exported)
    assert table["run_id"].tolist() == exported["run_id"].tolist()
    np.testing.assert_array_equal(table["test/accuracy"], exported["test/accuracy"])
    assert {"seed", "standing.accuracy.low", "standing.accuracy.high", "standing.accuracy.group"} <= set(table)


def test_a_table_by_row_has_means_over_seeds(board: vb.Board) -> None:
    runs, rows = board.to_dataframe(), board.to_dataframe(by="row")
    assert rows["row"].tolist() == board.rows
    assert not {"seed", "run_id"} & set(rows)
    assert set(rows) < set(runs)
    of_one = runs[runs["row"] == "both"]
    line = rows[rows["row"] == "both"].iloc[0]
    assert line["test/accuracy"] == of_one["test/accuracy"].mean()
    assert line["row.seeds"] == 2
    assert line["standing.accuracy.group"] == of_one["standing.accuracy.group"].iloc[0]
    assert line["config.dim"] == 16


def test_a_run_has_numbers_predictions_and_a_model(run: vb.Run) -> None:
    stored = json.loads((run.folder / "result.json").read_text(encoding="utf-8"))
    assert run.metrics == stored["metrics"]
    assert run.config == stored["config"]
    assert "loaded" not in vars(run), "its numbers need no model"
    predictions = run.predictions()
    assert vb.metrics.accuracy(predictions.logits, predictions.labels) == run.metrics["test/accuracy"]
    vectors = run.embed(texts=["a red shirt", "blue shoes", "a red shirt"])
    assert vectors.shape == (3, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors[0], vectors[2])


def test_embeddings_rank_as_the_evaluation_did(run: vb.Run) -> None:
    dataset, predictions = run.open_dataset(), run.predictions()
    items = [int(position) for position in predictions.positions]
    images = run.embed(images=[dataset.image_bytes(item) or b"" for item in items])
    texts = run.embed(texts=[text for item in items for text in dataset.texts(item)])
    images, texts = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (images, texts))
    relevant = predictions.groups[:, None] == predictions.groups[predictions.owner]
    for k in (1, 5):
        assert vb.metrics.recall(images @ texts.T, relevant, k=k) == pytest.approx(run.metrics[f"test/i2t/recall@{k}"])


def test_runs_and_boards_that_are_not_there_have_near_names(run: vb.Run) -> None:
    home = galleries.home()
    for call, message in (
        (lambda: vb.load_board("tniy", home / "board"), "no results of 'tniy'. Did you mean 'tiny'?"),
        (
            lambda: vb.load_run("tiny/bth", home / "runs"),
            "experiment 'tiny' has no finished run of a row 'bth'. Did you",
        ),
        (lambda: run.predictions("tset"), f"run {run.id} has no predictions of 'tset'. Did you mean 'test'?"),
        (lambda: run.embed(), "give either texts or images."),
        (lambda: run.embed(texts=["a", " "]), "the text is empty"),
        (lambda: run.embed(images=[b"no picture"]), "the picture is not an image"),
        (lambda: run.embed(texts=[]), "there are no texts to embed."),
    ):
        with pytest.raises(vb.VsebenchError) as caught:
            call()
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
    only_images = vb.load_run("tiny/image only", home / "runs")
    with pytest.raises(vb.QueryError, match="this system cannot be asked with text; it can be asked with image"):
        only_images.embed(texts=["a red shirt"])
