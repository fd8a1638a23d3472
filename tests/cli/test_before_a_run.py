"""What can be known before a run is known before it: all of it at once, a line each, and nothing is trained."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import vsebench

from vsebench.config import document
from vsebench.config.buildable import check_files
from vsebench.config.index_experiment import load_index_experiment
from vsebench.config.resolve import resolve
from vsebench.core.errors import ConfigError
from vsebench.ops._vector_files import FASTTEXT

Write = Callable[[Any], Path]
CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32}


def refused(write: Write, content: dict[str, Any], tmp_path: Path, *arguments: str) -> list[str]:
    """The lines that a plan is refused with, without the place."""
    done = vsebench("sweep", write(content), "--dry-run", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert not (tmp_path / "runs").exists()
    return [line.partition(": ")[2] for line in done.stderr.removeprefix("error: ").splitlines()]


def test_names_of_the_file(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    tiny_experiment["systems"] = {
        "cnn": {"system": "vse", "image_encoder": {**CNN, "model": "resnet81"}, "fusion": "GATD"},
        "terms": {"system": "vse", "objective": [{"name": "cross_entropyy"}, {"name": "triplett"}]},
    }
    lines = refused(write_experiment, tiny_experiment, tmp_path, "-o", "train.epochz=1", "-o", "train.batch_size=x")
    expected = [
        "'batch_size': must be an integer. Got 'x'.",
        "unknown key 'epochz' in train. Did you mean 'epochs'?",
        "timm has no model 'resnet81'. Did you mean 'resnet",
        "unknown fusion 'GATD'. Did you mean 'gated'?",
        "unknown objective 'cross_entropyy'. Did you mean 'cross_entropy'?",
        "unknown objective 'triplett'. Did you mean 'triplet'?",
    ]
    assert len(lines) == len(expected), lines
    for line, beginning in zip(lines, expected, strict=True):
        assert line.startswith(beginning)


def test_parts_and_files(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    base = {"system": "vse", "dim": 16, "image_encoder": CNN}
    tiny_experiment["systems"] = {
        "two faults": {
            **base,
            "attention": {"name": "self", "heads": 3},
            "image_encoder": {**CNN, "weights": "no.pth"},
        },
        "vectors": {**base, "text_encoder": {"name": "word_vectors", "vectors": "no.txt"}},
        "width": {"system": "cim", "dim": 15, "image_encoder": CNN, "attention": {"heads": 4}},
    }
    assert refused(write_experiment, tiny_experiment, tmp_path) == [
        "weights 'no.pth': no such file.",
        "attention 'self': heads (3) must divide dim (16).",
        "vectors 'no.txt': no such file.",
        "attention 'intra': heads (4) must divide dim (15).",
    ]


def test_a_metric_that_does_not_apply(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    tiny_experiment["metrics"] = ["accuracy", "vqa_accuracy"]
    (line,) = refused(write_experiment, tiny_experiment, tmp_path)
    assert "vqa_accuracy" in line


def test_all_axes_and_rules(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    """Misspelt axes hide neither each other nor what is wrong in the values of the others."""
    tiny_experiment["sweep"] = {
        "base": {"system": "vse", "image_encoder": CNN},
        "grid": {"fusio": ["concat", "gated"], "attention": ["none", "intr"], "train.lrr": [0.1]},
        "zip": [{"hed": ["mlp"], "dim": [16]}],
        "exclude": [{"fusion": "concat"}, {"attention": "inter"}],
    }
    lines = refused(write_experiment, tiny_experiment, tmp_path)
    expected = [
        "unknown axis 'fusio'. Did you mean 'fusion'?",
        "unknown attention 'intr'. Did you mean 'intra'?",
        "unknown key 'lrr' in train.",
        "unknown axis 'hed'. Did you mean 'head'?",
        "'exclude' names 'inter', which is no value of axis 'attention'. Did you mean 'intr'?",
    ]
    assert len(lines) == len(expected), lines
    for line, beginning in zip(lines, expected, strict=True):
        assert line.startswith(beginning)


def test_a_misspelt_block_hides_no_other(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    tiny_experiment |= {"dataset": "mmfbr", "sweep": {"gird": {"dim": [8]}, "zip": [{"fusoin": ["gated"]}]}}
    lines = refused(write_experiment, tiny_experiment, tmp_path)
    assert [line.partition(".")[0] for line in lines] == [
        "there is no dataset 'mmfbr'",
        "unknown key 'gird' in sweep",
        "unknown axis 'fusoin'",
    ]


def test_models_that_are_not_here(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    small = {"hidden_size": 16, "num_attention_heads": 3, "num_hidden_layers": 1}
    empty = tmp_path / "empty"
    empty.mkdir()
    bert = {"name": "bert", "weights": "none", "finetune": "all"}
    tiny_experiment["systems"] = {
        "folder": {"system": "vse", "image_encoder": CNN, "text_encoder": {"name": "bert", "model": "./minilm"}},
        "empty": {"system": "vse", "image_encoder": CNN, "text_encoder": {"name": "bert_bow", "model": str(empty)}},
        "tower": {"system": "vse", "image_encoder": {"name": "clip_image", "model": "/no/clip"}},
        "heads": {"system": "vse", "image_encoder": CNN, "text_encoder": {**bert, "config": small}},
        "setting": {"system": "vse", "image_encoder": CNN, "text_encoder": {**bert, "config": {"hiden_size": 16}}},
        "layers": {"system": "vse", "image_encoder": CNN, "text_encoder": {**bert, "finetune": "last", "layers": 12}},
    }
    lines = refused(write_experiment, tiny_experiment, tmp_path)
    assert lines[:3] == [
        "model './minilm': no such folder.",
        f"model '{empty}': the folder has no config.json.",
        "model '/no/clip': no such folder.",
    ]
    assert lines[3].startswith("transformers cannot make this model: The hidden size (16) is not a multiple")
    assert lines[4] == "'hiden_size' is no setting of BertConfig that can be chosen here."
    assert lines[5] == "layers (12) must be fewer than the model's 12."
    assert len(lines) == 6


def test_several_files(tiny_experiment: Any, tmp_path: Path) -> None:
    """All mistakes of all files, in the order of the files; two of one name would share a board."""
    files = []
    for number, change in enumerate(({"seed": [1]}, {"metrics": ["acuracy"], "dataset": "mmfbr"}, {})):
        files.append(tmp_path / f"{number}.yaml")
        files[-1].write_text(document.dump({**tiny_experiment, **change}), encoding="utf-8")
    done = vsebench("sweep", *files, "--dry-run", cwd=tmp_path)
    assert done.returncode == 2
    lines = done.stderr.removeprefix("error: ").splitlines()
    assert [Path(line.split(":")[0]).name for line in lines] == ["0.yaml", "1.yaml", "1.yaml"]
    assert ["unknown key 'seed'" in lines[0], "'mmfbr'" in lines[1], "'acuracy'" in lines[2]] == [True] * 3
    same = tmp_path / "same.yaml"
    same.write_text(files[2].read_text(encoding="utf-8"), encoding="utf-8")
    done = vsebench("sweep", files[2], same, "--dry-run", cwd=tmp_path)
    assert done.returncode == 2
    assert f"{files[2]} is experiment '{tiny_experiment['experiment']}' too" in done.stderr


def test_missing_extras(write_experiment: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is not installed is named at the line that needs it."""
    monkeypatch.setitem(sys.modules, "faiss", None)
    indexes = {"exact": "flat", "graph": "hnsw", "codes": {"name": "pq", "m": 4}}
    vectors = {"generated": {"count": 100, "queries": 5, "dim": 8, "clusters": 4, "latent": 2}}
    file = write_experiment({"experiment": "extras", "vectors": vectors, "k": [1], "indexes": indexes})
    with pytest.raises(ConfigError) as caught:
        load_index_experiment(file)
    lines = str(caught.value).splitlines()
    assert [line.split(": ", 1)[1] for line in lines] == [
        "this index needs faiss: pip install 'vsebench[index]'. Index 'flat' works without it."
    ] * 2
    model = tmp_path / "words.bin"
    model.write_bytes(FASTTEXT + bytes(16))
    monkeypatch.setattr("vsebench.components.text_encoder._words.find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"are a FastText model, which needs gensim: pip install 'vsebench\[fasttext\]'"
    ):
        check_files(resolve({"text_encoder": {"name": "lstm", "vectors": str(model)}}))
