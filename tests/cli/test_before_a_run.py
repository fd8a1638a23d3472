"""What can be known before a run is known before it: all of it at once, a line each, and nothing is trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from commands import vsebench

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
