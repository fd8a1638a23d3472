"""The embedded edition: the same bytes everywhere, and ceilings that its data keeps."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from oracles import mmfrb_oracle
from PIL import Image

from vsebench.data.builders.mmfrb import views
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.data.garments.latent import CATEGORIES, USES, ceilings, decide, joint
from vsebench.data.garments.render import fill
from vsebench.data.open import open_dataset

DIGEST = "e0e93891bb664c72"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    import os

    before = os.environ.get("VSEBENCH_HOME")
    os.environ["VSEBENCH_HOME"] = str(tmp_path_factory.mktemp("mmfrb"))
    try:
        return open_dataset({"name": "mmfrb", "edition": "single", "image_size": 32})  # no draw depends on the size
    finally:
        if before is not None:
            os.environ["VSEBENCH_HOME"] = before


def test_the_same_bytes_everywhere() -> None:
    digest = hashlib.sha256()
    for number in range(12):
        for item in views(number, 0, 64):
            digest.update(item.image or b"")
            digest.update("\n".join([item.id, *item.texts, str(item.label)]).encode())
            digest.update(np.asarray(item.landmarks).tobytes())
    assert digest.hexdigest()[:16] == DIGEST


def test_the_stored_png_is_a_png() -> None:
    item = views(0, 0, 64)[0]
    with Image.open(io.BytesIO(item.image or b"")) as image:
        assert image.size == (64, 64)
        assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 50


def test_ceilings_are_the_bayes_accuracy() -> None:
    table = joint()
    assert float(sum(table.values())) == pytest.approx(1)
    rng = np.random.default_rng(0)
    keys = list(table)
    draws = rng.choice(len(keys), size=40_000, p=[float(v) for v in table.values()])
    right = {"image alone": 0, "text alone": 0, "both": 0}
    guess = {(s, t): decide((s, t)) for _, s, t in keys} | {(s, None): decide((s, None)) for _, s, _ in keys}
    guess |= {(None, t): decide((None, t)) for _, _, t in keys}
    for d in draws:
        category, seen, message = keys[d]
        right["image alone"] += guess[seen, None] == category
        right["text alone"] += guess[None, message] == category
        right["both"] += guess[seen, message] == category
    for name, value in ceilings().items():
        assert right[name] / 40_000 == pytest.approx(value, abs=0.01)
    assert ceilings()["both"] - max(ceilings()["image alone"], ceilings()["text alone"]) > 0.4


@pytest.mark.slow
def test_the_data_keeps_the_ceilings(whole: Dataset) -> None:
    assert 5500 <= len(whole) <= 6500
    assert sorted(whole.label_names) == sorted(CATEGORIES.values())
    assert whole.relevance == "group"
    assert "embedded edition (rendered)" in whole.title
    assert check(whole) == []
    for split, rows in whole.splits.items():
        for name, value in mmfrb_oracle(whole, split).items():
            spread = (ceilings()[name] * (1 - ceilings()[name]) / len(rows)) ** 0.5
            assert value == pytest.approx(ceilings()[name], abs=4 * spread), (split, name)


@pytest.mark.slow
def test_the_documentation_says_the_ceilings(whole: Dataset) -> None:
    page = (Path(__file__).parents[2] / "docs" / "mmfrb.md").read_text(encoding="utf-8")
    message = re.findall(r"^\| ([a-z ]+) \| ([\d.]+) % \| ([\d.]+) % \|$", page, re.MULTILINE)
    real = mmfrb_oracle(whole, "test")
    assert {name: (float(a), float(b)) for name, a, b in message} == {
        name: (round(100 * value, 1), round(100 * real[name], 1)) for name, value in ceilings().items()
    }


def test_captions_hold_no_category_but_as_a_distractor() -> None:
    uses = dict.fromkeys(USES, 0)
    lengths = []
    for number in range(120):
        for item in views(number, 0, 32):
            (text,) = item.texts
            lengths.append(len(text.split()))
            uses[str((item.attributes or {})["text_evidence"]).replace("nothing", "casual")] += 1
    assert all(uses.values())
    assert min(lengths) >= 2
    assert max(lengths) <= 24


def test_landmarks_lie_in_the_garment() -> None:
    for number in range(8):
        for item in views(number, 0, 64):
            marks = np.asarray(item.landmarks)
            visible = marks[marks[:, 2] > 0]
            assert len(visible) >= 1 or (item.attributes or {})["image_evidence"].endswith("body")
            assert (visible[:, :2] >= 0).all()
            assert (visible[:, :2] <= 64).all()


def test_fill_counts_pixel_centres() -> None:
    square = [(256, 256), (768, 256), (768, 768), (256, 768)]
    assert fill(square, 4).sum() == 4
    assert fill(square, 4)[1:3, 1:3].all()


def test_matches_may_be_of_the_same_category(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path))
    by_item = open_dataset({"name": "mmfrb", "edition": "single", "items": 40, "image_size": 32})
    by_label = open_dataset({"name": "mmfrb", "edition": "single", "items": 40, "image_size": 32, "relevance": "label"})
    assert (by_item.relevance, by_label.relevance) == ("group", "label")
    assert by_item.fingerprint != by_label.fingerprint
    assert by_item.ids == by_label.ids
