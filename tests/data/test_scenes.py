"""The edition of scenes: the same bytes everywhere, captions that fit their picture, ceilings that the data keeps."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
from oracles import chances, retrieval_scores, rows, scene_oracle
from PIL import Image

from vsebench.core.registry import DATASETS
from vsebench.data.builders._scenes import scene_items
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.data.scenes.ceilings import OBSERVERS, ceilings, shares
from vsebench.data.scenes.model import (
    ATTRIBUTES,
    SETTINGS,
    USES,
    Garment,
    Message,
    Scene,
    Statement,
    answer,
    draw_scene,
    draw_statements,
    likelihood,
)
from vsebench.data.scenes.wording import write

KINDS = ("complement", "redundant", "easy", "hard", "selection", "reference", "exclusion", "relation")
DIGEST = "23811afcada1c4c7"
RED = Garment("skirt", "red", "striped", "left")
BLUE = Garment("coat", "blue", "plain", "right")


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Scene, list[Statement]]]:
    """3,000 scenes with their statements."""
    result = []
    for number in range(3000):
        rng = Random(f"scene-1-{number}")
        scene = draw_scene(rng)
        result.append((scene, draw_statements(scene, rng)))
    return result


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    file = tmp_path_factory.mktemp("scenes") / "scenes.h5"
    options = {"edition": "scenes", "scenes": 200, "image_size": 48}
    DATASETS.get("mmfrb").build(options, out=file, progress=lambda done, total: None)
    return Dataset.open(file)


def test_the_same_bytes_everywhere() -> None:
    digest = hashlib.sha256()
    for number in range(12):
        for item in scene_items(number, 0, 96):
            digest.update(item.image or b"")
            digest.update("\n".join([item.id, *item.texts, str(item.label), str(item.attributes)]).encode())
            digest.update(np.asarray(item.landmarks).tobytes() + np.asarray(item.boxes).tobytes())
    assert digest.hexdigest()[:16] == DIGEST


def test_pictures_show_what_is_stored() -> None:
    for number in range(20):
        item = next(scene_items(number, 0, 96))
        with Image.open(io.BytesIO(item.image or b"")) as image:
            pixels = np.asarray(image.convert("RGB")).astype(int)
        assert pixels.shape == (96, 96, 3)
        scene = Scene(tuple(Garment(**g) for g in json.loads(item.attributes["garments"])), "")
        boxes = np.asarray(item.boxes, int)
        assert len(boxes) == len(scene.garments)
        marks = np.asarray(item.landmarks)
        assert (marks[6 * len(boxes) :] == 0).all()
        for (x0, y0, x1, y1), garment in zip(boxes, scene.garments, strict=True):
            assert 16 * 2 * ["left", "middle", "right"].index(garment.place) - 4 <= x0 < x1 <= 96
            inside = pixels[y0:y1, x0:x1].reshape(-1, 3)
            cloth = {"red": (0, 1), "blue": (2, 0), "green": (1, 0)}.get(garment.colour)
            if cloth is not None:  # some of it is clearly more of one channel than of another
                assert (inside[:, cloth[0]] - inside[:, cloth[1]] > 70).mean() > 0.15, garment


def test_shares_of_kinds_are_what_the_draws_give(drawn: list[tuple[Scene, list[Statement]]]) -> None:
    expected = shares()
    assert sum(expected.values()) == 1
    assert {kind for _, kind in expected} == set(KINDS)
    counts = Counter((len(scene.garments), s.message.kind) for scene, statements in drawn for s in statements)
    total = sum(counts.values())
    for key, share in expected.items():
        assert counts[key] / total == pytest.approx(float(share), abs=4 * (float(share) / total) ** 0.5), key
    uses = Counter(s.use for scene, statements in drawn if len(scene.garments) == 1 for s in statements)
    assert max(uses.values()) / sum(uses.values()) == pytest.approx(1 / len(USES), abs=0.03)


def test_picture_and_caption_together_always_tell_the_class(drawn: list[tuple[Scene, list[Statement]]]) -> None:
    for scene, statements in drawn:
        for statement in statements:
            assert answer(scene, statement.message) == (statement.target, statement.use)
            assert likelihood(statement.message, scene) > 0
            assert Message.from_json(statement.message.to_json()) == statement.message


def test_captions_of_a_scene_mention_every_attribute_of_every_garment(
    drawn: list[tuple[Scene, list[Statement]]],
) -> None:
    for scene, statements in drawn:
        messages = [s.message for s in statements]
        mentioned = {pair for m in messages for part in (m.target, m.anchor, m.choices, *m.others) for pair in part}
        for garment in scene.garments:
            assert set(garment.describe(tuple(ATTRIBUTES))) <= mentioned, (garment, messages)


def test_ceilings_are_what_the_observers_reach(drawn: list[tuple[Scene, list[Statement]]]) -> None:
    results: dict[str, list[list[float]]] = {}
    for scene, statements in drawn:
        for s in statements:
            label = f"{s.use} {scene.garments[s.target].silhouette}"
            values = list(chances(scene, s.message, label).values())
            results.setdefault("all", []).append(values)
            results.setdefault(s.message.kind, []).append(values)
    for kind, expected in ceilings().items():
        sample = np.array(results[kind])
        error = sample.std(0) / len(sample) ** 0.5
        assert np.abs(sample.mean(0) - list(expected.values())) == pytest.approx(0, abs=4 * float(error.max()) + 1e-9)


def test_the_posteriors_are_the_shares_of_the_draws(drawn: list[tuple[Scene, list[Statement]]]) -> None:
    """What the caption of a selection leaves open is open as far as is said: an independent count of the draws."""
    for kind in ("selection", "hard"):
        sport = [
            s.use == "sport"
            for _, statements in drawn
            for s in statements
            if s.message.kind == kind and set(s.message.uses) == {"sport", "casual"}
        ]
        assert len(sport) > 150
        assert np.mean(sport) == pytest.approx(10 / 17, abs=4 * 0.5 / len(sport) ** 0.5)


def test_the_product_of_both_modalities_leaves_much_to_fusion() -> None:
    everything = ceilings()["all"]
    assert everything["product rule"] < 0.62
    assert everything["both"] > 0.97
    assert max(everything["image alone"], everything["text alone"]) < 0.3
    assert next(name for name, _, _ in rows()) == "all"


def test_words_without_their_order_do_not_tell_the_target() -> None:
    scene = Scene((RED, BLUE), SETTINGS[0])
    for first, second in ((RED, BLUE), (BLUE, RED)):
        for attribute in ("colour", "pattern", "place"):
            message = Message(
                "reference",
                scene.setting,
                first.describe([attribute]),
                others=(second.describe([attribute]),),
                uses=("sport",),
            )
            other = Message(
                "reference",
                scene.setting,
                second.describe([attribute]),
                others=(first.describe([attribute]),),
                uses=("sport",),
            )
            assert bags(message) == bags(other)
            assert answer(scene, message) != answer(scene, other)


def bags(message: Message) -> set[tuple[str, ...]]:
    """Return the sorted words of many captions that say a message."""
    return {tuple(sorted(re.findall(r"\w+", write(message, Random(i))))) for i in range(120)}


def test_a_caption_fits_only_scenes_that_it_describes() -> None:
    red_left = Message("reference", "wood", (("colour", "red"),), others=((("colour", "blue"),),), uses=("sport",))
    assert likelihood(red_left, Scene((RED, BLUE), "wood")) == 1
    assert likelihood(red_left, Scene((RED, BLUE), "sand")) == 0
    assert likelihood(red_left, Scene((RED,), "wood")) == 0
    green = Garment("coat", "green", "plain", "right")
    assert likelihood(red_left, Scene((RED, green), "wood")) == 0
    excluded = Message("exclusion", "wood", anchor=(("colour", "red"),), uses=("casual",))
    assert answer(Scene((RED, BLUE), "wood"), excluded) == (1, "casual")
    left_of = Message("relation", "wood", anchor=(("colour", "blue"),), side="left", uses=("formal",))
    assert answer(Scene((RED, BLUE), "wood"), left_of) == (0, "formal")
    with pytest.raises(ValueError):
        answer(Scene((BLUE,), "wood"), left_of)


def test_the_file_holds_scenes_and_messages(small: Dataset) -> None:
    assert len(small) == 600
    assert {k: len(v) for k, v in small.splits.items()} == {"train": 420, "val": 60, "test": 120}
    assert small.relevance == "group"
    assert check(small) == []
    assert len(small.label_names) == 18
    result = scene_oracle(small, "test")
    assert result["all"]["both"] == 1
    groups = [set(np.asarray(small.groups)[rows].tolist()) for rows in small.splits.values()]
    assert not groups[0] & groups[2]
    assert small.provenance["ceilings"] == pytest.approx(ceilings()["all"])


def test_another_seed_draws_other_scenes() -> None:
    first, second = (next(scene_items(0, seed, 48)) for seed in (0, 1))
    assert first.image != second.image


@pytest.mark.slow
def test_the_documentation_says_the_ceilings(drawn: list[tuple[Scene, list[Statement]]]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "mmfrb.md").read_text(encoding="utf-8")
    table = page.split("<!-- scenes -->")[1].split("<!-- /scenes -->")[0]
    message = re.findall(
        r"^\| `?([a-z]+)`? \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", table, re.M
    )
    expected = [
        (name, *(f"{100 * value:.1f}" for value in (share, *(values[o] for o in OBSERVERS))))
        for name, share, values in rows()
    ]
    assert message == expected
    best = page.split("<!-- scenes: retrieval -->")[1].split("<!-- /scenes: retrieval -->")[0]
    numbers = [float(n) for n in re.findall(r"\| ([\d.]+)", best)]
    assert numbers == [round(100 * v, 1) for v in best_recall()]


def best_recall() -> list[float]:
    """Recall@1, 5 and 10 on the test scenes of seed 0, image to text and text to image, ranked by the best score."""
    scenes, messages, owner = [], [], []
    for number in range(8, 6000):
        if number % 10 < 8:
            continue
        rng = Random(f"scene-0-{number}")
        scene = draw_scene(rng)
        messages += [s.message for s in draw_statements(scene, rng)]
        owner += [len(scenes)] * 3
        scenes.append(scene)
    scores, rows_of = retrieval_scores(messages, scenes), np.array(owner)
    return [
        *(_recall(scores.T, rows_of[None, :] == np.arange(len(scenes))[:, None], k) for k in (1, 5, 10)),
        *(_recall(scores, rows_of[:, None] == np.arange(len(scenes))[None, :], k) for k in (1, 5, 10)),
    ]


def _recall(scores: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """Expected share of queries with a relevant item among the first k, tied items in random order: a plain loop."""
    hits = []
    for row, right in zip(scores, relevant, strict=True):
        miss, place = 1.0, 0
        for value in -np.unique(-row):
            tied = int((row == value).sum())
            good = int(right[row == value].sum())
            free = min(k - place, tied)
            for i in range(free):  # no relevant one among the first places of the tied
                miss *= max(0, tied - good - i) / (tied - i)
            place += tied
            if place >= k or miss == 0:
                break
        hits.append(1 - miss)
    return float(np.mean(hits))
