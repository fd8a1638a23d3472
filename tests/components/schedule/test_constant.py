from __future__ import annotations

from vsebench.components.schedule.constant import constant


def test_never_changes() -> None:
    assert [constant(p / 4) for p in range(5)] == [1.0] * 5
