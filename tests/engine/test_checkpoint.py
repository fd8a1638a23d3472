"""A checkpoint that is damaged, or another training's, is set aside and named; the training begins anew, the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from test_train import assert_same, train

import vsebench.engine.train

CHECKPOINT = "checkpoint.pt"


def rewritten(change: Callable[[dict[str, object]], None]) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        from vsebench.core.files import seal

        state = torch.load(file, weights_only=True)
        change(state)
        torch.save(state, file)
        seal(file)

    return damage


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "flipped bit": flip,
    "garbage": lambda file: file.write_bytes(bytes(range(256)) * 40),
    "another training's": rewritten(lambda state: state.update(owner="0" * 16)),
    "another form": rewritten(lambda state: state.pop("optimizer")),
    "half restored": rewritten(lambda state: state.update(optimizer={"state": {}, "param_groups": []})),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named_and_the_training_begins_anew(
    damage: Callable[[Path], object],
    tiny_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(vsebench.engine.train, "CHECKPOINT_EVERY_S", 0.0)
    whole, progress = train(tiny_file, tmp_path)
    file = tmp_path / CHECKPOINT
    damage(file)
    with caplog.at_level(logging.WARNING, "vsebench"):
        again, after = train(tiny_file, tmp_path)
    assert f"{file} cannot be used: " in caplog.text
    assert caplog.text.count("\n") == 1
    assert (tmp_path / f"{CHECKPOINT}.damaged").is_file()
    assert_same(whole.state_dict(), again.state_dict())
    assert after.history == progress.history
