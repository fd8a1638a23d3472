"""BERT from a local folder that the test writes, from scratch, partly frozen, and with the image in its first token."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import CONFIG, bert_folder

from vsebench.core.errors import ConfigError
from vsebench.core.registry import TEXT_ENCODERS
from vsebench.data.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(bert_folder())


def build(**options: Any) -> Any:
    return TEXT_ENCODERS.build("bert", options, vocabulary=Vocabulary.build(["a red hat", "a blue shirt"]))


def test_a_local_folder(folder: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    encoder = build(model=str(folder)).eval()
    texts = ["a red hat", "blue shirt a red hat"]
    tokens = encoder(encoder.tokenizer(texts))
    assert encoder.frozen
    assert not any(p.requires_grad for p in encoder.parameters())
    raw = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        message = AutoModel.from_pretrained(folder).eval()(**raw).last_hidden_state
    torch.testing.assert_close(tokens.values, message, atol=1e-5, rtol=1e-5)
    assert tokens.final is None, "pooling: last takes the last real token"
    assert build(model=str(folder), max_length=4).tokenizer(texts).ids.shape == (2, 4)


def test_the_same_folder_has_the_same_digests(folder: Path) -> None:
    a, b = build(model=str(folder)), build(model=str(folder))
    assert a.weights_digest() == b.weights_digest()
    assert a.tokenizer.digest == b.tokenizer.digest
    with torch.no_grad():
        next(b.parameters()).add_(1)
    assert a.weights_digest() != b.weights_digest()


def test_the_last_layers_train(folder: Path) -> None:
    encoder = build(model=str(folder), finetune="last", layers=1)
    trained = {n.split("layer.")[1][0] for n, p in encoder.named_parameters() if p.requires_grad and "layer." in n}
    assert trained == {"2"}
    with pytest.raises(ConfigError, match=r"layers \(3\) must be fewer than the model's 3"):
        build(model=str(folder), finetune="last", layers=3)


def test_the_image_enters_at_the_first_token() -> None:
    torch.manual_seed(0)
    vocabulary = Vocabulary.build(["a red hat"])
    options = {"weights": "none", "config": CONFIG, "finetune": "all", "visual": True}
    encoder = TEXT_ENCODERS.build("bert", options, vocabulary=vocabulary, visual_dim=5).eval()
    words = encoder.tokenizer(["a red hat", "hat"])
    plain = encoder(words)
    with torch.no_grad():
        torch.testing.assert_close(encoder(words, visual=torch.ones(2, 5)).values, plain.values)
        torch.nn.init.normal_(encoder.visual.weight)
        assert not torch.allclose(encoder(words, visual=torch.ones(2, 5)).values, plain.values, atol=1e-3)
        torch.testing.assert_close(encoder(words, visual=torch.zeros(2, 5)).values, plain.values)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"model": "no/such-model"}, "transformers cannot load 'no/such-model'"),
        ({"weights": "none", "config": {"hiden_size": 16}}, "'hiden_size' is no setting of BertConfig"),
        ({"weights": "none", "config": {"hidden_size": 15}}, "transformers cannot make this model"),
        ({"weights": "hub", "config": CONFIG}, "'config' goes with weights: none"),
        ({"weights": "none", "config": CONFIG, "visual": True}, "finetune: all"),
        ({"weights": "none", "config": CONFIG, "visual": True, "finetune": "all"}, "needs an image encoder"),
    ],
)
def test_mistakes(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        build(**options)


def test_bert_and_bag_side_by_side(folder: Path) -> None:
    vocabulary = Vocabulary.build(["a red hat", "a blue shirt", "a a a"])
    encoder = TEXT_ENCODERS.build("bert_bow", {"model": str(folder), "scale": 2.0}, vocabulary=vocabulary).eval()
    assert encoder.frozen
    tokens = encoder(encoder.tokenizer(["a red hat", "unheard words", "blue"]))
    assert tokens.values.shape == (3, 1, 16 + len(vocabulary))
    bag = tokens.values[:, 0, 16:]
    assert bag.norm(dim=1).tolist() == pytest.approx([2.0, 0.0, 2.0])
    assert bag[2].argmax() == 2 + vocabulary.words.index("blue")
    assert tokens.mask.all()


def test_the_bag_stays_on_the_cpu(folder: Path) -> None:
    """Texts are read on the CPU: by worker processes, and after the encoder has gone to another device."""
    vocabulary = Vocabulary.build(["a red hat", "a blue shirt", "a a a"])
    encoder = TEXT_ENCODERS.build("bert_bow", {"model": str(folder)}, vocabulary=vocabulary)
    texts = ["a red hat", "blue", ""]
    wanted = encoder.tokenizer(texts).bag
    assert torch.equal(wanted, encoder.bow(encoder.bow.tokenizer(texts)).values[:, 0])
    encoder.to("meta")
    bag = encoder.tokenizer(texts).bag
    assert bag.device.type == "cpu"
    assert torch.equal(bag, wanted)
    again = pickle.loads(pickle.dumps(encoder.tokenizer))(texts)
    assert torch.equal(again.bag, wanted)


def test_cut_texts_are_counted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts = ["a red hat", "a red hat with dots", "a", "", "a " * 600]
    assert build(model=str(folder), max_length=5).tokenizer.truncated(texts) == 2, "[CLS] and [SEP] count"
    assert build(model=str(folder), max_length=4).tokenizer.truncated(texts) == 3
    assert build(model=str(folder), max_length=4).tokenizer.truncated([]) == 0
    scratch = build(weights="none", config=CONFIG, finetune="all", max_length=4)
    assert scratch.tokenizer.truncated(texts) == 2, "three words fit behind [CLS]"
    vocabulary = Vocabulary.build(texts)
    both = TEXT_ENCODERS.build("bert_bow", {"model": str(folder), "max_length": 5}, vocabulary=vocabulary)
    assert both.tokenizer.truncated(texts) == 2
    both = TEXT_ENCODERS.build("bert_bow", {"model": str(folder), "max_length": 60}, vocabulary=vocabulary)
    assert both.tokenizer.truncated(texts) == 1
    assert not caplog.records
