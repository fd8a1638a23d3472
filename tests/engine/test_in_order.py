"""Batches are encoded by several threads and arrive in order."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from vsebench.engine.encode_once import in_order


@pytest.mark.parametrize("threads", [1, 3])
def test_results_arrive_in_the_order_of_the_arguments(threads: int) -> None:
    taken: list[int] = []

    def arguments() -> Iterator[int]:
        for i in range(20):
            taken.append(i)
            yield i

    def square(i: int) -> int:
        time.sleep(0.002 * (i % 3))
        return i * i

    results = []
    for result in in_order(square, arguments(), threads):
        results.append(result)
        assert len(taken) - len(results) <= threads + 1, "few are read in advance"
    assert results == [i * i for i in range(20)]


def test_an_error_in_a_thread_arrives() -> None:
    def fail(i: int) -> int:
        raise ValueError(f"number {i}")

    with pytest.raises(ValueError, match="number 0"):
        list(in_order(fail, range(4), 2))
