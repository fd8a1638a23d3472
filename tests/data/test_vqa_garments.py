"""Questions about garments: the same bytes everywhere, probabilities sum to one, and the data keeps the ceilings."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pytest
from oracles import vqa_oracle

from vsebench.core.errors import ConfigError
from vsebench.data.builders.vqa_garments import LOOKS, question_items
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.data.garments.latent import PATTERNS, SILHOUETTES, Garment, draw_garment
from vsebench.data.garments.questions import (
    ANNOTATORS,
    ANSWERS,
    DISSENT,
    HIDDEN,
    OTHERWISE,
    PHRASES,
    SHARES,
    ceilings,
    decide,
    draw_answers,
    draw_question,
    image_evidence,
    joint,
    questions,
    visible_colours,
    worth,
)
from vsebench.data.open import open_dataset

DIGEST = "82d6bd331f48e2a7"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    before = os.environ.get("VSEBENCH_HOME")
    os.environ["VSEBENCH_HOME"] = str(tmp_path_factory.mktemp("vqa"))
    try:
        return open_dataset({"name": "vqa_garments", "image_size": 32})  # no draw depends on the size
    finally:
        os.environ.pop("VSEBENCH_HOME")
        if before is not None:
            os.environ["VSEBENCH_HOME"] = before


def test_the_same_bytes_everywhere() -> None:
    digest = hashlib.sha256()
    for number in range(8):
        for item in question_items(number, 0, 64, 3):
            message = repr(sorted((item.answers or {}).items()))
            digest.update(item.image or b"")
            digest.update("\n".join([item.id, *item.texts, str(item.label), message]).encode())
    assert digest.hexdigest()[:16] == DIGEST
    assert question_items(0, 1, 64, 3) != question_items(0, 0, 64, 3)


def test_probabilities_sum_to_one() -> None:
    for shares in SHARES.values():
        assert sum(shares.values()) == 100
    assert sum(DISSENT.values()) == 100
    for number, pattern in enumerate(PATTERNS):
        garment = Garment(0, SILHOUETTES[number], "casual", "red", "blue", pattern)
        asked_of = list(questions(garment))
        assert sum(p for _, p in asked_of) == 1
        assert len({q.evidence for q, _ in asked_of}) == len(asked_of), "a question has one answer"
    assert sum(joint().values()) == 1
    assert {right for right, _, _ in joint()} == set(ANSWERS)


def test_questions_are_drawn_by_their_probabilities() -> None:
    garment, rng = Garment(0, "skirt", "casual", "red", "blue", "dotted"), Random(0)
    result = Counter(draw_question(garment, rng) for _ in range(20_000))
    for question, p in questions(garment):
        assert result[question] / 20_000 == pytest.approx(float(p), abs=5 * (float(p) / 20_000) ** 0.5)


def test_answers_are_right() -> None:
    dotted = Garment(0, "skirt", "casual", "white", "black", "dotted")
    results = {q.evidence: q.answer for q, _ in questions(dotted)}
    wanted = {"colour": "white", "dots": "black", "lighter": "white", "darker": "black", "pattern": "dotted"}
    wanted |= {"piece": "skirt", "sleeves": "0", "colours": "2", "has_colour black": "yes", "has_colour red": "no"}
    wanted |= {"is_both dotted skirt": "yes", "is_both striped skirt": "no", "is_both dotted trousers": "no"}
    assert wanted.items() <= results.items()
    plain = {q.evidence: q.answer for q, _ in questions(Garment(0, "long_sleeves", "sport", "red", "blue", "plain"))}
    assert {"colour": "red", "colours": "1", "sleeves": "2", "has_colour blue": "no"}.items() <= plain.items()
    assert "lighter" not in plain
    assert "dots" not in plain


def test_stripes_and_checks_have_no_first_colour() -> None:
    # In the picture both are alike, so neither the evidence nor an answer may tell them apart.
    for pattern in ("striped", "checked"):
        one, other = (Garment(0, "skirt", "casual", *c, pattern) for c in (("red", "blue"), ("blue", "red")))
        assert image_evidence(one, False) == image_evidence(other, False)
        assert set(questions(one)) == set(questions(other))
        assert visible_colours(one) == ("blue", "red")


def test_the_image_and_the_question_decide_but_for_what_is_covered() -> None:
    answers: dict[tuple[str, str], set[str]] = {}
    for right, question, image in joint():
        answers.setdefault((question, image), set()).add(right)
    open_ones = {key for key, values in answers.items() if len(values) > 1}
    assert all(image.split()[0].endswith("body") for _, image in open_ones)
    assert {question.split()[0] for question, _ in open_ones} == {"piece", "is_both"}


def test_ceilings_are_the_bayes_accuracy() -> None:
    """Against answers that are drawn, with and without the annotators' disagreement."""
    rng, count = Random(0), 8000
    right = {(look, soft): 0.0 for look in LOOKS for soft in (False, True)}
    for number in range(count):
        garment = draw_garment(number, 0)
        hidden = rng.randrange(HIDDEN.denominator) < HIDDEN.numerator
        question, seen = draw_question(garment, rng), image_evidence(garment, hidden)
        lines = [a for a, n in draw_answers(question.answer, rng).items() for _ in range(n)]
        for look, soft in right:
            guess = decide(look, question.evidence, seen, soft)
            subsets = itertools.combinations(lines, ANNOTATORS - 1)
            value = np.mean([min(s.count(guess) / 3, 1) for s in subsets]) if soft else guess == question.answer
            right[look, soft] += float(value)
    for (look, soft), value in right.items():
        assert value / count == pytest.approx(ceilings(soft)[look], abs=0.02), (look, soft)
    for soft in (False, True):
        known = ceilings(soft)
        assert known["both"] - max(known["question only"], known["image only"]) > 0.5
        assert known["both"] > 0.99
    assert all(ceilings(soft=True)[look] > value for look, value in ceilings().items())


