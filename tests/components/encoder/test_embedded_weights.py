"""``weights: embedded``: the encoders that ship with the package, what they refuse, and what a run's id has of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from vsebench.config.identity import run_id
from vsebench.config.resolve import resolve
from vsebench.core import shipped
from vsebench.core.digests import path_digest
from vsebench.core.errors import ConfigError
from vsebench.core.registry import IMAGE_ENCODERS, TEXT_ENCODERS
from vsebench.data.vocabulary import Vocabulary
from vsebench.engine.embedded import images

READERS = {"scenes_cnn": "timm_cnn", "scenes_vit": "timm_vit"}
WORDS = Vocabulary.build(["red one on wood", "zebra"])


@pytest.mark.parametrize("name", READERS)
def test_image_tokens_are_those_of_the_trained_encoder(name: str) -> None:
    pixels = images.draw_pictures(6, "test").pixels
    encoder = IMAGE_ENCODERS.build(READERS[name], {"model": name, "weights": "embedded"}).eval()
    with torch.no_grad():
        tokens, expected = encoder(pixels), images.shipped(name).tokens(pixels)
    assert encoder.frozen
    assert tokens.grid == (3, 3)
    assert encoder.preprocessing.size == (96, 96)
    torch.testing.assert_close(tokens.values, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", READERS)
def test_a_part_of_it_can_train(name: str) -> None:
    pixels = images.draw_pictures(2, "test").pixels
    options = {"model": name, "weights": "embedded", "finetune": "last"}
    encoder = IMAGE_ENCODERS.build(READERS[name], options).eval()
    assert not encoder.frozen
    torch.testing.assert_close(encoder.after_cut(encoder.before_cut(pixels)).values, encoder(pixels).values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 64}, "'image_size' does not go with weights: embedded: 'scenes_cnn' has 96. Leave it out."),
        ({"mean": [0.1, 0.1, 0.1]}, "'mean' does not go with weights: embedded"),
        ({"model_args": {"stem_width": 8}}, "'model_args' does not go with weights: embedded"),
        ({"merge": 3}, "'merge' does not go with weights: embedded: 'scenes_cnn' has 1"),
        ({"model": "scenes_vit"}, "timm_cnn has no embedded weights of 'scenes_vit'. It is for timm_vit."),
        ({"model": "scenes_cmn"}, "Did you mean 'scenes_cnn'? Known: scenes_cnn."),
        ({"revision": "a" * 40}, "the embedded weights of 'scenes_cnn' are of version"),
    ],
)
def test_what_contradicts_the_weights_is_refused_with_the_configuration(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        resolve({"image_encoder": {"name": "timm_cnn", "model": "scenes_cnn", "weights": "embedded", **options}})
    assert message in str(error.value)
    assert error.value.path[:2] == ("image_encoder", next(iter(options)))


def test_the_same_values_do_not_contradict() -> None:
    options = {"model": "scenes_cnn", "weights": "embedded", "image_size": 96, "merge": 1}
    assert IMAGE_ENCODERS.build("timm_cnn", options).preprocessing.size == (96, 96)


@pytest.mark.parametrize(("reader", "model"), [("timm_cnn", "test_resnet"), ("timm_vit", "test_vit")])
def test_merged_tokens_are_means_of_neighbours(reader: str, model: str) -> None:
    options = {"model": model, "weights": "none", "image_size": 64 if reader == "timm_cnn" else 160}
    pixels = torch.randint(0, 256, (2, 3, options["image_size"], options["image_size"]), dtype=torch.uint8)
    whole = IMAGE_ENCODERS.build(reader, options).eval()
    merged = IMAGE_ENCODERS.build(reader, {**options, "merge": 2}).eval()
    merged.load_state_dict(whole.state_dict())
    full, few = whole(pixels), merged(pixels)
    (height, width), prefix = full.grid, full.values.shape[1] - full.grid[0] * full.grid[1]
    squares = full.values[:, prefix:].unflatten(1, (height // 2, 2, width // 2, 2)).mean((2, 4)).flatten(1, 2)
    assert few.grid == (height // 2, width // 2)
    torch.testing.assert_close(few.values, torch.cat([full.values[:, :prefix], squares], 1), rtol=1e-4, atol=1e-5)


def test_a_merge_that_leaves_regions_over_is_refused() -> None:
    block = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 64, "merge": 3}
    with pytest.raises(ConfigError, match=r"merge \(3\) must divide the 2 × 2 regions of 'test_resnet'"):
        resolve({"image_encoder": block})


def test_bert_reads_the_captions_of_scenes() -> None:
    encoder = TEXT_ENCODERS.build("bert", {"model": "scenes_bert", "weights": "embedded"}, vocabulary=None)
    assert encoder.frozen
    assert encoder.origin == {"model": "scenes_bert", "commit": shipped.version_of(shipped.FOLDER / "scenes_bert")}
    words = encoder.tokenizer(["not red striped one"])
    assert words.ids.shape == (1, 6)
    assert encoder(words).values.shape == (1, 6, 80)
    for options in ({"config": {"hidden_size": 8}}, {"model": "bert-base-uncased"}, {"revision": "b" * 40}):
        with pytest.raises(ConfigError):
            TEXT_ENCODERS.build("bert", {"model": "scenes_bert", "weights": "embedded", **options}, vocabulary=None)


def test_word_vectors_come_from_the_shipped_file() -> None:
    encoder = TEXT_ENCODERS.build("lstm", {"vectors": "embedded", "dim_hidden": 8}, vocabulary=WORDS)
    line = next(t for t in shipped.VECTORS.read_text(encoding="utf-8").splitlines() if t.startswith("red "))
    row = encoder.embedding.weight[2 + WORDS.words.index("red")]
    torch.testing.assert_close(row, torch.tensor([float(v) for v in line.split(" ")[1:]]))
    assert ", 1 random)" in encoder.notes()[0], "the zebra"
    with pytest.raises(ConfigError, match=r"dim_word \(32\) differs from the file's 64"):
        TEXT_ENCODERS.build("lstm", {"vectors": "embedded", "dim_word": 32}, vocabulary=WORDS)


def test_other_files_are_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other content under the same name gives other ids; a stored run comes back with its own or not at all."""

    def ids() -> list[str]:
        rows = [
            {"image_encoder": {"name": "timm_cnn", "model": "scenes_cnn", "weights": "embedded"}},
            {"text_encoder": {"name": "bert", "model": "scenes_bert", "weights": "embedded"}},
            {"text_encoder": {"name": "lstm", "vectors": "embedded"}},
        ]
        parts = {"seed": 0, "fingerprint": "", "metric_versions": {}, "metrics": [], "select": {}}
        return [run_id(resolve(row), **parts) for row in rows]

    before = ids()
    assert before == ids()
    versions = dict(zip(("scenes_cnn.safetensors", "scenes_bert", "scenes_vectors.txt"), "xyz", strict=True))
    monkeypatch.setattr(shipped, "path_digest", lambda file: versions[file.name])
    assert not set(before) & set(ids())
    assert path_digest(shipped.VECTORS) != "z"
    record = {"model": "scenes_cnn", "weights": "embedded", "revision": "a" * 40}
    with pytest.raises(ConfigError, match="another release of vsebench has those"):
        IMAGE_ENCODERS.build("timm_cnn", record)
