"""The encoders that are made from generated scenes: what they learn from, and that they learn it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vsebench.core.shipped import FOLDER, provenance
from vsebench.data.scenes.model import COLOURS, PATTERNS
from vsebench.engine.embedded import images, texts


@pytest.fixture(scope="module")
def pictures() -> images.Pictures:
    return images.draw_pictures(48, "test")


@pytest.fixture(scope="module")
def captions() -> list[str]:
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


def test_the_tokenizer_spells_what_it_does_not_know(captions: list[str]) -> None:
    tokenizer = texts.make_tokenizer(captions)
    assert tokenizer.tokenize("the red striped one, on felt") == ["the", "red", "striped", "one", ",", "on", "felt"]
    assert tokenizer.tokenize("zebra") == ["z", "##e", "##b", "##r", "##a"]
    assert tokenizer.unk_token_id not in tokenizer("any other words")["input_ids"]


def test_bert_learns_to_fill_in_words(captions: list[str]) -> None:
    held_out = texts.draw_captions(40, "held out")
    model, tokenizer, accuracy = texts.train_bert(captions, held_out, epochs=6, batch_size=32, say=lambda _: None)
    assert accuracy > 0.3, "far above one word of a hundred"
    assert model.config.vocab_size == len(tokenizer)


def test_words_that_stand_alike_have_near_vectors(captions: list[str], tmp_path: Path) -> None:
    vectors = texts.word_vectors(captions, dim=16)
    names = list(vectors)
    table = np.stack([vectors[name] / np.linalg.norm(vectors[name]) for name in names])
    nearest = [names[i] for i in np.argsort(-(table @ table[names.index("red")]))[1:3]]
    assert set(nearest) <= {*COLOURS, *PATTERNS}, "what stands before the same nouns"
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
    words = tokenizer(texts.draw_captions(4, "test")[:2], padding=True, return_tensors="pt")
    assert tokenizer.unk_token_id not in words["input_ids"]
    with torch.no_grad():
        assert model(**words).last_hidden_state.isfinite().all()


def test_the_documentation_has_the_probes_of_what_is_shipped() -> None:
    page = (Path(__file__).parents[3] / "docs" / "mmfrb.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- scenes: probes -->\n")[2].partition("<!-- /scenes: probes -->")[0]
    names = [*images.ATTRIBUTES, "setting"]
    rows = []
    for encoder in images.RECIPES:
        reached = provenance()[encoder]["reached"]["probe accuracy"]
        assert reached["silhouette"] >= 0.95
        assert min(reached["colour"], reached["place"]) >= 0.97
        rows.append(f"| `{encoder}` | {' | '.join(f'{100 * reached[name]:.1f}' for name in names)} |\n")
    assert shown == f"| | {' | '.join(names)} |\n|--|{'--:|' * len(names)}\n{''.join(rows)}"
