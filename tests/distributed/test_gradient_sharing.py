"""Several processes give what one gives, and every item is evaluated once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import crew_processes
import numpy as np
import pytest
import torch

from vsebench.config.resolve import resolve
from vsebench.core.errors import ConfigError
from vsebench.distributed.gradient_sharing import SINGLE_PROCESS, TorchProcessGroup
from vsebench.engine.model import Model

Found = list[dict[str, Any]]
NAMES = list(crew_processes.SYSTEMS)


def process_group(folder: Path, file: Path, size: int, *, small: bool) -> Found:
    torch.multiprocessing.spawn(crew_processes.run, (size, str(folder), str(file), small), nprocs=size)
    return [torch.load(folder / f"{number}.pt", weights_only=False) for number in range(size)]


@pytest.fixture(scope="module")
def two(tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    return process_group(tmp_path_factory.mktemp("two"), tiny_file, 2, small=False)


def alone(file: Path, system: Any) -> dict[str, Any]:
    torch.set_num_threads(1)
    return crew_processes.train(file, system, SINGLE_PROCESS)


def assert_same(results: dict[str, Any], wanted: dict[str, Any], tolerance: float = 1e-5) -> None:
    assert len(results["history"]) == len(wanted["history"])
    for one, other in zip(results["history"], wanted["history"], strict=True):
        assert one == pytest.approx(other, rel=tolerance, abs=tolerance)
    assert results["state"].keys() == wanted["state"].keys()
    for name, value in wanted["state"].items():
        torch.testing.assert_close(results["state"][name], value, rtol=tolerance, atol=tolerance, msg=name)
    assert results["outputs"].keys() == wanted["outputs"].keys()
    for name, value in wanted["outputs"].items():
        np.testing.assert_allclose(results["outputs"][name], value, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_give_what_one_gives(name: str, two: Found, tiny_file: Path) -> None:
    wanted = alone(tiny_file, crew_processes.SYSTEMS[name])
    # Half precision rounds the parts of a gradient before they are added.
    for result in two:
        assert_same(result[name], wanted, 2e-2 if name == "bf16" else 1e-5)
    assert wanted["history"][0]["train/loss"] != pytest.approx(wanted["history"][-1]["train/loss"], rel=1e-4)


def test_three_processes_share_a_batch_of_two(tiny_file: Path, tmp_path: Path) -> None:
    wanted = alone(tiny_file, crew_processes.SMALL)
    for result in process_group(tmp_path, tiny_file, 3, small=True):
        assert_same(result["small"], wanted)


@pytest.mark.parametrize("name", ["info_nce", "image alone"])
def test_every_item_and_caption_is_evaluated_once(name: str, two: Found, tiny_file: Path) -> None:
    wanted = alone(tiny_file, crew_processes.SYSTEMS[name])
    requested = Counter(row for result in two for row in result[name]["asked"])
    assert requested == Counter(wanted["asked"])
    assert set(requested.values()) == {1}
    assert all(result[name]["asked"] for result in two)


def test_processes_are_the_same_to_the_last_bit(two: Found) -> None:
    for name in NAMES:
        for key, value in two[0][name]["state"].items():
            assert torch.equal(value, two[1][name]["state"][key]), f"{name} {key}"


def test_the_first_process_decides_and_tells(two: Found) -> None:
    assert two[0]["disagreeing"]["best"] == two[1]["disagreeing"]["best"]
    assert [result["info_nce"]["told"] for result in two] == [[1, 2, 3], []]


def test_dropout_differs_between_processes_and_objectives_draw_alike(two: Found) -> None:
    (inside, after), (other_inside, other_after) = (result["draws"] for result in two)
    assert inside != other_inside
    assert after == other_after
    losses = [[h["train/loss"] for h in result["dropping"]["history"]] for result in two]
    assert losses[0] == losses[1]


def test_batch_normalisation_sees_all_items(two: Found) -> None:
    wanted = crew_processes.norm(*crew_processes.halves(0, 1))
    for name, value in wanted.items():
        parts = [result["norm"][name] for result in two]
        joined = torch.cat(parts) if name in ("values", "images") else sum(parts) if name in ("w", "b") else parts[0]
        torch.testing.assert_close(joined, value, rtol=1e-9, atol=1e-9, msg=name)


def test_a_fusion_that_compares_documents_works_on_one_process() -> None:
    encoders = {"image_encoder": "features", "text_encoder": "features"}
    system = resolve({**encoders, "dim": 4, "fusion": "amir"})
    model = Model(system, num_classes=2, feature_dims={"image": 3, "text": 3})
    with pytest.raises(ConfigError, match="compares the documents of a batch works on one process only"):
        TorchProcessGroup.begin(object.__new__(TorchProcessGroup), model, torch.nn.ModuleList(), compiled=False)