def test_annotators_disagree_and_the_majority_is_right() -> None:
    rng = Random(1)
    drawn = [draw_answers("green", rng) for _ in range(4000)]
    assert all(sum(one.values()) == ANNOTATORS and max(one, key=lambda a: one[a]) == "green" for one in drawn)
    dissent = Counter(ANNOTATORS - one["green"] for one in drawn)
    for count, percent in DISSENT.items():
        assert dissent[count] / 4000 == pytest.approx(percent / 100, abs=0.03)
    assert {a for one in drawn for a in one} == {"green", *OTHERWISE["green"]}
    assert set(OTHERWISE) == set(ANSWERS)
    assert worth("yes", soft=True) == {"yes": 1, "no": Fraction(285, 1000)}
    assert worth("red", soft=False) == {"red": 1}


def test_wordings_do_not_depend_on_the_answer() -> None:
    for kind, phrases in PHRASES.items():
        takes = {"{}" in phrase for phrase in phrases}
        assert takes == {kind in ("has_colour", "is_both")}
    texts = {text for number in range(60) for item in question_items(number, 0, 32, 3) for text in item.texts}
    assert all(text.endswith("?") for text in texts)
    assert any(re.search("(a (plain|striped|checked|dotted) (t-shirt|sweater|skirt))", t) for t in texts)
    assert not any(re.search("a (plain|striped|checked|dotted) trousers", t) for t in texts)


def test_a_small_one_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path))
    dataset = open_dataset({"name": "vqa_garments", "items": 40, "questions": 4, "image_size": 32})
    assert check(dataset) == []
    assert len(dataset) == 160
    assert dataset.label_names == list(ANSWERS)
    assert dataset.provenance["ceilings"] == ceilings()
    assert len(np.unique(dataset.groups)) == 40
    for position, message in enumerate(dataset.answers(np.arange(len(dataset)))):
        assert max(message, key=lambda a: message[a]) == dataset.label_names[dataset.labels[position]]
        assert sum(message.values()) == ANNOTATORS
    images = {(dataset.groups[i], dataset.image_bytes(i)) for i in range(len(dataset))}
    assert len(images) == 40, "questions of a group are about one image"
    with pytest.raises(ConfigError, match="image_size"):
        open_dataset({"name": "vqa_garments", "image_size": 33})


@pytest.mark.slow
def test_the_data_keeps_the_ceilings(whole: Dataset) -> None:
    assert len(whole) == 9600
    assert check(whole) == []
    for split, rows in whole.splits.items():
        for name, value in vqa_oracle(whole, split).items():
            spread = (ceilings()[name] * (1 - ceilings()[name]) / len(rows)) ** 0.5
            assert value == pytest.approx(ceilings()[name], abs=4 * spread), (split, name)


@pytest.mark.slow
def test_the_documentation_says_the_ceilings(whole: Dataset) -> None:
    page = (Path(__file__).parents[2] / "docs" / "vqa.md").read_text(encoding="utf-8")
    message = re.findall(r"^\| ([a-z ]+) \| ([\d.]+) % \| ([\d.]+) % \| ([\d.]+) % \|$", page, re.MULTILINE)
    real = vqa_oracle(whole, "test")
    assert {name: tuple(map(float, shares)) for name, *shares in message} == {
        look: tuple(round(100 * v, 1) for v in (ceilings()[look], ceilings(soft=True)[look], real[look]))
        for look in LOOKS
    }
