"""The encoders that are made from generated scenes: what they learn from, and that they learn it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vsebench.core.shipped import FOLDER, provenance
from vsebench.data.scenes.model import COLOURS, PATTERNS, PLACES, Message
from vsebench.engine.embedded import images, meaning, texts


@pytest.fixture(scope="module")
def pictures() -> images.Pictures:
    return images.draw_pictures(48, "test")


@pytest.fixture(scope="module")
def captions() -> list[texts.Caption]:
    return texts.draw_captions(400, "test")


def test_cells_have_the_classes_of_the_garment_in_them(pictures: images.Pictures) -> None:
    assert pictures.pixels.shape == (48, 3, 96, 96)
    filled = pictures.classes[..., 0] > images.EMPTY
    assert ((pictures.classes > images.EMPTY).all(-1) == filled).all(), "all attributes of a garment, or none"
    place = pictures.classes[..., list(images.ATTRIBUTES).index("place")]
    columns = torch.arange(3).expand_as(place)
    assert (place[filled] == columns[filled] + 1).all(), "a garment hangs in the column of its place"
    assert filled.any(2).any(1).all(), "every scene has a garment"


@pytest.mark.parametrize("name", list(images.RECIPES))
def test_training_lowers_the_loss(name: str, pictures: images.Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(images.RECIPES, name, replace(images.RECIPES[name], epochs=3))
    trained = images.train(name, pictures, batch_size=16, say=lambda _: None)
    assert trained.history[-1] < trained.history[0]
    with torch.no_grad():
        tokens = trained.tokens(pictures.pixels[:4])
        assert tokens.shape[:2] == (4, 9)
        alone = torch.cat([trained.tokens(pictures.pixels[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(tokens, alone, rtol=1e-4, atol=1e-4)


def test_the_tokenizer_spells_what_it_does_not_know(captions: list[texts.Caption]) -> None:
    tokenizer = texts.make_tokenizer([caption.text for caption in captions])
    assert tokenizer.tokenize("red striped one, on felt") == ["red", "striped", "one", ",", "on", "felt"]
    assert tokenizer.tokenize("zebra") == ["z", "##e", "##b", "##r", "##a"]
    assert tokenizer.unk_token_id not in tokenizer("any other words")["input_ids"]


def _answers(message: Message, caption: str) -> dict[str, dict[str, int]]:
    """Return what is said of some words: word -> question -> answer, without 0."""
    words = caption.replace(",", " ,").replace(":", " :").split()
    table = meaning.answers(message, caption, words)
    return {
        w: {q: int(a) for q, a in zip(meaning.QUESTIONS, row, strict=True) if a}
        for w, row in zip(words, table, strict=True)
    }


def test_every_word_of_a_clause_says_what_the_clause_says() -> None:
    red, blue, left = (("colour", "red"),), (("colour", "blue"),), (("place", "left"),)
    message = Message("reference", "wood", red, others=(blue,), uses=("sport",))
    words = _answers(message, "beside blue one, red one for gym, on wood")
    assert words["blue"] == {"blue": meaning.NOT}
    assert words["red"] == words["gym"] == {"red": meaning.MEANT, "purpose": 2}
    assert words["beside"] == words[","] == {}
    assert words["on"] == words["wood"] == {"setting": 1}
    message = Message("exclusion", "wood", anchor=left, uses=("formal",))
    words = _answers(message, "other one for galas, not left one, on wood")
    assert words["other"] == words["left"] == {"left": meaning.NOT, "purpose": 3}
    message = Message("relation", "wood", anchor=red, side="left", uses=("formal",))
    assert _answers(message, "one left of red one for galas, on wood")["left"]["side"] == 1


def test_a_caption_as_a_whole_says_what_its_clauses_agree_on() -> None:
    red, blue, plain = ("colour", "red"), ("colour", "blue"), ("pattern", "plain")

    def whole(message: Message, caption: str) -> dict[str, int]:
        return {
            q: int(a) for q, a in zip(meaning.QUESTIONS, meaning.answers_of_all(message, caption), strict=True) if a
        }

    message = Message("reference", "wood", (red,), others=((blue,),), uses=("sport",))
    answers = {"red": meaning.MEANT, "blue": meaning.NOT, "purpose": 2, "setting": 1}
    assert whole(message, "beside blue one, red one for gym, on wood") == answers
    message = Message("selection", "wood", (plain,), uses=("sport", "casual"), choices=(red, blue))
    answers = {"plain": meaning.MEANT, "red": meaning.MEANT, "blue": meaning.MEANT, "setting": 1}
    assert whole(message, "on wood, two plain ones: red one for gym, blue one for walks") == answers
    message = Message("hard", "wood", (red,), uses=("sport", "casual"), condition="plain")
    assert whole(message, "red piece, if plain for gym, else for walks, on wood") == {
        "red": meaning.MEANT,
        "setting": 1,
    }


def test_what_a_clause_denies_is_the_opposite_of_what_it_affirms() -> None:
    signs = torch.zeros(2, len(meaning.VALUES))
    signs[0, meaning.VALUES.index("red")], signs[1, meaning.VALUES.index("red")] = 1, -1
    affirmed, denied = texts._contrasts(signs)
    assert torch.equal(affirmed, -denied)
    of = dict(zip(meaning.VALUES, affirmed.tolist(), strict=True))
    assert of["red"] == 1
    assert {of[colour] for colour in COLOURS if colour != "red"} == {-0.25}, "a garment has one colour"
    assert of["plain"] == of["left"] == 0


def test_both_sides_of_a_choice_and_of_a_condition_are_meant() -> None:
    choices, plain = (("colour", "red"), ("colour", "blue")), (("pattern", "plain"),)
    message = Message("selection", "wood", plain, uses=("sport", "casual"), choices=choices)
    words = _answers(message, "on wood, two plain ones: red one for gym, blue one for walks")
    assert words["gym"] == {"red": meaning.MEANT, "purpose": 2}
    assert words["walks"] == {"blue": meaning.MEANT, "purpose": 1}
    assert words["ones"] == {"plain": meaning.MEANT}
    message = Message("hard", "wood", choices[:1], uses=("sport", "casual"), condition="plain")
    words = _answers(message, "red piece, if plain for gym, else for walks, on wood")
    assert words["gym"] == {"plain": meaning.MEANT, "purpose": 2}
    assert words["walks"] == {"plain": meaning.NOT, "purpose": 1}


def test_all_captions_have_their_clauses_where_the_message_has_them(captions: list[texts.Caption]) -> None:
    encoded = texts.encode(texts.make_tokenizer([caption.text for caption in captions]), captions)
    names = list(meaning.QUESTIONS)
    assert encoded.ids.shape == encoded.answers.shape[:2]
    for caption, about in zip(captions, encoded.answers, strict=True):
        message = caption.message
        for _, value in (*message.target, *message.choices):
            assert (about[:, names.index(value)] == meaning.MEANT).sum() >= 2, caption
        for _, value in message.anchor:
            assert (about[:, names.index(value)] == meaning.NOT).sum() >= 4, caption
        assert about[:, names.index("purpose")].any() or message.kind == "complement"
        assert (about[1:, names.index("setting")] > 0).sum() == 2, caption
    assert not encoded.answers[encoded.ids == 0].any(), "nothing is asked of padding"


def test_bert_learns_to_fill_in_words_and_what_they_are_about(captions: list[texts.Caption]) -> None:
    held_out = texts.draw_captions(40, "held out")
    model, tokenizer = texts.train_bert(captions, epochs=3, batch_size=16, lr=3e-3, say=lambda _: None)
    words = [word for caption in held_out for word in tokenizer.tokenize(caption.text)]
    most = max(words.count(word) for word in set(words)) / len(words)
    assert texts.filled_in(model, tokenizer, held_out) > most + 0.03, "more than the most frequent word"
    assert model.config.vocab_size == len(tokenizer)
    probed = texts.probe(model.bert, tokenizer, captions[:120], held_out)
    torch.manual_seed(0)
    guessed = texts.probe(type(model.bert)(model.config).eval(), tokenizer, captions[:120], held_out)
    assert probed["purpose"] > guessed["purpose"] + 0.1, (probed, guessed)


def test_words_that_stand_alike_have_near_vectors(captions: list[texts.Caption], tmp_path: Path) -> None:
    vectors = texts.word_vectors([caption.text for caption in captions], dim=16)
    np.testing.assert_allclose(np.mean(np.square(np.stack(list(vectors.values())))), 1.0)
    names = list(vectors)
    table = np.stack([vectors[name] / np.linalg.norm(vectors[name]) for name in names])
    nearest = [names[i] for i in np.argsort(-(table @ table[names.index("red")]))[1:3]]
    assert set(nearest) <= {*COLOURS, *PATTERNS, *PLACES}, "what stands before the same nouns"
    file = tmp_path / "vectors.txt"
    texts.write_glove(vectors, file)
    first = file.read_text(encoding="utf-8").splitlines()[0].split(" ")
    assert first[0] == names[0]
    np.testing.assert_allclose(np.array(first[1:], float), vectors[names[0]], atol=1e-5)


def test_what_is_shipped_is_what_provenance_describes() -> None:
    files = {name: FOLDER / f"{name}.safetensors" for name in images.RECIPES}
    files |= {
        "scenes_bert": FOLDER / "scenes_bert" / "model.safetensors",
        "scenes_vectors": FOLDER / "scenes_vectors.txt",
    }
    assert set(provenance()) == set(files)
    for name, file in files.items():
        assert file.stat().st_size <= 1.5e6
        assert hashlib.sha256(file.read_bytes()).hexdigest() == provenance()[name]["sha256"], name


@pytest.mark.parametrize("name", list(images.RECIPES))
def test_shipped_image_encoders_know_what_hangs_in_a_cell(name: str) -> None:
    """By linear classifiers on 250 scenes; provenance has the numbers of 1,500."""
    learn, test = images.draw_pictures(250, "test-learn"), images.draw_pictures(120, "test")
    accuracy = images.probe(images.shipped(name), learn, test)
    assert accuracy["colour"] >= 0.97, accuracy
    assert accuracy["place"] >= 0.97, accuracy
    assert accuracy["silhouette"] >= 0.85, accuracy
    untrained = images.Trained(images.shipped(name).backbone.apply(_forget).eval(), images.RECIPES[name])
    assert images.probe(untrained, learn, test)["silhouette"] < 0.7, "the probe alone tells no silhouettes"


def _forget(module: torch.nn.Module) -> None:
    if hasattr(module, "reset_parameters"):
        torch.manual_seed(0)
        module.reset_parameters()  # type: ignore[operator]


def test_shipped_bert_reads_captions() -> None:
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "scenes_bert")
    model = AutoModel.from_pretrained(FOLDER / "scenes_bert", dtype=torch.float32).eval()
    words = tokenizer([c.text for c in texts.draw_captions(4, "test")[:2]], padding=True, return_tensors="pt")
    assert tokenizer.unk_token_id not in words["input_ids"]
    learn, test = texts.draw_captions(150, "test-learn"), texts.draw_captions(100, "test")
    accuracy = texts.probe(model, tokenizer, learn, test)
    assert min(accuracy.values()) >= 0.85, accuracy


def test_the_documentation_has_the_probes_of_what_is_shipped() -> None:
    page = (Path(__file__).parents[3] / "docs" / "mmfrb.md").read_text(encoding="utf-8")

    def shown(name: str) -> str:
        return page.partition(f"<!-- scenes: {name} -->\n")[2].partition(f"<!-- /scenes: {name} -->")[0]

    def table(names: Sequence[str], rows: Mapping[str, Mapping[str, float]]) -> str:
        lines = [f"| `{row}` | {' | '.join(f'{100 * n[name]:.1f}' for name in names)} |\n" for row, n in rows.items()]
        return f"| | {' | '.join(names)} |\n|--|{'--:|' * len(names)}\n{''.join(lines)}"

    probes = {name: facts["reached"].get("probe accuracy", {}) for name, facts in provenance().items()}
    bert = probes["scenes_bert"]
    assert min(bert.values()) >= 0.9
    assert shown("words") == table(list(bert), {"scenes_bert": bert})
    for encoder in images.RECIPES:
        assert probes[encoder]["silhouette"] >= 0.95
        assert min(probes[encoder]["colour"], probes[encoder]["place"]) >= 0.97
    assert shown("probes") == table([*images.ATTRIBUTES, "setting"], {name: probes[name] for name in images.RECIPES})
