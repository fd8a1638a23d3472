"""VQA's official layout: classes, splits, answers, what is kept of answers outside of the classes, faults by row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vsebench.components.metric._answers import Answers
from vsebench.components.metric.base import Predictions
from vsebench.components.metric.vqa_accuracy import vqa_accuracy
from vsebench.core.errors import DataError
from vsebench.data.builders._vqa_answers import normalised
from vsebench.data.builders.vqa import OTHER
from vsebench.data.check import check
from vsebench.data.dataset import Dataset

Lay, Build = Callable[[str], Path], Callable[..., Dataset]
TRAIN = "v2_OpenEnded_mscoco_train2014_questions.json"
ANSWERED = "v2_mscoco_train2014_annotations.json"


def change(file: Path, key: str, edit: Callable[[list[Any]], None]) -> None:
    content = json.loads(file.read_text())
    edit(content[key])
    file.write_text(json.dumps(content))


def label(dataset: Dataset, position: int) -> str:
    return dataset.label_names[dataset.labels[position]]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("Yes", "yes"),
        ("  Two Dogs ", "2 dogs"),
        ("none", "0"),
        ("TEN", "10"),
        ("eleven", "eleven"),
        ("the red\nhat", "red hat"),
        ("A man", "man"),
        ("banana", "banana"),
        ("t-shirt", "t shirt"),
        ("black/white", "black white"),
        ("red, white", "red white"),
        ("red,white", "red white"),
        ("red - white", "red white"),
        ("1,000", "1000"),
        ("1,000-2", "10002"),  # a comma between digits anywhere takes all marks out, as in the official script
        ("3.5", "3.5"),
        ("St. Louis.", "st louis"),
        ("12.", "12"),
        ("it's", "it's"),
        ("dont", "don't"),
        ("cant see", "can't see"),
        ("thats", "that's"),
        ("its", "its"),
        ("were", "were"),
        ("the", "the"),
        ("?", "?"),
        ("", ""),
    ],
)
def test_answers_are_normalised(given: str, wanted: str) -> None:
    assert normalised(given) == wanted
    if wanted != "10002":
        assert normalised(wanted) == wanted


def test_the_layout_becomes(lay: Lay, build: Build) -> None:
    dataset = build("vqa", lay("vqa"))
    assert check(dataset) == []
    # 30 + 10 questions of 30 images in train2014, less the rare ones that are trained on.
    positions = {one: i for i, one in enumerate(dataset.ids)}
    images = {split: {dataset.ids[i][:-3] for i in rows} for split, rows in dataset.splits.items()}
    assert images["test"] == {str(n) for n in range(100, 110)}
    assert images["rest"] == {"200"}
    assert len(images["val"]) == 3
    assert not images["train"] & images["val"]
    rare = {str(1000 * n + w) for n in range(30) for w in range(1 + (n % 3 == 1)) if (n + w) % 4 == 3}
    trained = {dataset.ids[i] for i in dataset.splits["train"]}
    assert not rare & trained
    assert {one for one in rare if one[:-3] in images["val"]} <= set(dataset.ids), "evaluation keeps them"
    assert set(dataset.label_names) == {OTHER, "2", "red hat", "yes"}
    assert dataset.label_names[-1] == OTHER
    assert [label(dataset, positions[q]) for q in ("100000", "100001", "102000")] == ["yes", "2", "red hat"]
    assert label(dataset, positions["103000"]) == OTHER
    assert dataset.texts(positions["100001"]) == ["Is it number 100001?"]
    assert dataset.answers(np.array([positions["102000"]])) == [{"red hat": 7, "no": 2, "blue red": 1}]
    assert dataset.attributes(positions["102000"]) == {"question_type": "is it", "answer_type": "other"}
    assert dataset.groups[positions["100000"]] != dataset.groups[positions["101000"]]
    assert dataset.groups[positions["100001"]] == dataset.groups[positions["100000"]]
    assert dataset.sets["unanswered"].tolist() == [positions["200000"]]
    assert not dataset.answers(np.array([positions["200000"]]))[0]
    notes = "\n".join(dataset.provenance["notes"])
    assert "40 questions of train2014, the official release has 443,757" in notes
    assert f"{len([r for r in rare if r[:-3] not in images['val']])} training questions are left out" in notes
    assert f"an answer that is no class; kept as {OTHER}" in notes


def test_classes_are_the_most_frequent_answers_of_training(lay: Lay, build: Build) -> None:
    root = lay("vqa")
    dataset = build("vqa", root, num_answers=2, unanswered=False)
    annotations = json.loads((root / ANSWERED).read_text())["annotations"]
    val = {dataset.ids[i] for i in dataset.splits["val"]}
    counts = Counter(
        normalised(row["multiple_choice_answer"]) for row in annotations if str(row["question_id"]) not in val
    )
    wanted = sorted(counts, key=lambda a: (-counts[a], a))[:2]
    assert dataset.label_names == [*wanted, OTHER]
    assert "rest" not in dataset.splits
    assert {label(dataset, i) for i in dataset.splits["train"]} == set(wanted)
    everything = build("vqa", root, num_answers=100, unanswered=False)
    assert len(everything.splits["train"]) + len(everything.splits["val"]) == 40


def test_what_is_no_class_is_wrong_whatever_is_said(lay: Lay, build: Build) -> None:
    dataset = build("vqa", lay("vqa"))
    rows = np.array([i for i in dataset.splits["test"] if label(dataset, i) == OTHER])
    assert len(rows)
    answers = Answers.of(dataset.answers(rows), dataset.label_names)
    for message in range(dataset.num_classes):
        logits = np.tile(np.eye(dataset.num_classes, dtype=np.float32)[message], (len(rows), 1))
        result = vqa_accuracy(Predictions(logits, dataset.labels[rows], answers=answers))
        assert result == {"vqa_accuracy": 0.0}


def test_version_one(lay: Lay, build: Build) -> None:
    root = lay("vqa")
    with pytest.raises(DataError, match="VQA v1 not found: looked for OpenEnded_mscoco_train2014_questions.json"):
        build("vqa", root, version="v1")
    wanted = build("vqa", root)
    for file in root.glob("v2_*.json"):
        file.rename(file.with_name(file.name.removeprefix("v2_")))
    dataset = build("vqa", root, version="v1")
    assert (dataset.title, dataset.fingerprint) == ("VQA v1", wanted.fingerprint)
    with pytest.raises(DataError, match="VQA v2 not found"):
        build("vqa", root)


def test_faults_by_row(lay: Lay, build: Build) -> None:
    root = lay("vqa")

    def questions(rows: list[Any]) -> None:
        rows[1]["question"] = " "
        rows[2]["question_id"] = "2"
        rows[4]["image_id"] = 7
        rows.append(dict(rows[0]))

    def annotations(rows: list[Any]) -> None:
        del rows[6]["answers"]
        rows[8]["answers"] = []
        rows.append(dict(rows[0]))

    change(root / TRAIN, "questions", questions)
    change(root / ANSWERED, "annotations", annotations)
    requested = json.loads((root / TRAIN).read_text())["questions"]
    answered = json.loads((root / ANSWERED).read_text())["annotations"]
    with pytest.raises(DataError) as caught:
        build("vqa", root)
    message = sorted(caught.value.problems)
    ids = [row["question_id"] for row in requested]
    wanted = [
        f"{TRAIN} questions[1] (question {ids[1]}): empty text",
        f"{TRAIN} questions[2]: 'question_id': Input should be a valid integer, got '2'",
        f"{TRAIN} questions[4] (question {ids[4]}): asks about image 7, but its annotation is of image "
        f"{answered[4]['image_id']}",
        f"{TRAIN} questions[6] (question {ids[6]}): no annotation has its id",
        f"{TRAIN} questions[8] (question {ids[8]}): its annotation has no answers",
        f"{TRAIN} questions[40] (question {ids[0]}): the question id stands twice",
        f"{ANSWERED} annotations[6]: 'answers': Field required",
        f"{ANSWERED} annotations[40]: question {ids[0]} is annotated in {ANSWERED} annotations[0] already",
        f"{ANSWERED} annotations[2]: no question has the id {answered[2]['question_id']}",
    ]
    assert message == sorted(wanted)
    dataset = build("vqa", root, skip_bad=True)
    assert check(dataset) == []
    assert not {str(ids[k]) for k in (1, 2, 4, 6, 8)} & set(dataset.ids)


def test_files_that_are_cut_short(lay: Lay, build: Build) -> None:
    root = lay("vqa")
    file = root / ANSWERED
    file.write_text(file.read_text()[:900])
    with pytest.raises(DataError, match="not whole JSON"):
        build("vqa", root)
    file.unlink()
    with pytest.raises(DataError, match="VQA v2 not found: looked for v2_mscoco_train2014_annotations.json"):
        build("vqa", root)
