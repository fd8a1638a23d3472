"""The block ``measure.robustness``: defaults, what is left out, and one message for each mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vsebench.config.experiment import load_experiment
from vsebench.config.measures import Measures
from vsebench.core.errors import ConfigError

DEFAULTS = {
    "image": {"noise": [0.1, 0.2, 0.4], "occlusion": [0.25, 0.5]},
    "text": {"dropout": [0.25, 0.5, 0.75]},
    "audio": {"snr": [20.0, 10.0, 0.0]},
    "features": {"noise": [0.5, 1.0, 2.0]},
    "shuffle": True,
    "drop": True,
    "repeats": 3,
}


def requested(block: Any) -> dict[str, Any]:
    return Measures.model_validate(block).requested()


def test_true_is_all_defaults_and_false_is_nothing() -> None:
    assert requested({"robustness": True}) == requested({"robustness": {}}) == {"robustness": DEFAULTS}
    assert requested({"robustness": False}) == requested({}) == requested({"subsets": False}) == {}
    assert requested({"subsets": True}) == {"subsets": {}}


def test_a_key_that_is_left_out_has_its_default_and_an_empty_block_does_nothing() -> None:
    result = requested({"robustness": {"image": {}, "audio": {"snr": [5]}, "repeats": 1}})["robustness"]
    assert result == {**DEFAULTS, "image": {}, "audio": {"snr": [5.0]}, "repeats": 1}
    assert requested({"robustness": {"image": {"noise": [0.3]}}})["robustness"]["image"] == {"noise": [0.3]}


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"robustness": "yes"}, "'measure.robustness': must be true, false or a block of keys. Got 'yes'"),
        (
            {"robustnes": True},
            "unknown measurement 'robustnes'. Did you mean 'robustness'? Known: cost,",
        ),
        (
            {"robustness": {"image": {"noize": [1]}}},
            "unknown key 'noize' in measure.robustness.image. Did you mean 'noise'",
        ),
        ({"robustness": {"image": {"noise": [0.1, 2]}}}, "noise.1': must be less than or equal to 1. Got 2"),
        ({"robustness": {"text": {"dropout": [0]}}}, "dropout.0': must be greater than 0. Got 0"),
        ({"robustness": {"audio": {"snr": [0, 0]}}}, "snr': must not repeat a strength. Got [0, 0]"),
        ({"robustness": {"audio": {"snr": []}}}, "snr': must not be empty"),
        ({"robustness": {"image": {"noise": 0.1}}}, "noise': must be a list. Got 0.1"),
        (
            {"robustness": {"repeats": 0}},
            "'repeats' of measurement 'robustness': must be greater than or equal to 1. Got 0",
        ),
        ({"subsets": "all"}, "'measure.subsets': must be true or false. Got 'all'"),
    ],
)
def test_mistakes_are_told_with_their_line(
    block: Any, message: str, tiny_experiment: dict[str, Any], write_experiment: Callable[..., Path]
) -> None:
    file = write_experiment({**tiny_experiment, "measure": block})
    with pytest.raises(ConfigError) as caught:
        load_experiment(file)
    assert message in str(caught.value)
    line = int(str(caught.value).split("experiment.yaml:")[1].split(":")[0])
    last = next(iter(block))
    assert line >= next(i for i, text in enumerate(file.read_text().split("\n"), 1) if last in text)
