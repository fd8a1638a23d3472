"""Weights are what was written, and whose they say; or they are named."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vsebench.core.errors import DataError
from vsebench.ops.weights import load_weights, save_weights, state_digest

STATE = {
    "matrix": torch.arange(12.0).view(3, 4),
    "scalar": torch.tensor(3),
    "empty": torch.zeros(0, 2),
    "half": torch.ones(2, dtype=torch.bfloat16),
    "flags": torch.tensor([True, False]),
}


def test_weights_come_back(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    digest = save_weights(file, STATE, owner="run")
    loaded = load_weights(file, owner="run", digest=digest)
    assert state_digest(loaded) == digest
    assert all(torch.equal(loaded[name], value) for name, value in STATE.items())
    assert stat.S_IMODE(file.stat().st_mode) & 0o044, "a colleague can read them"


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_weights(file, STATE, owner="run")
    whole = file.read_bytes()
    begin = 8 + int.from_bytes(whole[:8], "little")
    for place in range(begin, len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DataError, match="digest of their content differs"):
            load_weights(file)


def test_cut_and_foreign_files_are_named(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_weights(file, STATE, owner="run")
    with pytest.raises(DataError, match=r"model.safetensors: these are the weights of run, not of other"):
        load_weights(file, owner="other")
    with pytest.raises(DataError, match="digest"):
        load_weights(file, digest="0" * 64)
    for length in (0, 7, 100, file.stat().st_size - 1):
        file.write_bytes(file.read_bytes()[:length])
        with pytest.raises(DataError, match="not a whole safetensors file"):
            load_weights(file)
    with pytest.raises(DataError, match="not a whole safetensors file"):
        load_weights(tmp_path / "missing.safetensors")


def test_files_of_the_first_release_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "old.safetensors")
    assert state_digest(load_weights(tmp_path / "old.safetensors", owner="run")) == state_digest(STATE)
