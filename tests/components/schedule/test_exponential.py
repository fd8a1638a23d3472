from __future__ import annotations

import pytest

from vsebench.components.schedule.exponential import exponential
from vsebench.config.resolve import resolve
from vsebench.core.errors import ConfigError
from vsebench.engine.train import _set_lr


def test_falls_by_the_factor_with_each_epoch() -> None:
    for epochs in (5, 50):
        for epoch in range(epochs + 1):
            assert exponential(epoch / epochs, epochs, factor=0.9) == pytest.approx(0.9**epoch)
    assert exponential(1.0, 50, factor=1.0) == 1.0


def test_training_tells_it_the_epochs_after_the_warm_up() -> None:
    class Fake:
        param_groups = [{"initial_lr": 2.0, "lr": 0.0}]  # noqa: RUF012

    train = {"epochs": 12, "warmup_epochs": 2.0, "schedule": {"name": "exponential", "factor": 0.5}}
    system = resolve({"text_encoder": "bow", "train": train})
    for epoch, wanted in ((2, 2.0), (3, 1.0), (7, 2.0 / 32), (12, 2.0 / 1024)):
        _set_lr(Fake, system, float(epoch))  # type: ignore[arg-type]
        assert Fake.param_groups[0]["lr"] == pytest.approx(wanted)


@pytest.mark.parametrize("factor", [0.0, 1.1])
def test_the_factor_lies_above_zero_and_not_above_one(factor: float) -> None:
    with pytest.raises(ConfigError, match="option 'factor' of schedule 'exponential'"):
        exponential(0.5, factor=factor)
